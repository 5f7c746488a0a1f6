"""A replay that is killed at any moment leaves a state from which another process goes on, or puts back."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from gnomon.recorder import ReplayError
from gnomon.recorder.replay_execution import Result, carry_out
from gnomon.recorder.replaying.replay_state import ReplayState, StateFile, Status, StoredSums, load_state
from gnomon.recorder.replaying.resuming import KeptState, resume, roll_back
from unit.recorder.replaying.simulated_machine import OPTIONS, Clock, SimulatedMachine, make_gate, make_plan, quiet

PLAN = make_plan((0, 0.3), (1, -0.2))
#: Events of the whole replay, each of which is a place to be killed at, before and after its state is saved.
EVENTS = 20
START = ReplayState(id="1", recording="a" * 64, name="bump", machine="mls", prefix="M:")


class Killed(BaseException):
    """The process is gone: nothing of it acts any more."""


class Audit:
    """Dies at the n-th event, after the state was saved, or before."""

    def __init__(self, last: int = 10**9, file: "DyingFile | None" = None) -> None:
        self.events: list[str] = []
        self.last = last
        self.file = file

    def note(self, event: str, facts: Mapping[str, object]) -> None:
        self.events.append(event)
        if len(self.events) >= self.last:
            if self.file is not None:
                self.file.last = 0
            raise Killed


class DyingFile(StateFile):
    last = 10**9
    saved = 0

    def save(self, state: ReplayState) -> None:
        self.saved += 1
        if self.saved > self.last:
            raise Killed
        super().save(state)


@contextmanager
def file(path: Path) -> Iterator[DyingFile]:
    found = DyingFile(path)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "fsync", lambda number: None)  # takes most of the time, and shows nothing here
    return tmp_path / "1.json"


def kill(machine: SimulatedMachine, path: Path, *, events: int = 10**9, saves: int = 10**9) -> None:
    """Replay until that many events were noted, or saved; what it does afterwards does not reach the machine."""
    with file(path) as state_file:
        state_file.last = saves
        kept = KeptState(state_file, START, Audit(events, state_file))
        with pytest.raises(Killed):
            carry_out(PLAN, machine, OPTIONS, kept, quiet, machine.clock, gate=make_gate(PLAN, machine))


def go_on(machine: SimulatedMachine, path: Path) -> tuple[Result, KeptState]:
    with file(path) as state_file:
        kept = KeptState(state_file, load_state(path), Audit())
        gate = make_gate(PLAN, machine)
        return resume(kept, PLAN, machine, OPTIONS, quiet, machine.clock, gate), kept


def go_back(machine: SimulatedMachine, path: Path) -> tuple[Result, KeptState]:
    with file(path) as state_file:
        kept = KeptState(state_file, load_state(path), Audit())
        check = make_gate(PLAN, machine).way_back
        check.recall(kept.state.pending)
        return roll_back(kept, machine, OPTIONS, quiet, machine.clock, check), kept


def test_the_events_of_a_replay_are_counted_right(path: Path) -> None:
    machine = SimulatedMachine(Clock())
    with file(path) as state_file:
        audit = Audit()
        carry_out(PLAN, machine, OPTIONS, KeptState(state_file, START, audit), quiet, machine.clock,
                  gate=make_gate(PLAN, machine))  # fmt: skip
    assert len(audit.events) == EVENTS
    assert audit.events[-1] == "end"
    assert load_state(path).status is Status.DONE


@pytest.mark.parametrize("where", ["events", "saves"])
@pytest.mark.parametrize("number", range(1, EVENTS))
def test_killed_anywhere_it_goes_on_to_the_same_end_and_nothing_is_made_twice(
    path: Path, where: str, number: int
) -> None:
    machine = SimulatedMachine(Clock())
    kill(machine, path, **{where: number})
    sent = list(machine.puts)
    result, kept = go_on(machine, path)
    assert result == Result(2), result
    assert kept.state.status is Status.DONE
    assert [machine.values[step.pv] for step in PLAN.steps] == [0.3, -0.2]
    puts = [*sent, *machine.puts[len(sent) :]]
    assert len(puts) == len(set(puts)), "each value was sent once"


@pytest.mark.parametrize("where", ["events", "saves"])
@pytest.mark.parametrize("number", range(1, EVENTS))
def test_killed_anywhere_it_is_put_back(path: Path, where: str, number: int) -> None:
    machine = SimulatedMachine(Clock())
    kill(machine, path, **{where: number})
    result, kept = go_back(machine, path)
    assert not result.left
    assert not result.frozen
    assert kept.state.status is (Status.ROLLED_BACK if number > 1 else Status.STOPPED)
    assert machine.values == machine.start


def test_killed_before_the_first_write_nothing_was_rolled_back(path: Path) -> None:
    machine = SimulatedMachine(Clock())
    kill(machine, path, events=1)
    result, kept = go_back(machine, path)
    assert not machine.puts
    assert kept.state.status is Status.STOPPED
    assert result.failure == "ended by hand, after: its process ended"


def test_killed_while_it_puts_back_it_is_put_back_by_another(path: Path) -> None:
    for last in range(12, 24, 2):
        machine = SimulatedMachine(Clock())
        machine.polarity[PLAN.steps[1].pv] = -1.0
        path.unlink(missing_ok=True)
        kill(machine, path, events=last)
        go_back(machine, path)
        assert machine.values == machine.start, last


def test_a_put_that_did_not_reach_the_machine_is_sent_when_it_goes_on(path: Path) -> None:
    machine = SimulatedMachine(Clock())

    kill(machine, path, events=2)
    assert load_state(path).written[0].phase == "intended"
    assert not machine.puts
    assert go_on(machine, path)[0] == Result(2)


def test_a_setpoint_that_someone_else_has_set_meanwhile_stops_it_and_stays(path: Path) -> None:
    machine = SimulatedMachine(Clock())
    kill(machine, path, events=2)  # the first write is intended
    machine.values[PLAN.steps[0].pv] = 0.07
    result, kept = go_on(machine, path)
    assert "someone else has set it" in result.failure
    assert machine.values[PLAN.steps[0].pv] == 0.07
    assert kept.state.status is Status.LEFT


def test_a_last_write_that_has_not_done_what_was_predicted_is_put_back(path: Path) -> None:
    machine = SimulatedMachine(Clock())
    kill(machine, path, events=3)
    assert load_state(path).written[0].phase == "sent"
    machine.polarity[PLAN.steps[0].pv] = -1.0
    result, kept = go_on(machine, path)
    assert "after the last write: the beam is" in result.failure
    assert kept.state.status is Status.ROLLED_BACK
    assert machine.values == machine.start


def test_sums_of_small_misses_go_on_after_a_kill(path: Path) -> None:
    machine = SimulatedMachine(Clock())
    kill(machine, path, events=14)
    sums = load_state(path).sums
    with file(path) as state_file:
        kept = KeptState(state_file, load_state(path), Audit())
        gate = make_gate(PLAN, machine)
        resume(kept, PLAN, machine, OPTIONS, quiet, machine.clock, gate)
    assert max(sums.high) > 0.0
    assert gate.history.cusum.largest >= max(sums.high), "the rules here forget nothing"
    assert load_state(path).sums == StoredSums.of(gate.history.cusum)


def test_a_replay_that_is_over_neither_goes_on_nor_back(path: Path) -> None:
    machine = SimulatedMachine(Clock())
    kill(machine, path, events=8)
    go_back(machine, path)
    with pytest.raises(ReplayError, match="cannot go on: it is rolled_back"):
        go_on(machine, path)
    with pytest.raises(ReplayError, match="nothing to put back"):
        go_back(machine, path)


def test_a_frozen_replay_is_put_back_once_the_operator_says_so(path: Path) -> None:
    machine = SimulatedMachine(Clock())

    def misalign(pv: str, value: float) -> None:
        if pv == PLAN.steps[1].pv:
            machine.polarity[PLAN.steps[0].pv] = 1.5

    machine.on_put = misalign
    with file(path) as state_file:
        kept = KeptState(state_file, START, Audit())
        result = carry_out(PLAN, machine, OPTIONS, kept, quiet, machine.clock, gate=make_gate(PLAN, machine))
    assert result.frozen
    assert load_state(path).status is Status.FROZEN
    machine.polarity.clear()
    machine.on_put = lambda pv, value: None
    go_back(machine, path)
    assert machine.values == machine.start
