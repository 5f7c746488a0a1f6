"""The judgement after a step."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gnomon.recorder.bounds import Band, Reading
from gnomon.recorder.gating import Code, Cusum, History, Outcome, Reason, TrustRegion, assess
from unit.recorder.gating.situations import HALF, accepted_case, limits_with, reading_at

BEFORE = reading_at(0.2)


def band() -> Band:
    verdict = accepted_case().decide()
    assert verdict.band is not None
    return verdict.band


def after(shares: dict[int, float] | None = None, **changed: float) -> Reading:
    """The reading as expected, apart from monitors (x, by number) that are some half widths beside it."""
    reading = reading_at(0.4, **changed)
    orbit = reading.orbit.copy()
    for number, share in (shares or {}).items():
        orbit[number, 0] += share * HALF[number]
    return replace(reading, orbit=orbit)


def judged(reading: Reading, history: History | None = None, changed: dict[str, object] | None = None) -> Outcome:
    return assess("steerer", band(), BEFORE, reading, limits_with(changed), history or History())


def test_a_step_that_came_as_predicted_is_a_hit() -> None:
    outcome = judged(after({1: 0.5}))
    assert outcome.reasons == ()
    assert outcome.share == pytest.approx(0.5)
    assert outcome.hit
    assert outcome.history.hits == 1
    assert judged(after(), outcome.history).history.regions["steerer"].size == 1.0, "it doubles after two hits"


def test_a_near_miss_halves_the_trust_region_and_goes_on() -> None:
    outcome = judged(after({1: 0.95}))
    assert outcome.reasons == ()
    assert not outcome.hit
    assert outcome.history.misses == 1
    assert outcome.history.regions["steerer"] == TrustRegion(0.25, 0.05, 2)


def test_a_miss_beyond_the_stop_band_stops_and_names_the_worst_monitor() -> None:
    outcome = judged(after({0: 1.3, 2: -2.0}))
    (reason,) = outcome.reasons
    assert reason.code is Code.MISSED_BAND
    assert "orbit_x:M2 is -0.26 mm after the step, expected were -0.21 to -0.11, and 1 more" in reason.text


@pytest.mark.parametrize("name", ["orbit", "tune"])
def test_a_reading_that_is_not_shown_any_more_stops(name: str) -> None:
    reading = after()
    outcome = judged(replace(reading, **{name: getattr(reading, name) * math.nan}))
    assert Code.MISSED_BAND in {reason.code for reason in outcome.reasons}
    assert outcome.share == math.inf


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"current_ma": 85.0}, Code.CURRENT),
        ({"current_ma": 0.0}, Code.CURRENT),
        ({"current_ma": math.nan}, Code.CURRENT),
        ({"lifetime_h": 3.0}, Code.LIFETIME),
        ({"lifetime_h": 0.5}, Code.LIFETIME),
        ({"lifetime_h": math.nan}, Code.LIFETIME),
    ],
)
def test_a_drop_of_current_or_lifetime_stops(changed: dict[str, float], code: Code) -> None:
    assert {reason.code for reason in judged(after({}, **changed)).reasons} == {code}


def test_small_misses_of_one_sign_add_up_to_an_alarm_long_before_one_of_them_stops() -> None:
    history, found = History(), list[tuple[Reason, ...]]()
    while not found or not found[-1]:
        outcome = judged(after({1: 0.5}), history)
        history = outcome.history
        found.append(outcome.reasons)
    assert len(found) == 8, "1.5 standard deviations at each step, of which 0.5 are forgiven"
    assert [reason.code for reason in found[-1]] == [Code.CUSUM]
    assert "orbit_x:M1 has been above the prediction" in found[-1][0].text


def test_sums_of_more_or_fewer_observables_go_on() -> None:
    sums = Cusum.empty().after(np.array([2.0, -2.0]), 0.5).after(np.array([2.0, np.nan, np.nan]), 0.5)
    assert sums.high.tolist() == [3.0, 0.0, 0.0]
    assert sums.after(np.array([1.0]), 0.5).low.tolist() == [0.0, 1.5, 0.0]


def test_misses_of_both_signs_do_not_add_up() -> None:
    history = History()
    for number in range(30):
        outcome = judged(after({1: 0.5 if number % 2 else -0.5}), history)
        assert outcome.reasons == ()
        history = outcome.history


def test_without_a_band_or_with_an_error_nothing_goes_on() -> None:
    limits = limits_with()
    assert assess("steerer", None, BEFORE, after(), limits, History()).reasons[0].code is Code.NO_BOUND
    wrong = replace(after(), orbit=np.zeros((2, 2)))
    outcome = assess("steerer", band(), BEFORE, wrong, limits, History())
    assert outcome.reasons[0].code is Code.FAILED_CHECK
    assert not outcome.hit


def test_a_band_without_width_is_no_measure() -> None:
    narrow = replace(band(), lower=band().expected, upper=band().expected)
    outcome = assess("steerer", narrow, BEFORE, after(), limits_with(), History())
    assert Code.MISSED_BAND in {reason.code for reason in outcome.reasons}


def test_a_wrong_polarity_is_found_after_one_step() -> None:
    outcome = judged(reading_at(0.0))  # the step from 0.2 to 0.4 went the other way
    assert Code.MISSED_BAND in {reason.code for reason in outcome.reasons}
    assert outcome.share > 3.0
