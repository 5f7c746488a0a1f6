"""The evidence of the gate on one small machine, with few commands: nothing unsafe and nothing corrupted passes."""

import pytest


@pytest.mark.slow(20)
def test_nothing_unsafe_and_nothing_corrupted_is_accepted_on_a_small_machine() -> None:
    # All of the benchmark, which the quick tests do not need.
    from bench.gate_coverage import Counts
    from bench.gate_machine import Plan, measure_machine

    plan = Plan("mls", Counts(7, 99, 2), unsafe=20, safe=10, corrupted=2, detection=2, timed=2, second_tier=0)
    result = measure_machine(1, plan)
    assert (result.decisions.unsafe, result.decisions.unsafe_accepted["gate"]) == (20, 0), result.decisions.accepted
    assert result.decisions.unsafe_accepted["limits"] > 0  # drive limits alone let them pass: they are no easy prey
    assert sum(result.corrupted.cases.values()) >= 36
    assert sum(result.corrupted.accepted.values()) == 0, result.corrupted.texts
    assert result.corrupted.refused == 0, result.corrupted.refusals  # what was approved passes
    assert result.decisions.safe_rejected["gate"] <= 1, result.decisions.safe_reasons
    assert result.detection.found == result.detection.cases
