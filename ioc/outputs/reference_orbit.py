"""The orbit that operators compare with, and what the present one differs in."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: The reference that always is there: the design orbit.
ZERO = "zero"


@dataclass(frozen=True, eq=False)
class ReferenceOrbit:
    """Positions that monitors showed, or should show: `x`, `y` [m] in beam order; `saved`: when, on which lattice."""

    name: str
    x: Floats
    y: Floats
    saved: str = ""

    @classmethod
    def zero(cls, monitors: int) -> Self:
        """The design orbit."""
        return cls(ZERO, np.zeros(monitors), np.zeros(monitors))


def rms(difference: Floats) -> float:
    """Root of the mean square, 0 without monitors; the mean is part of it, as in a control room."""
    return float(np.sqrt(difference @ difference / max(len(difference), 1)))


def largest(difference: Floats) -> float:
    """The largest distance, without its sign; 0 without monitors."""
    return float(np.abs(difference).max(initial=0.0))
