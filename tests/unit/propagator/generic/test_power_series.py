"""Power series are what the Taylor expansion of the same formula is."""

import math
import tracemalloc
from typing import Any

import pytest
import sympy

from gnomon.propagator.generic import SeriesError, TpsSpace, TruncatedPowerSeries, power_series
from gnomon.propagator.generic.monomials import Monomials, memory_needed


def expansion(expression: Any, symbols: list[Any], order: int) -> dict[tuple[int, ...], float]:
    """sympy's Taylor coefficients by powers."""
    t = sympy.symbols("t")
    scaled = sympy.series(expression.subs({s: t * s for s in symbols}, simultaneous=True), t, 0, order + 1).removeO()
    return {k: float(c) for k, c in sympy.Poly(sympy.expand(scaled).subs(t, 1), *symbols).terms()}


@pytest.mark.parametrize("order", [1, 2, 3, pytest.param(4, marks=pytest.mark.slow(2))])
def test_arithmetic_and_functions_are_the_taylor_expansion(order: int) -> None:
    space = TpsSpace(order, ("x", "y", ("Q", "k1")))
    x, y, k = (space.variable(v) for v in space.variables)
    a, b, c = sympy.symbols("a b c")

    def formula(x: Any, y: Any, k: Any, f: Any) -> Any:
        return (2 - x * y + k) / (1 + x + 3 * k) + f.sin(1 + y - k) * f.sqrt(2 + x) - f.tan(x + y * y) / 3 + f.cos(k)

    series = formula(x, y, k, power_series)
    expected = expansion(formula(a, b, c, sympy), [a, b, c], order)
    checked = 0
    for powers, value in expected.items():
        names = [v for v, n in zip(space.variables, powers, strict=True) for _ in range(n)]
        assert series.coefficient(*names) == pytest.approx(value, abs=1e-14)
        checked += 1
    assert checked == space.size


def test_arc_cosine_inverts_the_cosine() -> None:
    space = TpsSpace(4, ("x", "y"))
    angle = space.variable("x", 1.2) + space.variable("y") * space.variable("x") * 0.3
    assert power_series.acos(power_series.cos(angle)).coefficients == pytest.approx(angle.coefficients, abs=1e-14)


def test_powers_derivatives_values_and_substitution() -> None:
    space = TpsSpace(4, ("x", "y"))
    x, y = space.variable("x"), space.variable("y")
    cubic = x**3 * y + 2.0 * x * y - 1.0
    assert cubic((0.5, 2.0)) == pytest.approx(0.25 + 2.0 - 1.0)
    assert cubic.derivative("x")((0.5, 2.0)) == pytest.approx(3 * 0.25 * 2.0 + 4.0)
    assert ((1.0 + x) ** -2).coefficient("x", "x") == pytest.approx(3.0)
    (swapped,) = space.substitute([cubic], [y + x * x, 2.0 * x])
    expected = (y + x * x) ** 3 * (2.0 * x) + 2.0 * (y + x * x) * (2.0 * x) - 1.0
    assert swapped.coefficients == pytest.approx(expected.coefficients)


def test_a_complex_series_multiplies() -> None:
    space = TpsSpace(2, ("x",))
    z = space.variable("x") * 1j + (2.0 - 1j)
    assert (z * z).coefficient("x", "x") == -1.0
    assert (z * z).coefficient("x") == 2j * (2.0 - 1j)


def test_many_variables_at_first_order_are_cheap() -> None:
    space = TpsSpace(1, [f"v{i}" for i in range(1500)])
    product = space.variable("v3", 2.0) * space.variable("v1499", 5.0)
    assert product.coefficient("v3") == 5.0
    assert product.coefficient("v1499") == 2.0


def test_more_memory_than_allowed_is_refused_with_the_numbers() -> None:
    with pytest.raises(
        SeriesError,
        match=r"order 4 in 156 variables has 26294360 coef.* need \d+ MB of 1000 MB allowed; choose a lower",
    ):
        TpsSpace(4, range(156))  # type: ignore[arg-type]
    with pytest.raises(SeriesError, match=r"need \d+ MB of 0.01 MB allowed"):
        TpsSpace(3, ("x", "px", "y"), memory_mb=0.01)


def test_the_estimate_of_the_memory_is_not_exceeded() -> None:
    for variables, order in ((3000, 1), (150, 2), (20, 3), (9, 4)):
        tracemalloc.start()
        Monomials(variables, order)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < memory_needed(variables, order) < 20 * peak


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda s: TpsSpace(5, ("x",)), "order 5 of a power series is outside 0 to 4"),
        (lambda s: TpsSpace(-1, ("x",)), "order -1"),
        (lambda s: TpsSpace(1, ("x", "x")), "'x' of a power series is given twice"),
        (lambda s: s.variable("z"), "no variable 'z'; it has x"),
        (lambda s: s.variable("x").coefficient("x", "x", "x"), "order 3 was asked of a power series of order 2"),
        (lambda s: s.variable("x") * TpsSpace(2, ("x",)).variable("x"), "different spaces"),
    ],
)
def test_impossible_spaces_variables_and_products_are_refused(make: Any, text: str) -> None:
    with pytest.raises(SeriesError, match=text):
        make(TpsSpace(2, ("x", "y")))


def test_order_zero_is_a_number() -> None:
    space = TpsSpace(0, ("x",))
    assert (space.variable("x", 3.0) * 2 / space.constant(4.0)).constant == 1.5
    assert isinstance(power_series.sin(space.constant(1.0)), TruncatedPowerSeries)
    assert power_series.sin(space.constant(1.0)).constant == math.sin(1.0)
