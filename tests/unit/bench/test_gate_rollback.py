"""Replays with faults, as the bench counts them."""

import pytest
from bench import gate_rollback
from bench.gate_rollback import BACK, DONE, ELSEWHERE, FROZEN, NO_FAULT, replay_with_faults

from unit.recorder.replaying.test_random_faults import FaultRun


def test_each_replay_has_one_of_the_ends_and_none_is_elsewhere() -> None:
    counts = replay_with_faults(8)
    assert counts.runs == 8
    assert counts.of(BACK) + counts.of(FROZEN) + counts.of(DONE) + counts.of(NO_FAULT) == 8
    assert counts.of(BACK) > 0
    assert not counts.texts


def test_a_machine_that_is_not_where_it_began_counts_as_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_rollback, "away_mm", lambda run: 1.0)
    counts = replay_with_faults(8)
    assert counts.of(BACK) == 0
    assert counts.of(ELSEWHERE) == len(counts.texts) > 0


def test_the_distance_from_the_start_is_that_of_the_beam() -> None:
    run = FaultRun(1)
    assert gate_rollback.away_mm(run) == 0.0
    run.machine.stuck[run.own[0]] = 0.1
    assert gate_rollback.away_mm(run) > 1e-2
