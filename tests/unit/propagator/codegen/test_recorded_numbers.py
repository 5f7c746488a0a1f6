"""Recorded numbers: constants are folded, everything is recorded once, and nothing else changes."""

import pytest

from gnomon.propagator.codegen.recorded_numbers import Level, Recorded, Tape, is_operation
from gnomon.propagator.physics.number_types import functions_of, is_zero


@pytest.fixture
def tape() -> Tape:
    return Tape()


def test_constants_are_folded(tape: Tape) -> None:
    x = tape.input("x")
    for same in (x + 0, 0.0 + x, x - 0, 1 * x, x * 1.0, x / 1, -1.0 * -x):
        assert same is x
    for zero in (0 * x, x * 0.0, 0 / x, x - x):
        assert isinstance(zero, float)
        assert zero == 0.0
    assert 0 - x is -x
    assert x + -x is not x
    assert is_operation(x + -(x * x), "-")
    assert is_operation(x - -(x * x), "+")
    assert x + x is 2.0 * x


def test_division_by_a_power_of_two_is_a_product_and_by_others_is_not(tape: Tape) -> None:
    x = tape.input("x")
    assert x / 2 is 0.5 * x
    assert x / -4.0 is -0.25 * x
    assert is_operation(x / 3, "/")
    assert is_operation(x / 0.0, "/")


def test_repeated_arithmetic_is_recorded_once(tape: Tape) -> None:
    x, y = tape.input("x"), tape.input("y")
    assert x * y + 3 is 3 + y * x
    assert x - y is not y - x
    assert x / y is not y / x
    sin = functions_of(x).sin
    assert sin(x * y) is sin(y * x)
    assert x + 1 is not x + 2
    assert tape.input("x") is not x


def test_a_number_changes_as_often_as_the_fastest_of_its_operands(tape: Tape) -> None:
    k, x = tape.input("k"), tape.input("x", Level.LANE)
    assert (k * 2).level == Level.CALL
    assert (k * x).level == Level.LANE
    assert (x * k).operands == (k, x)
    assert (k - x * k).level == Level.LANE


def test_an_assumed_number_is_known_however_it_is_computed(tape: Tape) -> None:
    delta, weight = tape.input("delta"), tape.input("w")
    tape.assume(1 / (1 + delta), weight)
    assert 1.0 / (delta + 1) is weight
    assert 2 * (1 / (1.0 + delta)) is weight * 2


def test_a_recorded_number_is_never_a_plain_zero(tape: Tape) -> None:
    x = tape.input("x")
    assert isinstance(x, Recorded)
    assert not is_zero(x)
    assert not is_zero(x * 2)
