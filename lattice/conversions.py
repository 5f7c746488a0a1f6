"""From a supply's current [A] to a magnet's field and back.

The field is the integrated or local coefficient whose quotient with the magnetic rigidity is the strength: T/m for k1,
T/m^2 for b3, T/m^3 for b4 and T m for a kick.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from gnomon.lattice._errors import LatticeError, RefusedValue


class Conversion(Protocol):
    """A monotone relation of current and field. Both directions refuse what is not finite or out of range."""

    def field(self, current: float) -> float:
        """Field at `current` [A]."""
        ...

    def current(self, field: float) -> float:
        """Current [A] that gives `field`."""
        ...

    def derivative(self, current: float) -> float:
        """Derivative of the field with respect to the current, per A, at `current` [A]."""
        ...

    def currents_known(self) -> tuple[float, float]:
        """Lowest and highest current [A] whose field is known."""
        ...


@dataclass(frozen=True, slots=True)
class Linear:
    """field = slope x current + intercept, for any current."""

    slope: float
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if self.slope == 0.0:
            raise LatticeError("linear conversion: slope is 0, so no current belongs to a field; use another value")

    def field(self, current: float) -> float:
        """See `Conversion`."""
        return self.slope * _finite(current, "current", "A") + self.intercept

    def current(self, field: float) -> float:
        """See `Conversion`."""
        return (_finite(field, "field", "T/m^n") - self.intercept) / self.slope

    def derivative(self, current: float) -> float:
        """See `Conversion`."""
        _finite(current, "current", "A")
        return self.slope

    def currents_known(self) -> tuple[float, float]:
        """See `Conversion`."""
        return -math.inf, math.inf


@dataclass(frozen=True, slots=True)
class Polynomial:
    """field = sum of coefficients[n] x current^n between two currents, where it must be monotone."""

    coefficients: tuple[float, ...]
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise LatticeError(f"polynomial conversion: range {self.low} to {self.high} A is empty")
        slope = np.polynomial.Polynomial(self.coefficients).deriv()
        turns = [r for r in _real_roots(slope) if self.low < r < self.high]
        if turns or not np.any(slope.coef):
            where = f"turns at {turns[0]:g} A" if turns else "is constant"
            raise LatticeError(f"polynomial conversion: {where}; from {self.low} to {self.high} A it must be monotone")

    def field(self, current: float) -> float:
        """See `Conversion`."""
        _inside(current, self.low, self.high, "current", "A")
        return float(np.polynomial.Polynomial(self.coefficients)(current))

    def current(self, field: float) -> float:
        """See `Conversion`."""
        ends = sorted((self.field(self.low), self.field(self.high)))
        _inside(field, ends[0], ends[1], "field", "T/m^n")
        roots = _real_roots(np.polynomial.Polynomial((self.coefficients[0] - field, *self.coefficients[1:])))
        middle = 0.5 * (self.low + self.high)
        # The range holds exactly one root; rounding may push one at an end just out of it.
        return float(np.clip(min(roots, key=lambda r: abs(r - middle)), self.low, self.high))

    def derivative(self, current: float) -> float:
        """See `Conversion`."""
        _inside(current, self.low, self.high, "current", "A")
        return float(np.polynomial.Polynomial(self.coefficients).deriv()(current))

    def currents_known(self) -> tuple[float, float]:
        """See `Conversion`."""
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class Table:
    """Measured points joined by a monotone cubic (Fritsch and Carlson, SIAM J. Numer. Anal. 17 (1980) 238)."""

    currents: tuple[float, ...]
    fields: tuple[float, ...]
    _curve: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.currents) != len(self.fields) or len(self.currents) < 2:
            raise LatticeError("table conversion: it needs as many fields as currents, and two of each at least")
        if not _rises(self.currents):
            raise LatticeError("table conversion: the currents must rise from point to point")
        if not (_rises(self.fields) or _rises([-f for f in self.fields])):
            raise LatticeError("table conversion: the fields must rise, or fall, from point to point")
        from scipy.interpolate import PchipInterpolator  # slow to import, and few machines have tables

        object.__setattr__(self, "_curve", PchipInterpolator(self.currents, self.fields, extrapolate=False))

    def field(self, current: float) -> float:
        """See `Conversion`."""
        _inside(current, self.currents[0], self.currents[-1], "current", "A")
        return float(self._curve(current))

    def current(self, field: float) -> float:
        """See `Conversion`."""
        _inside(field, min(self.fields), max(self.fields), "field", "T/m^n")
        if field in self.fields:
            return self.currents[self.fields.index(field)]
        return float(self._curve.solve(field, extrapolate=False)[0])

    def derivative(self, current: float) -> float:
        """See `Conversion`."""
        _inside(current, self.currents[0], self.currents[-1], "current", "A")
        return float(self._curve(current, 1))

    def currents_known(self) -> tuple[float, float]:
        """See `Conversion`."""
        return self.currents[0], self.currents[-1]


def _real_roots(polynomial: np.polynomial.Polynomial) -> list[float]:
    roots = np.asarray(polynomial.roots(), dtype=complex)
    return [float(r.real) for r in roots if abs(r.imag) < 1e-9 * (1.0 + abs(r.real))]


def _rises(points: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(points))


def _finite(value: float, what: str, unit: str) -> float:
    if not np.isfinite(value):
        raise RefusedValue(f"{what} {value} {unit} is not a finite number")
    return value


def _inside(value: float, low: float, high: float, what: str, unit: str) -> None:
    _finite(value, what, unit)
    if not low <= value <= high:
        raise RefusedValue(f"{what} {value:g} {unit} is outside its conversion's range {low:g} to {high:g} {unit}")
