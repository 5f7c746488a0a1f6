"""Conversions of current and field, against closed formulas and their own inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.lattice import LatticeError, RefusedValue
from gnomon.lattice.conversions import Linear, Polynomial, Table

SATURATING = Polynomial((0.02, 0.06, 0.0, -1e-8), 0.0, 400.0)
MEASURED = Table((0.0, 100.0, 200.0, 300.0), (0.1, 6.3, 12.2, 16.9))


def test_linear_conversion_is_slope_and_intercept() -> None:
    assert Linear(0.5, 2.0).field(10.0) == 7.0
    assert Linear(-0.5, 2.0).current(7.0) == -10.0


def test_polynomial_conversion_evaluates_its_coefficients() -> None:
    assert SATURATING.field(100.0) == pytest.approx(0.02 + 6.0 - 0.01, rel=1e-15)


def test_table_conversion_goes_through_its_points() -> None:
    assert [MEASURED.field(i) for i in MEASURED.currents] == list(MEASURED.fields)
    assert [MEASURED.current(f) for f in MEASURED.fields] == list(MEASURED.currents)


@given(st.floats(0.0, 400.0))
def test_polynomial_current_undoes_field(current: float) -> None:
    assert SATURATING.current(SATURATING.field(current)) == pytest.approx(current, abs=1e-9)


@given(st.floats(0.0, 300.0))
def test_table_current_undoes_field(current: float) -> None:
    assert MEASURED.current(MEASURED.field(current)) == pytest.approx(current, abs=1e-9)


@given(st.floats(0.0, 299.0), st.floats(0.001, 1.0))
def test_table_is_monotone_between_its_points(current: float, step: float) -> None:
    assert MEASURED.field(current + step) > MEASURED.field(current)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("conversion", [Linear(1.0), SATURATING, MEASURED])
def test_values_that_are_not_finite_are_refused_both_ways(
    conversion: Linear | Polynomial | Table, value: float
) -> None:
    with pytest.raises(RefusedValue, match="not a finite number"):
        conversion.field(value)
    with pytest.raises(RefusedValue, match="not a finite number"):
        conversion.current(value)


@pytest.mark.parametrize("conversion", [SATURATING, MEASURED])
def test_out_of_range_is_refused_with_value_unit_and_limit(conversion: Polynomial | Table) -> None:
    with pytest.raises(RefusedValue, match=r"current 1000 A is outside its conversion's range 0 to [34]00 A"):
        conversion.field(1000.0)
    with pytest.raises(RefusedValue, match=r"field -5 T/m\^n is outside"):
        conversion.current(-5.0)


def test_a_polynomial_that_turns_in_its_range_is_refused() -> None:
    with pytest.raises(LatticeError, match="turns at 50 A"):
        Polynomial((0.0, 1.0, -0.01), 0.0, 100.0)


def test_a_polynomial_over_an_empty_range_is_refused() -> None:
    for low, high in ((5.0, 5.0), (5.0, 1.0)):
        with pytest.raises(LatticeError, match=f"range {low} to {high} A is empty"):
            Polynomial((0.0, 1.0), low, high)


@pytest.mark.parametrize(("low", "high"), [(0.0, 20.0), (10.0, 20.0), (-20.0, -10.0), (-20.0, 0.0)])
def test_a_parabola_is_inverted_within_its_range(low: float, high: float) -> None:
    """It may turn at the very end of its range."""
    parabola = Polynomial((1.0, 0.0, 0.5), low, high)
    for current in (low, 0.75 * low + 0.25 * high, high):
        assert parabola.current(1.0 + 0.5 * current**2) == pytest.approx(current, abs=1e-9)


def test_fields_that_fall_with_the_current_are_inverted_too() -> None:
    falling = Table((0.0, 10.0, 20.0), (5.0, 3.0, -1.0))
    assert falling.current(falling.field(12.5)) == pytest.approx(12.5, abs=1e-9)
    line = Polynomial((5.0, -0.25), 0.0, 20.0)
    assert line.current(1.0) == pytest.approx(16.0, abs=1e-9)


@pytest.mark.parametrize(
    ("currents", "fields", "reason"),
    [
        ((0.0, 1.0), (0.0,), "as many fields as currents"),
        ((0.0, 0.0), (0.0, 1.0), "currents must rise"),
        ((0.0, 1.0, 2.0), (0.0, 1.0, 0.5), "fields must rise, or fall"),
    ],
)
def test_a_table_that_cannot_be_inverted_is_refused(
    currents: tuple[float, ...], fields: tuple[float, ...], reason: str
) -> None:
    with pytest.raises(LatticeError, match=reason):
        Table(currents, fields)


def test_a_slope_of_zero_is_refused() -> None:
    with pytest.raises(LatticeError, match="slope is 0"):
        Linear(0.0)


@pytest.mark.parametrize("conversion", [Linear(0.06, 0.02), SATURATING, MEASURED])
@pytest.mark.parametrize("current", [10.0, 150.0, 260.0])
def test_derivative_is_that_of_the_field(conversion: Linear | Polynomial | Table, current: float) -> None:
    step = 1e-3
    there = (conversion.field(current + step) - conversion.field(current - step)) / (2.0 * step)
    assert conversion.derivative(current) == pytest.approx(there, rel=1e-7)


@pytest.mark.parametrize("conversion", [Linear(1.0), SATURATING, MEASURED])
def test_derivative_is_refused_where_the_field_is(conversion: Linear | Polynomial | Table) -> None:
    with pytest.raises(RefusedValue, match="not a finite number"):
        conversion.derivative(float("nan"))
