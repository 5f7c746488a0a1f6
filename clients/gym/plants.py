"""A ring that an agent acts on: what it can set, and what it sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Imperfections", "Plant", "PlantState"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PlantState:
    """A beam as it is seen, or the reason why there is none; then all numbers are NaN.

    `x`, `y` (m,) are the monitors' readings [mm], `tune` (2,) the fractional parts. `beta` (m, 2) [m] and `dispersion`
    (m,) [m] are those at the monitors, and `chromaticity` (2,); NaN where nobody asked for them.
    """

    reason: str
    x: Floats
    y: Floats
    tune: Floats
    beta: Floats
    dispersion: Floats
    chromaticity: Floats

    @property
    def found(self) -> bool:
        """Tell whether there is a beam."""
        return not self.reason

    @property
    def rms_mm(self) -> float:
        """Root mean square of all readings [mm]."""
        return float(np.sqrt(0.5 * (np.square(self.x).mean() + np.square(self.y).mean())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Imperfections:
    """Differences of an episode's ring from its document. `scale` multiplies the errors of role machine; 0: none.

    An episode has one of `machines` different machines, none of them a server's. `noise_mm` is that of a reading,
    `tune_noise` that of a tune. `dead` are monitors that read 0, `stuck` power supplies that do not move.
    """

    scale: float = 0.0
    machines: int = 4
    noise_mm: float = 0.0
    tune_noise: float = 0.0
    dead: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()


class Plant(Protocol):
    """A ring to act on. Currents are in A, in the order of `supplies`."""

    @property
    def supplies(self) -> tuple[str, ...]:
        """Names of the power supplies that are set."""
        ...

    @property
    def limits(self) -> Floats:
        """Their drive limits (n, 2) [A]."""
        ...

    @property
    def nominal(self) -> Floats:
        """Their nominal currents (n,) [A]."""
        ...

    @property
    def monitors(self) -> tuple[str, ...]:
        """Names of the beam position monitors."""
        ...

    @property
    def design(self) -> PlantState:
        """The beam of the ideal ring with nominal currents."""
        ...

    def begin(self, imperfections: Imperfections, number: int, random: np.random.Generator) -> None:
        """Begin an episode: with the errors of the machine with a number, where the ring has such a thing."""
        ...

    def apply(self, currents: Floats) -> PlantState:
        """Set all currents (n,) [A], and see the beam."""
        ...

    def close(self) -> None:
        """Leave the ring."""
        ...


def no_beam(reason: str, monitors: int) -> PlantState:
    """Return what is seen without a beam."""
    nan = np.full(monitors, np.nan)
    two = np.full(2, np.nan)
    return PlantState(reason or "no beam", nan, nan, two, np.full((monitors, 2), np.nan), nan, two)


def indices(names: Sequence[str], wanted: Sequence[str]) -> NDArray[np.intp]:
    """Find the places of names; those that are not there are left out."""
    return np.array([place for place, name in enumerate(names) if name in wanted], dtype=np.intp)
