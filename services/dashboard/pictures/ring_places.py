"""Positions of devices along the ring, by their names. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Lattice, Ring
from gnomon.propagator.derivatives import fed_by, supplies_of

__all__ = ["NO_PLACES", "RingPlaces"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RingPlaces:
    """Positions [m] by name, and the circumference [m]; of an unknown ring both are empty."""

    of: dict[str, float]
    circumference_m: float = 0.0

    @classmethod
    def of_ring(cls, ring: Ring) -> "RingPlaces":
        """Collect the positions of monitors, of the centres of elements, and of each supply's first magnet."""
        lattice: Lattice = ring.nominal
        middle = {e.name: float(ring.s[i] + 0.5 * e.length) for i, e in enumerate(ring.elements)}
        found = dict(middle)
        for supply in supplies_of(lattice):
            if magnets := fed_by(lattice, supply):
                found[supply] = min(
                    float(ring.s[m.element] + 0.5 * ring.elements[m.element].length) for m, _ in magnets
                )
        found |= {magnet.name: middle[ring.elements[magnet.element].name] for magnet in ring.magnets}
        found |= {bpm.name: float(ring.s[bpm.element]) for bpm in ring.bpms}
        return cls(found, ring.circumference)

    def along(self, names: Sequence[str]) -> tuple[Floats, str]:
        """Return an abscissa for devices, and its title: s, or their number if one of them is unknown."""
        if names and all(name in self.of for name in names):
            return np.array([self.of[name] for name in names]), "s [m]"
        return np.arange(1.0, len(names) + 1), "number"

    def axis(self, title: str) -> dict[str, object]:
        """Return the settings of an abscissa with that title: the whole ring."""
        if title != "s [m]":
            return {}
        return {"range": [0.0, self.circumference_m]}


NO_PLACES = RingPlaces({})
