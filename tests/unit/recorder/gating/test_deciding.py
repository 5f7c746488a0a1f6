"""The decision: what is refused, by which check, and that nothing is accepted by mistake."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gnomon.recorder.bounds import Band
from gnomon.recorder.gating import CHECKS, Code, GateCommand, History, Rules, TrustRegion, decide, deciding
from unit.recorder.gating.corruptions import CORRUPTIONS, Corruption, first_case
from unit.recorder.gating.situations import (
    AT_ZERO,
    KEY,
    NOW_S,
    SLOPE,
    Case,
    FloatArray,
    accepted_case,
    limits_with,
    step_of,
)

ALONE = [each for each in CORRUPTIONS if each.only]


def codes(case: Case) -> set[Code]:
    return {reason.code for reason in case.decide().reasons}


@pytest.mark.parametrize("case", [accepted_case(), first_case()], ids=["second step", "first step"])
def test_an_approved_step_in_a_healthy_state_is_accepted(case: Case) -> None:
    verdict = case.decide()
    assert verdict.reasons == ()
    assert verdict.accepted
    assert len(verdict.bands) == 3, "before, on the way, after"
    assert 0.0 < verdict.margin < 1.0


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda each: each.name)
def test_one_corrupted_entry_is_refused_with_its_reason(corruption: Corruption) -> None:
    found = corruption.spoil(accepted_case())
    verdict = found.decide()
    assert corruption.code in {reason.code for reason in verdict.reasons}
    assert not verdict.accepted
    assert all(reason.text for reason in verdict.reasons)


@pytest.mark.parametrize("corruption", ALONE, ids=lambda each: each.only)
def test_without_its_check_the_corruption_would_be_accepted(
    corruption: Corruption, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "CHECKS", tuple(c for c in CHECKS if c.__name__ != corruption.only))
    assert corruption.spoil(accepted_case()).decide().accepted


def test_each_check_has_a_corruption_that_it_alone_finds() -> None:
    assert {each.only for each in ALONE} == {check.__name__ for check in CHECKS}


def test_all_reasons_are_kept() -> None:
    case = accepted_case().with_pv("P:H2:rdbk", connected=False).with_reading(current_ma=0.1)
    case = case.with_authority(token_id="")
    assert codes(case) == {Code.NOT_ARMED, Code.DISCONNECTED, Code.CURRENT}


def test_a_dry_run_is_told_that_it_would_be_accepted_if_it_were_armed() -> None:
    dry = accepted_case().with_authority(token_id="").decide()
    assert dry.accepted_if_armed
    assert not dry.accepted


def test_a_check_that_fails_refuses_and_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_nothing(at: object) -> list[object]:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(deciding, "CHECKS", (*CHECKS, check_nothing))
    (reason,) = accepted_case().decide().reasons
    assert reason.code is Code.FAILED_CHECK
    assert reason.text == "check_nothing failed: ZeroDivisionError: by zero"


def test_a_large_step_may_be_made_in_parts_that_go_on_from_each_other() -> None:
    case = accepted_case()
    half = replace(case, command=GateCommand(step_of(0.2, 0.3), {KEY: (0.2, 0.3)}, "steerer", number=1))
    assert half.decide().accepted
    history = half.history.sent(half.command, half.authority.approved, NOW_S)
    again = replace(half, history=history)
    assert Code.NOT_APPROVED in codes(again), "the first half is not sent twice"


def test_an_approval_of_free_commands_names_their_pvs() -> None:
    case = accepted_case().with_approved(steps=None, pvs=frozenset({"P:H1:set"}))
    assert case.decide().accepted
    assert codes(case.with_approved(pvs=frozenset())) == {Code.NOT_APPROVED}


def test_a_pv_that_our_own_steps_moved_is_no_foreign_write() -> None:
    case = accepted_case().with_history(expected={"P:H1:set": 0.2, "P:H1:rdbk": 0.2, "P:H2:set": 1.1})
    assert case.with_pv("P:H2:set", value=1.1).decide().accepted
    assert codes(case) == {Code.FOREIGN_WRITE}


def test_a_limit_that_is_not_checked_is_shown() -> None:
    case = accepted_case().with_limits({"optics.coupling": "not checked", "sources.x_mm": "not checked"})
    verdict = case.with_predictor(widen=1.0).decide()
    assert verdict.accepted
    assert verdict.not_checked == ("sources.x_mm", "optics.coupling")


def test_a_dead_monitor_that_is_allowed_is_left_out_of_the_bounds() -> None:
    orbit = accepted_case().state.reading.orbit.copy()
    orbit[2] = np.nan
    case = accepted_case().with_reading(orbit=orbit).with_limits({"orbit.max_dead_monitors": 1})
    assert case.decide().accepted
    orbit[1] = np.nan
    assert codes(case.with_reading(orbit=orbit)) == {Code.DEAD_MONITORS}


def test_the_way_counts_and_not_only_its_ends() -> None:
    """A band that is wide only half way, as for settings that land one by one."""

    def wide_at(part: float) -> Case:
        def lower(band: Band) -> FloatArray:
            at = (band.expected[6] - 0.846) / 0.002  # the setting, from the tune
            return band.lower - np.where((np.arange(len(band.lower)) < 6) & (abs(at - part) < 1e-6), 1.0, 0.0)

        return accepted_case().with_predictor(spoil={"lower": lower})

    for part, words in ((0.3, "at 50 % of the step"), (0.4, "after the step")):
        texts = [reason.text for reason in wide_at(part).decide().reasons]
        assert any(words in text for text in texts)


def test_a_step_that_brings_the_orbit_back_is_refused_where_its_bounds_begin_outside() -> None:
    orbit = accepted_case().state.reading.orbit.copy()
    orbit[2, 0] = 0.47  # with its bounds beyond 0.5 mm; the step takes 0.08 mm away
    case = accepted_case().with_reading(orbit=orbit).with_limits({"orbit.rms_x_mm": "not checked"})
    (reason,) = case.decide().reasons
    assert reason.code is Code.BOUND_ORBIT_X
    assert reason.text.startswith("orbit_x:M2 before the step: the bounds 0.42 to 0.52 mm leave")


def test_a_band_that_bounds_nothing_gives_its_own_reason_alone() -> None:
    endless = accepted_case().with_predictor(widen=math.inf, distrust=("98 held-out commands are missing",)).decide()
    assert [str(reason) for reason in endless.reasons] == ["98 held-out commands are missing"]
    assert math.isnan(endless.margin)


def test_a_resonance_that_lies_between_start_and_end_is_crossed() -> None:
    """The points that are computed are on both sides of the line, far from it; the way between them is not."""
    case = accepted_case().with_limits({"tunes.max_change": 0.9}).with_reading(tune=np.array([0.6, 0.728]))
    names = ("expected", "lower", "upper")
    steep = {name: lambda band, name=name: _steep_tune(band, getattr(band, name)) for name in names}
    verdict = case.with_predictor(spoil=steep).decide()
    assert all(abs(band.expected[6] - 2.0 / 3.0) > 0.03 for band in verdict.bands)
    assert {reason.code for reason in verdict.reasons} == {Code.RESONANCE}
    assert any("3 Qx = p" in reason.text for reason in verdict.reasons)


def _steep_tune(band: Band, values: FloatArray) -> FloatArray:
    """Move the horizontal tune by 1 per ampere: 0.6 before the step, 0.7 half way, 0.8 after it."""
    setting = (band.expected[0] - AT_ZERO[0]) / SLOPE[0]
    moved = values.copy()
    moved[6] += 0.4 + setting - band.expected[6]
    return moved


def test_several_settings_may_land_in_any_order() -> None:
    case = accepted_case()
    other = ("H2", "current")
    command = replace(case.command, changes={**case.command.changes, other: (1.0, 1.1)})
    verdict = replace(case, command=command).decide()
    assert verdict.accepted
    assert len(verdict.bands) == 7, "before, half way, each of two first and last, after"


def test_the_second_tier_is_asked_for_large_steps_and_near_resonances() -> None:
    plain = accepted_case()
    plain.decide()
    assert plain.predictor is not None
    assert set(plain.predictor.asked) == {1}
    for change in ({"bounds.second_tier_step": 0.1}, {"bounds.second_tier_distance": 0.1}):
        case = accepted_case().with_limits(change)
        verdict = case.decide()
        assert verdict.accepted
        assert verdict.bands[-1].tier == 1, (
            "the first tier is the calibrated one, with which the measurement is compared"
        )
        assert case.predictor is not None
        assert case.predictor.asked.count(2) == 2


def test_a_band_that_touches_a_resonance_is_refused_without_the_second_tier() -> None:
    case = accepted_case().with_limits({"bounds.second_tier_distance": 0.1})
    assert case.limits is not None
    line = case.limits.document.tunes.lines[0]
    on_it = np.array([1.0 / line.x, 0.22]) if not line.y else np.array([0.22, 1.0 / line.y])
    case = replace(case, state=replace(case.state, reading=replace(case.state.reading, tune=on_it % 1.0)))
    verdict = case.decide()
    assert Code.RESONANCE in {reason.code for reason in verdict.reasons}
    assert case.predictor is not None
    assert set(case.predictor.asked) == {1}


def test_a_late_decision_is_refused() -> None:
    case = accepted_case()
    assert case.limits is not None
    rules = Rules(case.limits, case.authority, lambda: NOW_S + 0.5)
    assert rules.decide(case.command, case.state, case.predictor, case.history).accepted
    late = replace(rules, monotonic=lambda: NOW_S + 2.5)
    (reason,) = late.decide(case.command, case.state, case.predictor, case.history).reasons
    assert reason.code is Code.STALE


def test_rules_tell_the_largest_step_and_rate() -> None:
    case = accepted_case()
    assert case.limits is not None
    rules = Rules(case.limits, case.authority)
    assert rules.largest_step(case.command, case.history) == 0.5
    assert rules.largest_step(case.command, History(regions={"steerer": TrustRegion(0.25, 0.1, 2)})) == 0.25
    assert rules.rate("P:H1:set") == 1.0
    assert rules.rate("P:X") == math.inf
    assert rules.stop_band == 1.2
    assert rules.sent(case.command, case.history, NOW_S).number == 2


def test_nothing_is_decided_from_nothing() -> None:
    nothing = None
    verdict = decide(nothing, nothing, nothing, limits_with(), nothing, nothing)  # type: ignore[arg-type]
    assert [reason.code for reason in verdict.reasons] == [Code.FAILED_CHECK]
