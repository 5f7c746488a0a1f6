"""Properties of the decision: it fails closed whatever it is given, and tighter limits never accept more."""

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from gnomon.recorder.gating import ApprovedStep, Code, GateCommand, History, Verdict, decide
from unit.recorder.gating.corruptions import CORRUPTIONS, Corruption
from unit.recorder.gating.situations import KEY, NOW_NS, NOW_S, Case, accepted_case, limits_with, reading_at, step_of

QUICK = settings(max_examples=40, deadline=None)
ANY = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip


@QUICK
@given(st.lists(st.sampled_from(CORRUPTIONS[:-1]), min_size=2, max_size=3))
def test_a_case_with_several_corruptions_is_refused(corruptions: list[Corruption]) -> None:
    case = accepted_case()
    for corruption in corruptions:
        if case.limits is None or case.predictor is None:
            break
        try:
            case = corruption.spoil(case)
        except (AttributeError, KeyError, TypeError):  # spoilt too far to be spoilt once more
            break
    assert not case.decide().accepted


@QUICK
@given(st.floats(min_value=-10.0, max_value=10.0).filter(lambda v: not 0.2 <= v <= 0.4 + 1e-6))
def test_every_target_off_the_approved_way_is_refused(target: float) -> None:
    assert Code.NOT_APPROVED in {reason.code for reason in accepted_case().with_step(target=target).decide().reasons}


@QUICK
@given(st.sampled_from(("P:H2:set", "P:H2:rdbk")), st.floats(allow_nan=True).filter(lambda v: not abs(v - 1.0) <= 1e-3))
def test_every_other_value_of_the_start_state_is_refused(name: str, value: float) -> None:
    assert not accepted_case().with_pv(name, value=value).decide().accepted


PARTS = st.floats(min_value=-3.0, max_value=3.0).filter(lambda part: abs(part) > 0.1001)
WIDE = {"baseline.share": 0.05}


def case_after_a_step_of_another_pv(size: float) -> Case:
    """The accepted case, in which P:H2 was stepped before, with a baseline that allows 1 A: far more than the step."""
    case = accepted_case().with_limits(WIDE)
    step = replace(step_of(1.0, 1.0 + size), pv="P:H2:set", readback="P:H2:rdbk")
    command = GateCommand(step, {("H2", "current"): (1.0, 1.0 + size)}, "steerer", number=0)
    history = replace(case.history.sent(command, case.authority.approved, NOW_S - 5.0), number=1, reached=np.nan)
    for name in ("P:H2:set", "P:H2:rdbk"):
        case = case.with_pv(name, value=1.0 + size)
    return replace(case, history=history)


@QUICK
@given(st.floats(min_value=1e-4, max_value=1.0), PARTS, st.sampled_from(("P:H2:set", "P:H2:rdbk")))
def test_a_foreign_write_of_a_part_of_an_earlier_step_is_refused_in_the_widest_baseline(
    size: float, part: float, name: str
) -> None:
    case = case_after_a_step_of_another_pv(size)
    assert case.decide().accepted
    spoilt = case.with_pv(name, value=1.0 + size + part * size)
    assert Code.FOREIGN_WRITE in {reason.code for reason in spoilt.decide().reasons}


@QUICK
@given(st.floats(min_value=1e-4, max_value=1.0), PARTS)
def test_a_foreign_write_of_a_part_of_a_later_step_is_refused_in_the_widest_baseline(size: float, part: float) -> None:
    case = accepted_case().with_limits(WIDE)
    steps = case.authority.approved.steps
    assert steps is not None
    case = case.with_approved(steps=(*steps, ApprovedStep("P:H2:set", "A", 1.0, 1.0 + size)))
    assert case.decide().accepted
    assert Code.FOREIGN_WRITE in {r.code for r in case.with_pv("P:H2:set", value=1.0 + part * size).decide().reasons}


def test_noise_of_a_readback_that_a_large_step_allowed_is_no_foreign_write_after_a_small_one() -> None:
    case = case_after_a_step_of_another_pv(0.5)
    command = GateCommand(
        replace(step_of(1.5, 1.501), pv="P:H2:set", readback="P:H2:rdbk"), {("H2", "current"): (1.5, 1.501)}, "steerer"
    )
    history = case.history.sent(command, case.authority.approved, NOW_S - 4.0)
    case = replace(case, history=replace(history, number=1, reached=np.nan))
    case = case.with_pv("P:H2:set", value=1.501).with_pv("P:H2:rdbk", value=1.51)
    assert case.decide().accepted
    assert not case.with_pv("P:H2:set", value=1.51).decide().accepted


@QUICK
@given(st.floats(min_value=2.001, max_value=1e6), st.booleans())
def test_an_old_time_stamp_is_that_of_a_setpoint_and_never_of_a_reading(age_s: float, orbit: bool) -> None:
    case, stamp_ns = accepted_case(), NOW_NS - round(age_s * 1e9)
    assert case.with_pv("P:H1:set", stamp_ns=stamp_ns).decide().accepted
    old = case.with_reading(time_ns=stamp_ns) if orbit else case.with_pv("P:M0:x", stamp_ns=stamp_ns)
    assert Code.STALE in {reason.code for reason in old.decide().reasons}


