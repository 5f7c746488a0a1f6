from dataclasses import replace
from math import inf, nan

import pytest

from gnomon.recorder.gate import (
    GateLimits,
    check_prediction,
    check_start,
    check_state,
    check_step,
    equal,
    judge,
    smallest_steps,
    tolerance_of,
)
from gnomon.recorder.replay_machine import PvState
from gnomon.recorder.replay_steps import Plan, Prediction, Start
from unit.recorder.fake_machine import step

LIMITS = GateLimits(max_step=0.1, tolerance=1e-3)
NAN2 = (nan, nan)
FINE = Prediction(True, "", (0.1, 0.0), (0.1, 0.0), (0.0, 0.0))
LOST = Prediction(False, "no beam after it: no orbit", NAN2, NAN2, NAN2)
DRIVE = (0.0, 100.0)


def test_a_step_within_all_limits_is_accepted() -> None:
    assert not check_step(step("Q", 50.0, 60.0), DRIVE, LIMITS)
    assert not check_step(step("Q", 60.0, 50.0), DRIVE, LIMITS)
    assert not check_step(step("Q", 50.0, 50.0), DRIVE, LIMITS)


@pytest.mark.parametrize("drive", [None, (0.0, 0.0), (5.0, 1.0), (nan, 100.0), (0.0, nan), (nan, nan)])
def test_missing_limits_refuse(drive: tuple[float, float] | None) -> None:
    assert "no drive limits" in check_step(step("Q", 50.0, 51.0), drive, LIMITS)[0]


def test_a_target_outside_either_limits_is_refused_with_values_and_unit() -> None:
    (reason,) = check_step(step("Q", 50.0, 55.0), (0.0, 54.0), GateLimits(max_step=1.0))
    assert "target 55 A is outside the machine's limits 0 to 54 A" in reason
    (reason,) = check_step(step("Q", 50.0, 55.0, high=54.0), DRIVE, GateLimits(max_step=1.0))
    assert "machine document's limits 0 to 54 A" in reason


def test_a_step_that_is_too_large_is_refused() -> None:
    (reason,) = check_step(step("Q", 50.0, 60.1), DRIVE, LIMITS)
    assert "10.1 A is more than 0.1 of the drive range (10 A)" in reason
    assert check_step(step("Q", 50.0, 54.0, low=40.0, high=70.0), DRIVE, LIMITS)


def test_the_largest_step_is_a_share_of_the_range_not_of_its_upper_end() -> None:
    (reason,) = check_step(step("Q", 50.0, 52.1), (40.0, 60.0), LIMITS)
    assert "2.1 A is more than 0.1 of the drive range (2 A)" in reason
    assert not check_step(step("Q", 50.0, 52.0), (40.0, 60.0), LIMITS)


def test_a_step_that_a_readback_cannot_show_is_refused() -> None:
    (reason,) = check_step(step("Q", 50.0, 50.0 + 5e-8), DRIVE, LIMITS)
    assert "command 1, Q:set: a step of 5e-08 A is too small to be verified by its readback" in reason
    assert not check_step(step("Q", 50.0, 50.0 + 2e-7), DRIVE, LIMITS)


def test_a_step_to_where_a_pv_stands_does_not_count_among_its_smallest() -> None:
    steps = (step("Q", 50.0, 50.0), step("Q", 50.0, 52.0), step("Q", 52.0, 51.0))
    assert smallest_steps(Plan(steps, (FINE,) * 3, ())) == {"Q:set": 1.0, "Q:rdbk": 1.0}


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_values_and_limits_that_are_not_finite_are_refused(value: float) -> None:
    assert check_step(step("Q", 50.0, value), DRIVE, GateLimits(max_step=1.0))
    assert check_step(step("Q", value, 50.0), DRIVE, GateLimits(max_step=1.0))
    assert check_state("Q", PvState(value, 0))
    assert check_step(step("Q", 50.0, 51.0), DRIVE, GateLimits(max_step=nan))
    assert check_start(Start("Q", "A", value, 100.0), PvState(1.0, 0), 0.1)
    assert check_start(Start("Q", "A", 1.0, 100.0), PvState(1.0, 0), nan)


@pytest.mark.parametrize(("severity", "refused"), [(0, False), (1, False), (2, False), (3, True), (4, True)])
def test_a_value_that_is_invalid_refuses(severity: int, refused: bool) -> None:
    assert bool(check_state("Q", PvState(1.0, severity))) == refused


def test_an_unknown_value_refuses() -> None:
    assert check_state("Q", None)
    assert check_start(Start("Q", "A", 1.0, 100.0), None, 0.1)


def test_a_start_that_is_invalid_is_refused_though_its_value_is_right() -> None:
    assert check_start(Start("Q", "A", 1.0, 100.0), PvState(1.0, 3), 0.1) == ["Q: its value is INVALID"]


def test_a_start_elsewhere_is_refused_with_both_values() -> None:
    start = Start("Q:set", "A", 50.0, 100.0)
    assert not check_start(start, PvState(50.09, 0), 0.1)
    (reason,) = check_start(start, PvState(50.2, 0), 0.1)
    assert "Q:set = 50.2 A, but the recording began with 50 A (tolerance 0.1 A)" in reason


def test_values_within_a_tenth_of_the_step_count_as_equal() -> None:
    assert tolerance_of(300.0, 0.14, GateLimits(tolerance=1e-3)) == pytest.approx(0.014)
    assert tolerance_of(300.0, 100.0, GateLimits(tolerance=1e-3)) == pytest.approx(0.3)
    assert tolerance_of(300.0, 0.0, GateLimits(tolerance=1e-3)) == pytest.approx(0.3)


def test_a_small_step_that_was_not_made_does_not_count_as_made() -> None:
    small = step("Q", 50.0, 50.05)
    assert not equal(50.0, small.target, small, GateLimits(tolerance=1e-3))
    assert equal(50.049, small.target, small, GateLimits(tolerance=1e-3))


def test_a_touched_pv_must_stand_at_the_start_to_a_tenth_of_its_smallest_step() -> None:
    small = step("Q", 50.0, 50.05)
    plan = Plan((small,), (FINE,), (Start("Q:set", "A", 50.0, 100.0),))
    states = {"Q:set": PvState(50.02, 0)}
    reasons = judge(plan, states, {"Q:set": (0.0, 100.0)}, GateLimits(tolerance=1e-3)).reasons
    assert any("the recording began with 50 A (tolerance 0.005 A)" in reason for reason in reasons)


def test_a_step_into_a_lost_beam_is_refused() -> None:
    assert check_prediction(step("Q", 1.0, 2.0), FINE) == []
    assert "no orbit" in check_prediction(step("Q", 1.0, 2.0), LOST)[0]


def test_all_reasons_are_kept() -> None:
    bad = step("Q", 50.0, 90.0)
    plan = Plan((bad, replace(bad, pv="R:set")), (FINE, LOST), (Start("S:set", "A", 1.0, 10.0),))
    states = {"Q:set": PvState(50.0, 3), "R:set": PvState(50.0, 0), "S:set": PvState(2.0, 0)}
    verdict = judge(plan, states, {"Q:set": DRIVE, "R:set": (0.0, 0.0)}, LIMITS)
    assert not verdict.accepted
    assert [r.split(":")[0].split(" ")[-1] for r in verdict.reasons] == ["S", "Q", "Q", "R", "R"]
