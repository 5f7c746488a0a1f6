"""The places of each kind of observable in a band, found once for all bands of one model. Pure."""

import math

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice.units import conversion_factor
from gnomon.recorder.bounds import Kind, Observable

__all__ = ["ObservablePlaces", "places_of"]

_NOWHERE = np.zeros(0, dtype=np.int64)


class ObservablePlaces:
    """The places of each kind, and of each plane of it, among observables."""

    def __init__(self, observables: tuple[Observable, ...]) -> None:
        self.observables = observables
        found: dict[tuple[Kind, str], list[int]] = {}
        units: dict[tuple[Kind, str], set[str]] = {}
        for index, observable in enumerate(observables):
            plane = observable.name.partition(":")[0].rpartition("_")[2]
            for key in dict.fromkeys(((observable.kind, ""), (observable.kind, plane))):
                found.setdefault(key, []).append(index)
                units.setdefault(key, set()).add(observable.unit)
        self.places = {key: np.array(each, dtype=np.int64) for key, each in found.items()}
        self.units = units

    def of(self, kind: Kind, plane: str = "") -> NDArray[np.int64]:
        """Return the places of a kind, empty if there are none."""
        return self.places.get((kind, plane), _NOWHERE)

    def factor(self, kind: Kind, plane: str, unit: str) -> float:
        """Return the factor that brings observables to the unit of a limit; NaN if there is none."""
        factors = {conversion_factor(each, unit) for each in self.units.get((kind, plane), ())}
        factor = factors.pop() if len(factors) == 1 else None
        return math.nan if factor is None else factor


_last = ObservablePlaces(())


def places_of(observables: tuple[Observable, ...]) -> ObservablePlaces:
    """Find the places; those of the same tuple as last time are remembered."""
    global _last
    found = _last
    if found.observables is not observables:
        found = _last = ObservablePlaces(observables)
    return found