@QUICK
@given(st.integers(min_value=-(10**19), max_value=10**19))
def test_every_wall_clock_that_is_not_that_of_the_running_time_is_refused(now_ns: int) -> None:
    if abs(now_ns - NOW_NS) > 10**9:
        assert not accepted_case().with_state(now_ns=now_ns).decide().accepted


@QUICK
@given(st.floats(allow_nan=True))
def test_every_running_time_that_is_not_that_of_the_wall_clock_is_refused(monotonic_s: float) -> None:
    if not abs(monotonic_s - NOW_S) <= 1.0:
        assert not accepted_case().with_state(monotonic_s=monotonic_s).decide().accepted


PLACES = ("step", "changes", "family", "number", "scale", "moves")
STATE = ("pvs", "settings", "reading", "now_ns", "monotonic_s")


@QUICK
@given(st.sampled_from((*PLACES, *STATE)), ANY)
def test_nonsense_in_any_place_never_raises_and_is_never_accepted(place: str, nonsense: Any) -> None:
    case = accepted_case()
    harmless = {"family", "moves", "scale", "number", "now_ns", "monotonic_s"}
    spoilt = case.with_command(**{place: nonsense}) if place in PLACES else case.with_state(**{place: nonsense})
    verdict = spoilt.decide()
    assert isinstance(verdict, Verdict)
    if place not in harmless:
        assert not verdict.accepted


@QUICK
@given(ANY, ANY, ANY, ANY, ANY)
def test_nonsense_everywhere_is_refused(a: Any, b: Any, c: Any, d: Any, e: Any) -> None:
    verdict = decide(a, b, c, limits_with(), d, e)
    assert not verdict.accepted
    assert verdict.reasons


TIGHTER = {
    "orbit.x_mm": 0.5, "orbit.rms_x_mm": 0.3, "orbit.absolute_x_mm": 1.0, "sources.x_mm": 0.5, "tunes.max_change": 0.02,
    "optics.beta_beating_percent": 10.0, "optics.coupling": 0.02, "settings.0.max_step": 1.0,
    "settings.0.max_rate": 1.0, "settings.0.max_total": 1.5, "settings.0.high": 2.0, "trust_region.start": 0.5,
    "fresh.max_age_s": 2.0, "fresh.max_skew_s": 1.0, "baseline.orbit_mm": 0.1,
}  # fmt: skip


@QUICK
@given(
    st.sampled_from(sorted(TIGHTER)), st.floats(min_value=0.01, max_value=1.5),
    st.floats(min_value=0.01, max_value=1.0), st.floats(min_value=-1.0, max_value=1.0),
)  # fmt: skip
def test_tighter_limits_never_accept_more(name: str, factor: float, tighter: float, target: float) -> None:
    smallest = {"trust_region.smallest": 1e-5}
    loose = limits_with(
        smallest | {name: min(1.0, TIGHTER[name] * factor) if "start" in name else TIGHTER[name] * factor}
    )
    tight = limits_with(smallest | {name: loose_value(loose, name) * tighter})
    case = accepted_case().with_approved(steps=None, pvs=frozenset({"P:H1:set"}))
    case = replace(case, command=GateCommand(step_of(0.2, target), {KEY: (0.2, target)}, "steerer"))
    if replace(case, limits=tight).decide().accepted:
        assert replace(case, limits=loose).decide().accepted


def loose_value(limits: Any, name: str) -> float:
    value: Any = limits.document
    for part in name.split("."):
        value = value[int(part)] if part.isdecimal() else getattr(value, part)
    return float(value)


@QUICK
@given(st.floats(min_value=0.5, max_value=20.0), st.floats(min_value=1.0, max_value=10.0))
def test_wider_bands_never_accept_more(widen: float, more: float) -> None:
    case = accepted_case()
    if case.with_predictor(widen=widen * more).decide().accepted:
        assert case.with_predictor(widen=widen).decide().accepted


@QUICK
@given(st.lists(st.floats(min_value=0.01, max_value=0.4), min_size=1, max_size=20))
def test_steps_that_creep_are_refused_before_they_have_gone_too_far(sizes: list[float]) -> None:
    case = accepted_case().with_approved(steps=None, pvs=frozenset({"P:H1:set"}))
    at, history = 0.0, History()
    for size in sizes:
        reading = reading_at(at)
        step = GateCommand(step_of(at, at + size), {KEY: (at, at + size)}, "steerer")
        pvs = {name: replace(case.state.pvs[name], value=at if "H1" in name else 1.0) for name in case.state.pvs}
        moved = replace(case, command=step, history=history)
        moved = moved.with_state(pvs=pvs, settings=dict(case.state.settings) | {KEY: at}, reading=reading)
        if not moved.decide().accepted:
            break
        history = history.sent(step, case.authority.approved, NOW_S - 10.0)
        at += size
    assert at <= 1.5
    assert np.abs(reading_at(at).orbit).max() <= 0.5 - 0.05
