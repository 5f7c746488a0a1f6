"""Correction of a machine's orbit and tunes, as operators would have made it before: by steerers and quadrupoles."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import KICKS, Lattice, LatticeError, MonitorErrors, properties_by_supply
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.derivatives import NoDerivative, SupplyResponse, supply_response

Floats = NDArray[np.float64]

#: What a corrected machine shows: rms of the readings of all monitors in each plane [m], distance of the tunes.
ORBIT_RMS_M, TUNE = 1e-4, 2e-3
#: What each step aims at, as a part of that.
AIM = 0.9
#: A step that is enough on the way to the whole errors.
ON_THE_WAY = 5.0
#: What a ring with few steerers is left with when nothing makes it better; tunes are then in any case so near.
ENOUGH, TUNE_ENOUGH = 2.0, 1e-2
#: Steps of one correction; smallest part of a step that is tried, in halvings.
STEPS, HALVINGS = 12, 4
#: Part of its drive limits that a steerer is used up to: some is left to operators.
SHARE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class CorrectedMachine:
    """Settings of the ideal lattice that correct the true one, and what its monitors and tunes then show."""

    lattice: Lattice
    rms_m: tuple[float, float]
    tune: tuple[float, float]
    steps: int
    reached: bool
    good_enough: bool

    @property
    def stored(self) -> bool:
        """Tell whether there is a beam."""
        return bool(np.isfinite(self.rms_m).all())


class Corrector:
    """Corrects orbit and tunes of `true` lattices by settings of ideal ones.

    `true` gives the true lattice of an ideal one, `propagate` its beam, and `monitors` read it, ideally if none are
    given. The responses are those of the true machine: operators measure them.
    """

    def __init__(
        self,
        true: Callable[[Lattice], Lattice],
        propagate: Propagator,
        ideal: Lattice,
        tune: Floats,
        monitors: MonitorErrors | None = None,
    ) -> None:
        self._errors = ideal.monitor_errors() if monitors is None else monitors
        self._true = true
        self._propagate = propagate
        self._tune = tune
        self._monitors = list(ideal.ring.monitors)
        fed = properties_by_supply(ideal.ring.document)
        self.steerers = [name for name, of in fed.items() if of <= KICKS]
        self.quadrupoles = [name for name, of in fed.items() if of == {"k1"} and ideal[name, "current"] != 0.0]

    def beam(self, lattice: Lattice) -> BeamState:
        """Return the true beam with the settings of an ideal lattice."""
        return self._propagate(self._true(lattice))

    def correct(self, lattice: Lattice, *, loosely: bool = False) -> CorrectedMachine:
        """Correct from these settings on; `loosely`: so far that larger errors can follow."""
        times = ON_THE_WAY if loosely else 1.0
        beam = self.beam(lattice)
        for step in range(STEPS):
            if not beam.found:
                break
            found = self._seen(lattice, beam, step, times)
            if found.reached:
                return found
            better = self._better(lattice, beam)
            if better is None:
                return found
            lattice, beam = better
        if not beam.found:
            return CorrectedMachine(lattice, (np.nan, np.nan), (np.nan, np.nan), 0, False, False)
        return self._seen(lattice, beam, STEPS, times)

    def _seen(self, lattice: Lattice, beam: BeamState, steps: int, times: float) -> CorrectedMachine:
        x, y = self._readings(beam)
        rms = _rms(x), _rms(y)
        off = np.abs(beam.tune - self._tune)
        reached = max(rms) <= times * ORBIT_RMS_M and bool((off <= times * TUNE).all())
        enough = max(rms) <= ENOUGH * ORBIT_RMS_M and bool((off < TUNE_ENOUGH).all())
        return CorrectedMachine(lattice, rms, (float(beam.tune[0]), float(beam.tune[1])), steps, reached, enough)

    def _readings(self, beam: BeamState) -> tuple[Floats, Floats]:
        return self._errors.readings(beam.orbit[self._monitors, 0], beam.orbit[self._monitors, 2])

    def _better(self, lattice: Lattice, beam: BeamState) -> tuple[Lattice, BeamState] | None:
        """Return the settings and beam after one step, or a part of it where the whole is not better."""
        names = [*self.steerers, *self.quadrupoles]
        if not names:
            return None
        try:
            response = supply_response(self._propagate, self._true(lattice), names)
        except NoDerivative:
            return None
        step = np.concatenate([self._steering(lattice, beam, response), self._focusing(lattice, beam, response)])
        before = self._distance(beam)
        for halving in range(HALVINGS):
            tried = _moved(lattice, names, 0.5**halving * step)
            if tried is None:
                continue
            after = self.beam(tried)
            if after.found and self._distance(after) < before:
                return tried, after
        return None

    def _distance(self, beam: BeamState) -> float:
        orbit = np.concatenate(self._readings(beam)) / ORBIT_RMS_M
        tunes = (beam.tune - self._tune) / TUNE
        return _rms(orbit) + _rms(tunes)

    def _steering(self, lattice: Lattice, beam: BeamState, response: SupplyResponse) -> Floats:
        """Return steps of the steerers [A]: as few singular values as reach the aim, within their limits."""
        count = len(self.steerers)
        step = np.zeros(count)
        if not count or not self._monitors:
            return step
        orbit = np.concatenate(self._readings(beam))
        matrix = np.concatenate([response.orbit[:, 0, :count], response.orbit[:, 2, :count]])
        now = np.array([lattice[name, "current"] for name in self.steerers])
        specs = [lattice.ring.property_spec(name, "current") for name in self.steerers]
        low = np.minimum(SHARE * np.array([spec.low for spec in specs]), now) - now
        high = np.maximum(SHARE * np.array([spec.high for spec in specs]), now) - now
        left, values, right = np.linalg.svd(matrix, full_matrices=False)
        wanted = -(left.T @ orbit)
        half = len(orbit) // 2
        for used in range(1, int((values > 1e-6 * values[0]).sum()) + 1):
            step = np.clip(right[:used].T @ (wanted[:used] / values[:used]), low, high)
            rest = orbit + matrix @ step
            if max(_rms(rest[:half]), _rms(rest[half:])) <= AIM * ORBIT_RMS_M:
                break
        return np.asarray(step)

    def _focusing(self, lattice: Lattice, beam: BeamState, response: SupplyResponse) -> Floats:
        """Return steps of the quadrupoles' supplies [A]: the smallest relative ones that give the tunes."""
        now = np.array([lattice[name, "current"] for name in self.quadrupoles])
        slopes = response.tune[:, len(self.steerers) :] * now
        return np.asarray(now * np.linalg.lstsq(slopes, self._tune - beam.tune, rcond=1e-10)[0])


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0


def _moved(lattice: Lattice, names: list[str], step: Floats) -> Lattice | None:
    """Return a lattice with currents changed by `step` [A], kept within the drive limits."""
    changes = {}
    for name, by in zip(names, step.tolist(), strict=True):
        spec = lattice.ring.property_spec(name, "current")
        changes[name, "current"] = min(max(lattice[name, "current"] + by, spec.low), spec.high)
    try:
        return lattice.updated(changes)
    except LatticeError:  # a conversion's range is narrower than the limits
        return None
