"""The record of a step: what was expected, its band, what was measured, and the verdict in words."""

import numpy as np
import pytest

from gnomon.recorder.bounds import Reading
from gnomon.recorder.gating import Code, GateCommand, History, Outcome, Reason, Verdict
from gnomon.recorder.replaying import StepView, record_of
from gnomon.recorder.replaying.step_record import Plane
from unit.recorder.fake_machine import step
from unit.recorder.replaying.simulated_machine import LinearPredictor, monitor_names, steerers

KEY = (steerers()[0].device, "current")
BEFORE = Reading(np.zeros((len(monitor_names()), 2)), np.array([0.2, 0.3]), 5, 100.0, 7.0)
BAND = LinearPredictor().band({KEY: 0.0}, {KEY: 0.1}, BEFORE, coverage=0.99, now_ns=0)
COMMAND = GateCommand(step("A", 10.0, 15.0), {KEY: (0.0, 0.1)}, "steerer")


def view(*codes: Code, measured: bool = False, stop: bool = False) -> StepView:
    verdict = Verdict(tuple(Reason(code, code.value) for code in codes), (BAND,), 0.5)
    if not measured:
        return StepView(0, 2, COMMAND, verdict, BEFORE)
    reasons = (Reason(Code.MISSED_BAND, "missed"),) if stop else ()
    return StepView(0, 2, COMMAND, verdict, BEFORE, BEFORE, Outcome(reasons, History(), 0.25))


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        (view(), "accepted"),
        (view(Code.STALE), "refused"),
        (view(measured=True), "as predicted"),
        (view(measured=True, stop=True), "stopped"),
    ],
)
def test_the_verdict_is_one_word(shown: StepView, verdict: str) -> None:
    assert record_of(shown).verdict == verdict


def test_a_dry_run_leaves_out_the_missing_token_and_nothing_else() -> None:
    shown = view(Code.NOT_ARMED, Code.STALE)
    assert record_of(shown, {Code.NOT_ARMED}).reasons == ("stale",)


def test_planes_have_the_largest_change_half_width_and_miss() -> None:
    plane = Plane("x", "mm", np.zeros(3), np.array([0.1, -0.3, np.nan]), np.array([0.0, -0.4, np.nan]),
                  np.array([0.2, -0.2, np.nan]), np.array([0.15, -0.3, np.nan]))  # fmt: skip
    assert (plane.change, plane.half_width, plane.miss) == pytest.approx((0.3, 0.1, 0.05))
    x, y, tune = record_of(view()).planes
    assert [p.name for p in (x, y, tune)] == ["x", "y", "tune"]
    assert x.before.shape == (len(monitor_names()),)
    assert np.isnan(x.miss)
