"""The gate around a setter: what is refused is not written, and what went wrong is put back."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from gnomon.recorder.bounds import Band, Reading
from gnomon.recorder.gating import (
    Code,
    GateCommand,
    GateRefusedError,
    GateStoppedError,
    History,
    MachineState,
    Outcome,
    Rules,
)
from gnomon.recorder.recorder_errors import FrozenError, ReplayError
from unit.recorder.gating.situations import NOW_NS, limits_with, pv, reading_at
from unit.recorder.gating.toy_machine import NAME, Notes, ToyMachine, at_rest, free_case, gate_of


@pytest.fixture
def machine() -> ToyMachine:
    return ToyMachine()


@pytest.fixture
def notes() -> Notes:
    return Notes()


def test_a_value_is_written_and_compared_with_the_prediction(machine: ToyMachine, notes: Notes) -> None:
    with gate_of(machine, notes) as gate:
        gate.put(NAME, 0.3)
        assert gate.history.hits == 1
    assert machine.puts == [0.3]
    assert notes.names == ["write", "measured", "end"]
    assert notes.events[0][1]["put_back"] == 0.0, "the old value is on disk before the new one is written"


def test_a_large_change_is_made_in_parts_at_the_allowed_rate(machine: ToyMachine, notes: Notes) -> None:
    case = free_case().with_limits({"trust_region.start": 0.4})
    with gate_of(machine, notes, case) as gate:
        gate.put(NAME, 0.7)
    assert machine.puts == pytest.approx([0.35, 0.7])
    assert machine.passed_s > 0.35, "1 A/s between the two"


def test_a_refused_value_is_not_written_and_the_gate_stays_open(machine: ToyMachine, notes: Notes) -> None:
    gate = gate_of(machine, notes)
    with pytest.raises(GateRefusedError, match="outside of the limits file") as caught:
        gate.put(NAME, 3.0)
    assert Code.STATIC_LIMIT in {reason.code for reason in caught.value.verdict.reasons}
    assert machine.puts == []
    assert notes.names == ["refused"]
    gate.put(NAME, 0.1)


def test_a_dry_run_writes_nothing(machine: ToyMachine, notes: Notes) -> None:
    gate = gate_of(machine, notes, free_case().with_authority(token_id=""))
    assert gate.check(NAME, 0.1).accepted_if_armed
    with pytest.raises(GateRefusedError, match="dry run"):
        gate.put(NAME, 0.1)
    assert machine.puts == []


def test_a_wrong_polarity_is_found_at_the_first_step_and_put_back(machine: ToyMachine, notes: Notes) -> None:
    machine.gain = -1.0
    with pytest.raises(GateStoppedError) as caught, gate_of(machine, notes) as gate:
        gate.put(NAME, 0.3)
    assert Code.MISSED_BAND in {reason.code for reason in caught.value.reasons}
    assert at_rest(machine)
    assert notes.names == ["write", "measured", "stopped", "failed", "restore", "restored", "end"]


def test_after_a_stop_nothing_more_is_written(machine: ToyMachine, notes: Notes) -> None:
    machine.gain = 3.0
    gate = gate_of(machine, notes)
    for _ in range(2):
        with pytest.raises(GateStoppedError):
            gate.put(NAME, 0.3)
    assert machine.puts == [0.3]


def test_an_error_of_the_program_puts_back_what_it_wrote_in_reverse(machine: ToyMachine, notes: Notes) -> None:
    def program() -> None:
        with gate_of(machine, notes) as gate:
            gate.put(NAME, 0.3)
            gate.put(NAME, 0.5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        program()
    assert machine.puts == [0.3, 0.5, 0.3, 0.0]
    assert at_rest(machine)


def test_a_setter_that_fails_closes_the_gate(machine: ToyMachine, notes: Notes) -> None:
    gate = gate_of(machine, notes)
    gate._put = lambda pv, value: 1 / 0
    with pytest.raises(ZeroDivisionError):
        gate.put(NAME, 0.3)
    with pytest.raises(GateStoppedError, match="the setter failed"):
        gate.put(NAME, 0.1)


def test_a_readback_that_does_not_follow_stops_and_then_freezes(machine: ToyMachine, notes: Notes) -> None:
    """It does not follow back, either: the operator is called, with the values to put back."""
    machine.stuck = True
    machine.readback = 0.0
    gate = gate_of(machine, notes)
    with pytest.raises(GateStoppedError, match="have not come in 5 s"):
        gate.put(NAME, 0.3)
    machine.readback = 0.2
    with pytest.raises(FrozenError, match=r"Call the operator.*P:H1:set to 0 A"):
        gate.roll_back()
    assert notes.names[-1] == "frozen"


def test_a_pv_that_someone_else_has_set_is_left(machine: ToyMachine, notes: Notes) -> None:
    def program() -> None:
        with gate_of(machine, notes) as gate:
            gate.put(NAME, 0.3)
            machine.put(NAME, 0.7)
            gate.put(NAME, 0.5)

    with pytest.raises(GateRefusedError, match="someone else"):
        program()
    assert machine.setting == 0.7
    assert "left" in notes.names
    assert "restore" not in notes.names


def test_a_lost_beam_is_found_after_the_step(machine: ToyMachine, notes: Notes) -> None:
    gate = gate_of(machine, notes)
    gate.allow(NAME, 0.3)
    machine.put(NAME, 0.3)
    machine.current_ma = 20.0
    with pytest.raises(GateStoppedError) as caught:
        gate.confirm()
    assert {reason.code for reason in caught.value.reasons} == {Code.CURRENT}


def test_a_value_is_confirmed_before_the_next(machine: ToyMachine, notes: Notes) -> None:
    gate = gate_of(machine, notes)
    with pytest.raises(ReplayError, match="allow one first"):
        gate.confirm()
    gate.allow(NAME, 0.3)
    with pytest.raises(ReplayError, match="confirm this value"):
        gate.allow(NAME, 0.4)


def test_the_trust_region_grows_with_hits(machine: ToyMachine, notes: Notes) -> None:
    case = free_case()
    case = case.with_limits({"trust_region.start": 0.1, "trust_region.smallest": 0.05})
    with gate_of(machine, notes, case) as gate:
        gate.put(NAME, 0.7)
    steps = [b - a for a, b in zip([0.0, *machine.puts], machine.puts, strict=False)]
    assert steps[0] == pytest.approx(0.1)
    assert max(steps) > 0.15
    assert machine.setting == 0.7


def test_a_pv_that_is_no_setpoint_is_refused(machine: ToyMachine, notes: Notes) -> None:
    with pytest.raises(ReplayError, match="no such setpoint"):
        gate_of(machine, notes).put("P:H1:rdbk", 0.1)
    assert limits_with().row("P:H1:rdbk") is None


def test_an_error_that_the_program_has_caught_is_put_back_all_the_same(machine: ToyMachine, notes: Notes) -> None:
    machine.gain = -1.0
    with gate_of(machine, notes) as gate, suppress(GateStoppedError):
        gate.put(NAME, 0.3)
    assert machine.puts == [0.3, 0.0]
    assert at_rest(machine)
    assert notes.events[-1] == ("end", {"written": 1, "put_back": True})


def test_a_value_that_was_never_confirmed_is_put_back(machine: ToyMachine, notes: Notes) -> None:
    with gate_of(machine, notes) as gate:
        gate.allow(NAME, 0.3)
        machine.put(NAME, 0.3)
    assert at_rest(machine)


@pytest.mark.parametrize("shown", [{"connected": False}, {"value": float("nan")}, {"severity": 3}, None])
def test_a_pv_that_does_not_show_its_value_is_not_taken_for_one_that_someone_else_has_set(
    machine: ToyMachine, notes: Notes, shown: dict[str, Any] | None
) -> None:
    """It was left without a word."""
    gate = gate_of(machine, notes)
    gate.put(NAME, 0.3)
    observe = machine.observe

    def unseen() -> MachineState:
        state = observe()
        pvs = dict(state.pvs)
        own = pvs.pop(NAME)
        return replace(state, pvs=pvs if shown is None else pvs | {NAME: replace(own, **shown)})

    gate._observe = unseen
    with pytest.raises(FrozenError, match=r"Call the operator.*P:H1:set to 0 A"):
        gate.roll_back()
    assert "left" not in notes.names


def test_a_decision_that_has_become_old_is_not_written_by(machine: ToyMachine, notes: Notes) -> None:
    gate = gate_of(machine, notes)
    note = notes.note

    def hang(event: str, facts: Mapping[str, object]) -> None:
        if event == "write":
            machine.sleep(3600.0)
        note(event, facts)

    notes.note = hang  # type: ignore[method-assign]
    with pytest.raises(GateStoppedError, match=r"not written: 3600.* s have passed"), gate:
        gate.put(NAME, 0.3)
    assert not machine.puts


@pytest.mark.parametrize("phase_s", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("gain", [1.0, -1.0])
def test_readings_that_average_over_a_second_show_the_new_state_alone(
    machine: ToyMachine, notes: Notes, gain: float, phase_s: float
) -> None:
    """The next reading after a write is a mean of both states: a right step missed, a wrong one was half as wrong."""
    machine.period_s = machine.averaging_s = 1.0
    machine.passed_s, machine.gain = 10.0 + phase_s, gain
    gate = gate_of(machine, notes)
    rules = SeeingRules(gate.rules.limits, gate.rules.authority, machine.monotonic)
    gate.rules = rules
    with suppress(GateStoppedError):
        gate.put(NAME, 0.3)
    assert rules.seen[0].orbit == pytest.approx(reading_at(0.3 * gain).orbit)
    assert (gate.history.hits == 1) == (gain == 1.0)


class SeeingRules(Rules):
    """Rules that keep what they compare."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        object.__setattr__(self, "seen", [])

    seen: list[Reading]

    def assess(
        self, command: GateCommand, band: Band | None, before: Reading, after: Reading, history: History
    ) -> Outcome:
        self.seen.append(after)
        return super().assess(command, band, before, after, history)


def test_a_meter_of_another_server_is_waited_for_too(machine: ToyMachine, notes: Notes) -> None:
    """The time of a reading is one number; PVs of the state have their own, by their own clocks."""
    gate = gate_of(machine, notes)
    observe = machine.observe

    def with_tune() -> MachineState:
        state = observe()
        tune = replace(pv(0.2), stamp_ns=NOW_NS + 10**9 * (machine.passed_s > 1.8))
        return replace(state, pvs={**state.pvs, "P:tune:x": tune})

    gate._observe = with_tune
    gate.put(NAME, 0.3)
    assert machine.passed_s > 1.8, "until its next reading"
