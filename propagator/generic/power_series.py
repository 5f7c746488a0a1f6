"""Truncated power series: numbers that carry their derivatives with respect to some variables, up to an order."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.propagator.generic.generic_errors import SeriesError
from gnomon.propagator.generic.knobs import Knob
from gnomon.propagator.generic.monomials import (
    MAX_ORDER,
    Monomials,
    memory_needed,
    monomial_count,
    product_count,
)

#: A coordinate of phase space, or an element's property.
Variable = str | Knob

Coefficients = NDArray[Any]


class TpsSpace:
    """Order and variables of a family of series, chosen at run time.

    Raises SeriesError for an order outside 0 to 4, for a variable given twice, and when the tables would need more than
    `memory_mb`.
    """

    def __init__(self, order: int, variables: Sequence[Variable], *, memory_mb: float = 1000.0) -> None:
        if not 0 <= order <= MAX_ORDER:
            raise SeriesError(f"order {order} of a power series is outside 0 to {MAX_ORDER}")
        self.order = order
        self.variables: tuple[Variable, ...] = tuple(variables)
        self.index = {variable: i for i, variable in enumerate(self.variables)}
        if len(self.index) != len(self.variables):
            twice = next(v for v in self.variables if self.variables.count(v) > 1)
            raise SeriesError(f"variable {twice!r} of a power series is given twice")
        count = len(self.variables)
        needed = memory_needed(count, order) / 1e6
        if needed > memory_mb:
            raise SeriesError(
                f"order {order} in {count} variables has {monomial_count(count, order)} coefficients and "
                f"{product_count(count, order)} products, which need {needed:.0f} MB of {memory_mb:g} MB allowed; "
                "choose a lower order, fewer knobs or a larger memory_mb"
            )
        self.size = monomial_count(count, order)

    @cached_property
    def monomials(self) -> Monomials:
        """The tables of monomials, made on first use."""
        return Monomials(len(self.variables), self.order)

    def constant(self, value: complex) -> "TruncatedPowerSeries":
        """Make a series of a number."""
        coefficients = np.zeros(self.size, dtype=np.result_type(type(value), np.float64))
        coefficients[0] = value
        return TruncatedPowerSeries(self, coefficients)

    def variable(self, variable: Variable, at: float = 0.0) -> "TruncatedPowerSeries":
        """Make a variable with the value `at`. Raises SeriesError for a variable that the space does not have."""
        series = self.constant(at)
        if self.order > 0:
            series.coefficients[1 + self._index(variable)] = 1.0
        return series

    def _index(self, variable: Variable) -> int:
        if variable not in self.index:
            names = ", ".join(str(v) for v in self.variables[:12])
            raise SeriesError(f"the power series has no variable {variable!r}; it has {names}")
        return self.index[variable]

    def monomial(self, powers: Sequence[Variable]) -> int:
        """Find the index of the monomial of a product of variables. Raises SeriesError beyond the order."""
        if len(powers) > self.order:
            raise SeriesError(f"a coefficient of order {len(powers)} was asked of a power series of order {self.order}")
        factors = np.array([[1 + self._index(v) for v in powers]], dtype=np.int64).reshape(1, len(powers))
        return int(self.monomials.find(factors)[0])

    def substitute(
        self, series: Sequence["TruncatedPowerSeries"], values: Sequence["TruncatedPowerSeries"]
    ) -> list["TruncatedPowerSeries"]:
        """Substitute `values`, one per variable, for the variables in each of `series`.

        Values should have a constant part of 0, except those of knobs that stay unchanged; else terms beyond the order
        are missing. The result is in the space of `values`.
        """
        space = values[0].space
        sums = [space.constant(s.coefficients[0]) for s in series]
        needed = np.any([s.coefficients != 0.0 for s in series], axis=0)
        for powers in range(self.order, 1, -1):  # each product is built on that of all but its last factor
            rows = self.monomials.factors[needed & (self.monomials.degree == powers)]
            if rows.size:
                needed[self.monomials.find(rows[:, self.order - powers : -1])] = True
        products: dict[int, TruncatedPowerSeries] = {}
        for number in np.flatnonzero(needed[1:]).tolist():
            number += 1
            factors = self.monomials.factors[number]
            power = values[int(factors[-1]) - 1]
            degree = int(self.monomials.degree[number])
            if degree > 1:
                lower = int(self.monomials.find(factors[None, self.order - degree : -1])[0])
                power = products[lower] * power
            products[number] = power
            for i, one in enumerate(series):
                if one.coefficients[number] != 0.0:
                    sums[i] = sums[i] + power * one.coefficients[number].item()
        return sums


class TruncatedPowerSeries:
    """A polynomial in the variables of its space; terms beyond the order are dropped.

    `coefficients` (m,) are Taylor coefficients, not derivatives, in the order of the space's monomials.
    """

    __slots__ = ("coefficients", "space")

    #: Make numpy leave the arithmetic to this class.
    __array_ufunc__ = None

    def __init__(self, space: TpsSpace, coefficients: Coefficients) -> None:
        self.space = space
        self.coefficients = coefficients

    def __repr__(self) -> str:
        return f"<series of order {self.space.order} about {self.constant:g}>"

    @property
    def constant(self) -> Any:
        """The value where all variables are 0."""
        return self.coefficients[0].item()

    def coefficient(self, *powers: Variable) -> Any:
        """Return the coefficient of a product of variables, such as `coefficient("x", "x", ("Q1", "k1"))`.

        Without variables it is the constant.
        """
        return self.coefficients[self.space.monomial(powers)].item()

    def linear(self) -> Coefficients:
        """Return the coefficients (n,) of order 1, in the order of the variables."""
        return self.coefficients[1 : 1 + len(self.space.variables)]

    def __call__(self, point: Sequence[float]) -> Any:
        """Evaluate the series at a point, one number per variable."""
        table = np.concatenate([[1.0], np.asarray(point, dtype=float)])
        powers = np.prod(table[self.space.monomials.factors], axis=1)
        return (powers @ self.coefficients).item()

    def derivative(self, variable: Variable) -> "TruncatedPowerSeries":
        """Differentiate with respect to a variable; the result is known to one order less."""
        place = 1 + self.space._index(variable)
        monomials = self.space.monomials
        # x^k is x times x^(k-1): k times its coefficient is the derivative's coefficient of x^(k-1)
        pairs = np.flatnonzero(monomials.left == place)
        lower, upper = monomials.right[pairs], monomials.target[pairs]
        result = np.zeros_like(self.coefficients)
        result[lower] = self.coefficients[upper] * np.count_nonzero(monomials.factors[upper] == place, axis=1)
        return TruncatedPowerSeries(self.space, result)

    def _coefficients_of(self, other: "TruncatedPowerSeries") -> Coefficients:
        if other.space is not self.space:
            raise SeriesError("two power series of different spaces meet; make all variables from one TpsSpace")
        return other.coefficients

    def __neg__(self) -> "TruncatedPowerSeries":
        return TruncatedPowerSeries(self.space, -self.coefficients)

    def __add__(self, other: Any) -> "TruncatedPowerSeries":
        if isinstance(other, TruncatedPowerSeries):
            return TruncatedPowerSeries(self.space, self.coefficients + self._coefficients_of(other))
        coefficients = self.coefficients.astype(complex) if isinstance(other, complex) else self.coefficients.copy()
        coefficients[0] += other
        return TruncatedPowerSeries(self.space, coefficients)

    __radd__ = __add__

    def __sub__(self, other: Any) -> "TruncatedPowerSeries":
        if isinstance(other, TruncatedPowerSeries):
            return TruncatedPowerSeries(self.space, self.coefficients - self._coefficients_of(other))
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> "TruncatedPowerSeries":
        return self.__neg__().__add__(other)

    def __mul__(self, other: Any) -> "TruncatedPowerSeries":
        if not isinstance(other, TruncatedPowerSeries):
            return TruncatedPowerSeries(self.space, self.coefficients * other)
        m = self.space.monomials
        products = self.coefficients[m.left] * self._coefficients_of(other)[m.right]
        if products.dtype.kind == "c":
            real = np.bincount(m.target, products.real, self.space.size)
            return TruncatedPowerSeries(self.space, real + 1j * np.bincount(m.target, products.imag, self.space.size))
        return TruncatedPowerSeries(self.space, np.bincount(m.target, products, self.space.size))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "TruncatedPowerSeries":
        if isinstance(other, TruncatedPowerSeries):
            return self * reciprocal(other)
        return TruncatedPowerSeries(self.space, self.coefficients / other)

    def __rtruediv__(self, other: Any) -> "TruncatedPowerSeries":
        return reciprocal(self).__mul__(other)

    def __pow__(self, power: int) -> "TruncatedPowerSeries":
        base = self if power >= 0 else reciprocal(self)
        result = self.space.constant(1.0)
        for _ in range(abs(power)):
            result = result * base
        return result


def taylor(series: TruncatedPowerSeries, terms: Sequence[float]) -> TruncatedPowerSeries:
    """Compute sum terms[n] h^n, where h is the series without its constant, so that powers beyond the order vanish."""
    rest = series - series.constant
    result = series.space.constant(terms[series.space.order])
    for term in reversed(terms[: series.space.order]):
        result = result * rest + term
    return result


def reciprocal(series: TruncatedPowerSeries) -> TruncatedPowerSeries:
    """Compute 1 / series. Raises ZeroDivisionError when its constant part is 0."""
    inverse = 1.0 / series.constant
    return taylor(series, [(-1.0) ** n * inverse ** (n + 1) for n in range(MAX_ORDER + 1)])


def sqrt(series: TruncatedPowerSeries) -> TruncatedPowerSeries:
    """Square root. Raises ValueError unless the constant part is positive."""
    if not series.constant > 0.0:
        raise ValueError(f"the square root of a power series about {series.constant:g} has no derivatives")
    terms = [math.sqrt(series.constant)]
    for n in range(MAX_ORDER):
        terms.append(terms[-1] * (0.5 - n) / (n + 1) / series.constant)
    return taylor(series, terms)


def sin(series: TruncatedPowerSeries) -> TruncatedPowerSeries:
    """Sine."""
    s, c = math.sin(series.constant), math.cos(series.constant)
    return taylor(series, [s, c, -s / 2.0, -c / 6.0, s / 24.0])


def cos(series: TruncatedPowerSeries) -> TruncatedPowerSeries:
    """Cosine."""
    s, c = math.sin(series.constant), math.cos(series.constant)
    return taylor(series, [c, -s, -c / 2.0, s / 6.0, c / 24.0])


def tan(series: TruncatedPowerSeries) -> TruncatedPowerSeries:
    """Tangent."""
    return sin(series) / cos(series)


def acos(series: TruncatedPowerSeries) -> TruncatedPowerSeries:
    """Arc cosine between 0 and pi, by Newton's method. Raises ValueError unless the constant part is within +-1."""
    angle = series.space.constant(math.acos(series.constant))
    for _ in range(3):  # correct to orders 1, 3 and 7
        angle = angle + (cos(angle) - series) / sin(angle)
    return angle
