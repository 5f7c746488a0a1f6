"""Codes of reasons, histories, trust regions and cumulative sums."""

import math

import numpy as np
import pytest

from gnomon.recorder.bounds import Reading
from gnomon.recorder.gating import (
    MEANINGS,
    Approved,
    ApprovedStep,
    Authority,
    Code,
    Cusum,
    GateCommand,
    History,
    Reason,
    TrustRegion,
    Verdict,
    average_run_length,
)
from gnomon.recorder.replay_steps import Step

READING = Reading(np.zeros((2, 2)), np.array([0.85, 0.73]), 0)
APPROVED = Approved("r", "m", "d", "o", (ApprovedStep("P:A:set", "A", 0.0, 1.0),), (), READING)


def command(start: float, target: float) -> GateCommand:
    step = Step(1, 0, "P:A:set", "P:A:rdbk", "A", start, target, target, -10.0, 10.0)
    return GateCommand(step, {("A", "current"): (start, target)}, "steerer", moves={"P:B:set": 7.0})


def test_each_code_has_a_meaning_and_a_remedy() -> None:
    assert set(MEANINGS) == set(Code)
    assert all(m.meaning.endswith(".") and m.remedy for m in MEANINGS.values())


def test_a_verdict_without_reasons_is_accepted_and_one_for_a_dry_run_only_if_armed() -> None:
    dry, stale = Reason(Code.NOT_ARMED, "dry run"), Reason(Code.STALE, "old")
    assert Verdict(()).accepted
    assert Verdict(()).accepted_if_armed
    assert not Verdict((dry,)).accepted
    assert Verdict((dry,)).accepted_if_armed
    assert not Verdict((dry, stale)).accepted_if_armed
    assert str(Verdict((dry, stale))) == "dry run; old"
    assert not Authority(APPROVED).armed


def test_a_history_counts_parts_of_an_approved_step_until_it_is_whole() -> None:
    half = History().sent(command(0.0, 0.5), APPROVED, 10.0)
    assert (half.number, half.reached, half.written) == (0, 0.5, 1)
    assert half.expected == {"P:A:set": 0.5, "P:A:rdbk": 0.5, "P:B:set": 7.0}
    whole = half.sent(command(0.5, 1.0), APPROVED, 12.0)
    assert whole.number == 1
    assert math.isnan(whole.reached)
    assert whole.sent_s == {"P:A:set": 12.0}
    assert whole.first == {"P:A:set": 0.0}, "cumulated changes are relative to the value before the first step"


def test_a_trust_region_doubles_after_hits_and_halves_at_a_near_miss() -> None:
    region = TrustRegion(0.25, 0.1, 2)
    assert region.after(True).size == 0.25
    assert region.after(True).after(True).size == 0.5
    assert region.after(True).after(True).after(True).after(True).after(True).after(True).size == 1.0
    assert region.after(True).after(False).after(True).size == 0.125, "a near miss begins the count anew"
    assert region.after(False).after(False).size == 0.1


def test_sums_find_a_small_shift_of_either_sign_and_ignore_what_is_not_measured() -> None:
    for sign in (1.0, -1.0):
        sums = Cusum.empty()
        for _ in range(8):
            sums = sums.after(np.array([sign * 1.5, 0.0, np.nan]), 0.5)
        assert sums.largest == pytest.approx(8.0)
        assert sums.high[1] == sums.low[1] == sums.high[2] == sums.low[2] == 0.0


def test_run_lengths_are_those_of_a_markov_chain() -> None:
    """Lucas and Crosier 1982: two-sided, slack 0.5, alarm 4 and 5: 168 and 465; alarm 4, shifted by 1: 8.38."""
    assert average_run_length(0.5, 4.0) == pytest.approx(168.0, rel=0.03)
    assert average_run_length(0.5, 5.0) == pytest.approx(465.0, rel=0.03)
    assert average_run_length(0.5, 4.0, shift=1.0) == pytest.approx(8.38, rel=0.03)
    assert average_run_length(0.5, 5.0, observables=100) == pytest.approx(4.65, rel=0.03)
