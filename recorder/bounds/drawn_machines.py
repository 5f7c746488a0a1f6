"""The second tier: machines drawn from the posterior, each with its own beam before and after a command.

The bounds are order statistics: with N machines, the largest normalised deviation of each from their mean, and of
these N numbers the ceil((N+1) coverage)-th smallest (as for the conformal shell: a new draw is exchangeable with them).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import GnomonError, Key
from gnomon.recorder.bounds.calibrated_model import CalibratedModel
from gnomon.recorder.bounds.conformal import quantile
from gnomon.recorder.bounds.posterior import Posterior

Floats = NDArray[np.float64]

#: No shift.
NOTHING: Mapping[Key, float] = MappingProxyType({})
#: Machines that are drawn: 99 % needs 99 of them.
COUNT = 128
#: Beams of each machine that are kept: that before a command is asked for again, on its ramp and for the next one.
KEPT = 2


@dataclass(frozen=True, slots=True, eq=False)
class EnsembleChange:
    """Changes of the readings (machines, rows) of drawn machines that have a beam; `lost` of `count` have none."""

    effects: Floats
    lost: int
    count: int
    normals: Floats

    @property
    def mean(self) -> Floats:
        """Mean change (rows,)."""
        mean: Floats = self.effects.mean(axis=0)
        return mean

    @property
    def variances(self) -> Floats:
        """Variances (rows,) of the changes."""
        variances: Floats = self.effects.var(axis=0, ddof=1)
        return variances

    def order_factor(self, coverage: float, beside: Floats, scale: Floats) -> float:
        """Find the factor on `scale` that holds the stated part of the machines; one without a beam is outside.

        `beside` (rows,) are the standard deviations of discrepancy and noise, which each machine draws too.
        """
        deviations = self.effects - self.mean + beside * self.normals[: len(self.effects)]
        scores = np.sort((np.abs(deviations) / scale).max(axis=1))
        return quantile(np.concatenate((scores, np.full(self.lost, math.inf))), coverage)


@dataclass(eq=False)
class Ensemble:
    """Machines drawn from a posterior, with a seed: the same calibration draws the same."""

    model: CalibratedModel
    posterior: Posterior
    seed: int
    count: int = COUNT

    @cached_property
    def machines(self) -> list[CalibratedModel]:
        """The machines; their derivatives, for what is not in their lattices, are those of the mean's."""
        random = np.random.default_rng(self.seed)
        mean = self.model
        return [
            CalibratedModel(mean.space, mean.baseline, drawn, mean.propagate, KEPT)
            for drawn in self.posterior.draw(random, self.count)
        ]

    @cached_property
    def _normals(self) -> Floats:
        rows = 2 * len(self.model.space.ring.monitors) + 2
        return np.random.default_rng(self.seed + 1).standard_normal((self.count, rows))

    @cached_property
    def tune_deviation(self) -> Floats:
        """Standard deviations (2,) of the machines' own tunes at the reference."""
        found = []
        for machine in self.machines:
            try:
                beam = machine.propagate(machine.reference)
            except GnomonError:
                continue
            if beam.found:
                found.append(np.asarray(beam.tune))
        return np.std(found, axis=0, ddof=1) if len(found) > self.count // 2 else np.full(2, np.inf)

    def prepare(self) -> None:
        """Compute ahead what the first command would wait for."""
        for machine in self.machines:
            try:
                machine.beam(machine.reference)
            except GnomonError:
                continue

    def change(
        self,
        settings: Mapping[Key, float],
        changes: Mapping[Key, float],
        state: tuple[int, ...] = (),
        shift: Mapping[Key, float] = NOTHING,
    ) -> EnsembleChange:
        """Compute the changes of all machines, in a `state` that the `shift` of their settings makes.

        Raises NoBeams if fewer than two have a beam.
        """
        found: list[Floats] = []
        for machine in self.machines:
            try:
                present = machine.shifted(state, shift) if shift else machine
                change, _ = present.change(settings, changes)
            except GnomonError:
                continue
            if change is not None:
                found.append(self.model.effects.with_values(machine.values).effect(change))
        if len(found) < 2:
            raise NoBeams(f"{self.count - len(found)} of {self.count} drawn machines have no beam")
        return EnsembleChange(np.array(found), self.count - len(found), self.count, self._normals)


class NoBeams(GnomonError):
    """Nearly no drawn machine has a beam."""
