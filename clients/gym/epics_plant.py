"""A server of gnomon over EPICS as a ring to act on: what was learned on the model is tried where it counts."""

import time
from collections.abc import Sequence
from os import PathLike

import numpy as np

from gnomon.clients.gym.model_plant import ModelPlant
from gnomon.clients.gym.plants import Floats, Imperfections, PlantState, indices, no_beam
from gnomon.clients.remote_ring import RemoteRing

__all__ = ["EpicsPlant"]


class EpicsPlant:
    """A running twin, or role machine, that `gnomon.connect` reaches. Each step is one command in its journal.

    `settle_s` is waited for before readings are read: 0 on a twin, on a machine the time in which its supplies ramp and
    a reading comes. Its errors are its own; faults are those that it has. `close` puts the currents back that it found.
    """

    def __init__(
        self,
        ring: RemoteRing,
        supplies: Sequence[str],
        machine: str | PathLike[str] = "bessy2",
        *,
        settle_s: float = 0.0,
    ) -> None:
        model = ModelPlant(machine, supplies, chromatic=True)
        self.supplies, self.limits, self.nominal = model.supplies, model.limits, model.nominal
        self.monitors, self.design = model.monitors, model.design
        self._at = list(model.ring.monitors)
        self._ring, self._settle_s = ring, settle_s
        found = ring.get(*self.supplies)
        self._before: Floats = np.array(list(found.values()) if isinstance(found, dict) else [found], dtype=float)
        self._stuck = indices((), ())

    def begin(self, imperfections: Imperfections, number: int, random: np.random.Generator) -> None:
        """Begin an episode: supplies that are to be stuck are not moved; all else is the server's."""
        self._stuck = indices(self.supplies, imperfections.stuck)

    def apply(self, currents: Floats) -> PlantState:
        """Set all currents (n,) [A] by one command, and read. Raises ClientError."""
        wanted = {name: float(value) for name, value in zip(self.supplies, currents, strict=True)}
        for place in self._stuck:
            wanted.pop(self.supplies[place], None)
        self._ring.set(wanted, "gnomon.clients.gym")
        time.sleep(self._settle_s)
        if not self._ring.has_beam:
            return no_beam(self._ring.reason, len(self.monitors))
        orbit, optics, tunes = self._ring.orbit.columns, self._ring.optics.columns, self._ring.tunes
        chromaticities = self._ring.chromaticities
        beta = np.column_stack([np.asarray(optics[f"beta_{plane}"])[self._at] for plane in "xy"])
        return PlantState(
            "",
            np.asarray(orbit["x"]),
            np.asarray(orbit["y"]),
            np.array(tunes) % 1.0,
            beta,
            np.asarray(optics["dispersion_x"])[self._at],
            np.array(chromaticities),
        )

    def close(self) -> None:
        """Put the currents back that it found."""
        self._ring.set(dict(zip(self.supplies, self._before.tolist(), strict=True)), "gnomon.clients.gym: end")
