"""Hysteresis: closed values on its branches, and the two laws of Preisach's class, wiping out and congruency."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.fault_injection.dynamics import Hysteresis

CURRENTS = st.floats(-10.0, 10.0)


def iron(remanence: float = 0.02) -> Hysteresis:
    return Hysteresis.of_remanence(np.array([-10.0]), np.array([10.0]), np.array([remanence]))


def along(magnets: Hysteresis, start: float, *currents: float) -> tuple[np.ndarray, float]:
    """The state after a course of currents that begins with a standard cycle, and the error at its end."""
    state = magnets.cycled(np.array([start]))
    for current in currents:
        state = magnets.moved(state, np.array([current]))
    return state, float(magnets.error(state, np.array([(start, *currents)[-1]]))[0])


@given(currents=st.lists(CURRENTS, max_size=5), end=CURRENTS)
def test_the_standard_cycle_makes_the_field_reproducible(currents: list[float], end: float) -> None:
    assert along(iron(), *currents or [0.0], 10.0, end)[1] == pytest.approx(0.0, abs=1e-15)


def test_half_way_up_without_a_cycle_the_error_is_the_stated_remanence() -> None:
    assert along(iron(0.02), 3.0, -10.0, 0.0)[1] == pytest.approx(-0.02, rel=1e-12)


def test_near_the_top_the_branches_meet() -> None:
    errors = [along(iron(0.02), 0.0, -10.0, top)[1] for top in (5.0, 9.0, 9.9, 10.0)]
    assert errors == sorted(errors)
    assert errors[-1] == 0.0


def test_no_remanence_is_no_error() -> None:
    assert along(iron(0.0), 3.0, -8.0, 4.0)[1] == 0.0


@given(start=CURRENTS, outer=CURRENTS, inner=CURRENTS)
def test_a_larger_loop_wipes_out_a_smaller_one(start: float, outer: float, inner: float) -> None:
    low, high = sorted((outer, start))
    inside = min(max(inner, low), high)
    with_loop, _ = along(iron(), start, outer, inside, outer)
    without, _ = along(iron(), start, outer)
    assert with_loop == pytest.approx(without, abs=1e-12)


@given(start=CURRENTS, history=st.lists(CURRENTS, max_size=4))
def test_a_closed_loop_has_the_same_height_whatever_was_before(start: float, history: list[float]) -> None:
    _, up = along(iron(), start, *history, -2.0, 2.0)
    _, down = along(iron(), start, *history, -2.0, 2.0, -2.0)
    _, up_after = along(iron(), 0.0, -2.0, 2.0)
    _, down_after = along(iron(), 0.0, -2.0, 2.0, -2.0)
    assert up - down == pytest.approx(up_after - down_after, abs=1e-12)


@given(currents=st.lists(CURRENTS, min_size=1, max_size=6), remanence=st.floats(0.0, 1.0))
def test_the_error_never_exceeds_the_remanence(currents: list[float], remanence: float) -> None:
    assert abs(along(iron(remanence), *currents)[1]) <= remanence + 1e-12
