import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from gnomon.recorder import MachineError, ReplayError
from gnomon.recorder.gate import GateLimits
from gnomon.recorder.replay_execution import ReplayOptions, Result, carry_out, examine
from gnomon.recorder.replay_machine import PvState
from gnomon.recorder.replay_steps import Plan, Prediction, Start, Step
from unit.recorder.fake_machine import FakeClock, FakeMachine, FakePv, ListAudit, step, supplies, writes

FINE = Prediction(True, "", (0.1, 0.0), (0.1, 0.0), (0.0, 0.0))
OPTIONS = ReplayOptions(GateLimits(max_step=0.1), timeout_s=1.0, settle_s=2.0)
THREE = (step("A", 10.0, 15.0), step("B", 20.0, 25.0, sequence=3), step("A", 15.0, 18.0, sequence=7))


def plan(*steps: Step, starts: Mapping[str, float] | None = None) -> Plan:
    expected = {"A:set": 10.0, "B:set": 20.0} if starts is None else starts
    return Plan(steps, (FINE,) * len(steps), tuple(Start(pv, "A", v, 100.0) for pv, v in expected.items()))


def machine() -> FakeMachine:
    return supplies(A=10.0, B=20.0)


class Run:
    def __init__(self, machine: FakeMachine) -> None:
        self.machine = machine
        self.clock = FakeClock()
        self.audit = ListAudit()
        self.events: list[tuple[str, str, float]] = []
        self.remarks: list[str] = []
        self.shielded = 0
        self.taken_over_at = math.inf

    def __call__(self, steps: Plan, options: ReplayOptions = OPTIONS) -> Result:
        return carry_out(
            steps, self.machine, options, self.audit, self.report, self.clock, self.shield, self.taken_over
        )

    def report(self, event: str, step: Step, remark: str) -> None:
        self.events.append((event, step.pv, self.clock.now))
        self.remarks.append(remark)

    def taken_over(self) -> bool:
        return self.clock.now >= self.taken_over_at

    def silent_between(self, begin: float, end: float) -> None:
        """No answer in this time; who asks waits for it."""

        def silent(timeout_s: float) -> bool:
            if not begin <= self.clock.now < end:
                return False
            self.clock.now += timeout_s
            return True

        self.machine.silent = silent

    def shield(self) -> None:
        self.shielded += 1


def test_all_steps_are_written_in_order_and_verified() -> None:
    run = Run(machine())
    assert run(plan(*THREE)) == Result(3)
    assert writes(run.machine) == [("A", 15.0), ("B", 25.0), ("A", 18.0)]
    assert [e for e, _, _ in run.events] == ["write", "verified"] * 3
    assert not run.shielded


def test_the_value_to_put_back_is_on_record_before_each_write() -> None:
    run = Run(machine())
    known: list[list[tuple[str, str]]] = []
    run.machine.on_put = lambda pv, value: known.append(list(run.audit.events))
    run(plan(*THREE))
    assert [k[-1] for k in known] == [("write", "A:set"), ("write", "B:set"), ("write", "A:set")]
    assert run.audit.events[0][0] == "begin"
    assert run.audit.events[-1][0] == "end"


def test_each_value_that_is_put_back_is_on_record_before_its_write() -> None:
    run = Run(machine())
    known: list[tuple[float, tuple[str, str]]] = []

    def fail_at_18(pv: str, value: float) -> None:
        known.append((value, run.audit.events[-1]))
        run.machine.pvs["A:rdbk"].error = 3.0 if value == 18.0 else 0.0

    run.machine.on_put = fail_at_18
    run(plan(*THREE))
    assert known[3:] == [
        (15.0, ("restore", "A:set")),
        (20.0, ("restore", "B:set")),
        (10.0, ("restore", "A:set")),
    ]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda m: setattr(m.pvs["B:rdbk"], "connected", False), "B:rdbk: not connected"),
        (lambda m: setattr(m.pvs["B:set"], "severity", 3), "B:set: its value is INVALID"),
        (lambda m: setattr(m.pvs["B:set"], "high", 24.0), "outside the machine's limits 0 to 24 A"),
        (lambda m: setattr(m.pvs["B:set"], "high", 0.0), "no drive limits"),
        (lambda m: setattr(m.pvs["B:set"], "value", 20.5), "B:set = 20.5 A, but the recording began with 20 A"),
    ],
)
def test_a_refusal_by_the_gate_leaves_the_machine_untouched(spoil: object, reason: str) -> None:
    run = Run(machine())
    spoil(run.machine)  # type: ignore[operator]
    with pytest.raises(ReplayError, match=reason):
        run(plan(*THREE))
    assert not run.machine.puts
    assert not run.audit.events


def test_a_step_too_large_is_refused_before_any_write() -> None:
    run = Run(machine())
    with pytest.raises(ReplayError, match=r"more than 0\.1 of the drive range"):
        run(plan(step("A", 10.0, 15.0), step("B", 20.0, 35.0)))
    assert not run.machine.puts


def test_an_untouched_supply_elsewhere_refuses() -> None:
    run = Run(supplies(A=10.0, B=20.0, C=30.0))
    with pytest.raises(ReplayError, match="C:set = 30 A, but the recording began with 31 A"):
        run(plan(*THREE, starts={"A:set": 10.0, "C:set": 31.0}))


def test_a_machine_that_fails_while_it_is_examined_refuses() -> None:
    class Mute(FakeMachine):
        def limits(self, pv: str, timeout_s: float) -> tuple[float, float]:
            raise MachineError(f"{pv}: no answer about its limits")

    verdict = examine(plan(*THREE), Mute(machine().pvs), OPTIONS)
    assert "no answer about its limits" in verdict.reasons[0]


def test_a_readback_that_misses_puts_everything_back_in_reverse_order() -> None:
    run = Run(machine())

    def stick(pv: str, value: float) -> None:
        run.machine.pvs["A:rdbk"].error = 3.0 if value == 18.0 else 0.0

    run.machine.on_put = stick
    result = run(plan(*THREE))
    assert writes(run.machine)[3:] == [("A", 15.0), ("B", 20.0), ("A", 10.0)]
    assert result.done == 2
    assert "A:rdbk = 21 A instead of 18 A after 2 s" in result.failure
    assert result.restored == ("A:set", "B:set", "A:set")
    assert not result.left
    assert run.shielded == 1
    assert 2.0 <= run.clock.now < 2.2


def test_a_readback_may_take_until_the_settle_time() -> None:
    run = Run(machine())
    readback = run.machine.pvs["A:rdbk"]

    def ramp(now: float) -> None:
        readback.error = min(0.0, -5.0 + 5.0 * now / 1.5)

    run.machine.on_put = lambda pv, value: ramp(0.0)
    run.clock.on_sleep = ramp
    assert run(plan(step("A", 10.0, 15.0))) == Result(1)
    assert 1.4 < run.clock.now < 1.6


def test_a_setpoint_that_was_not_taken_is_a_miss() -> None:
    """Channel Access completes a put that the server refuses; only looking tells."""
    run = Run(machine())

    def refuse(pv: str, value: float) -> None:
        if value == 25.0:
            run.machine.pvs["B:set"].value = 20.0

    run.machine.on_put = refuse
    result = run(plan(*THREE))
    assert " = 20 A instead of 25 A" in result.failure
    assert run.machine.pvs["A:set"].value == 10.0


def test_a_put_that_times_out_puts_back_also_what_it_may_have_done() -> None:
    run = Run(machine())

    def hang(pv: str, value: float) -> None:
        if value == 25.0:
            raise MachineError("B:set: not completed within 1 s")

    run.machine.on_put = hang
    result = run(plan(*THREE))
    assert writes(run.machine) == [("A", 15.0), ("B", 25.0), ("B", 20.0), ("A", 10.0)]
    assert result == Result(1, "B:set: not completed within 1 s", ("B:set", "A:set"))


def test_a_pv_that_disconnects_does_not_keep_the_others_and_goes_back_when_it_is_there_again() -> None:
    run = Run(machine())
    b = [run.machine.pvs["B:set"], run.machine.pvs["B:rdbk"]]

    def cut(pv: str, value: float) -> None:
        for found in b:
            found.connected = found.connected and value != 25.0

    def reconnect(now: float) -> None:
        assert run.machine.pvs["A:set"].value == 10.0
        for found in b:
            found.connected = now > 9.0

    run.machine.on_put = cut
    run.clock.on_sleep = reconnect
    result = run(plan(*THREE))
    assert "not connected" in result.failure
    assert result.restored == ("A:set", "B:set")
    assert not result.left
    assert run.machine.pvs["B:set"].value == 20.0
    assert [text for text in run.remarks if text] == ["B:set: not connected"]


def test_pvs_not_put_back_when_the_operator_takes_over_are_left_and_named() -> None:
    run = Run(machine())

    def cut(pv: str, value: float) -> None:
        if value == 25.0:
            run.machine.pvs["B:set"].connected = run.machine.pvs["B:rdbk"].connected = False

    run.machine.on_put = cut
    run.taken_over_at = 100.0
    result = run(plan(*THREE))
    assert result.restored == ("A:set",)
    assert result.left == ("B:set: should be 20 A: the operator has taken over; last: B:set: not connected",)
    assert run.machine.pvs["A:set"].value == 10.0
    assert 100.0 <= run.clock.now < 101.0
    assert ("left", "B:set") in run.audit.events


def test_a_machine_that_is_silent_while_it_is_put_back_ends_where_it_began() -> None:
    """Our own later step is nobody else's, however often the earlier one has to be tried."""
    run = Run(machine())

    def fall_silent(pv: str, value: float) -> None:
        if value == 18.0:
            run.silent_between(run.clock.now, run.clock.now + 9.0)

    run.machine.on_put = fall_silent
    result = run(plan(*THREE))
    assert "no answer to a read" in result.failure
    assert not result.left
    assert sorted(result.restored) == ["A:set", "A:set", "B:set"]
    assert [run.machine.pvs[pv].value for pv in ("A:set", "B:set")] == [10.0, 20.0]
    assert run.clock.now >= 9.0


@pytest.mark.parametrize("silence_begins", [0.5, 1.0, 1.5, 2.0, 2.5])
def test_a_replay_ends_where_it_began_whenever_the_machine_falls_silent(silence_begins: float) -> None:
    run = Run(machine())
    run.machine.pvs["A:rdbk"].high = 0.0
    run.silent_between(silence_begins, silence_begins + 9.0)
    result = run(plan(*THREE), ReplayOptions(timeout_s=1.0, settle_s=1.0, pace=1.0))
    if silence_begins > 2.0:  # everything was put and seen before
        assert result == Result(3)
    else:
        assert result.failure
        assert not result.left
        assert [run.machine.pvs[pv].value for pv in ("A:set", "B:set")] == [10.0, 20.0]


def test_a_machine_that_does_not_follow_gets_its_values_back_until_it_follows() -> None:
    run = Run(machine())

    def stick(pv: str, value: float) -> None:
        if value == 18.0:
            run.machine.pvs["A:rdbk"].value = 12.0
            run.machine.pvs["A:rdbk"].stuck = True

    def unstick(now: float) -> None:
        run.machine.pvs["A:rdbk"].stuck = run.machine.pvs["A:rdbk"].stuck and now < 60.0

    run.machine.on_put = stick
    run.clock.on_sleep = unstick
    result = run(plan(*THREE))
    assert " = 12 A instead of 18 A" in result.failure
    assert result.restored == ("B:set", "A:set", "A:set")
    assert not result.left
    assert run.machine.pvs["A:set"].value == 10.0
    tries = [value for pv, value in writes(run.machine)[3:] if pv == "A"]
    assert tries.count(15.0) > 3
    assert tries[-1] == 10.0
    waits = [event for event in run.audit.events if event == ("waiting", "A:set")]
    assert len(waits) == 1, "the record tells each trouble once, not each try"


def test_somebody_elses_write_stops_the_replay_and_is_left_alone() -> None:
    run = Run(machine())

    def meddle(pv: str, value: float) -> None:
        if value == 25.0:
            run.machine.pvs["A:set"].value = 40.0

    run.machine.on_put = meddle
    result = run(plan(*THREE))
    assert "A:set = 40 A instead of 15 A: someone else has changed it" in result.failure
    assert result.restored == ("B:set",)
    assert result.left == ("A:set: should be 10 A: someone else has set A:set to 40 A",)
    assert run.machine.pvs["A:set"].value == 40.0


def test_a_value_set_by_an_operator_while_values_are_put_back_is_left_alone() -> None:
    run = Run(machine())

    def fail_then_meddle(pv: str, value: float) -> None:
        run.machine.pvs["A:rdbk"].error = 3.0 if value == 18.0 else 0.0
        if (pv, value) == ("A:set", 15.0) and len(run.machine.puts) > 3:
            run.machine.pvs["B:set"].value = 33.0

    run.machine.on_put = fail_then_meddle
    result = run(plan(*THREE))
    assert result.restored == ("A:set", "A:set")
    assert result.left == ("B:set: should be 20 A: someone else has set B:set to 33 A",)
    assert run.machine.pvs["B:set"].value == 33.0


def test_a_late_write_of_ours_after_values_were_put_back_is_put_back_again() -> None:
    """A write that was given up acts late: after what was to take it back."""
    run = Run(machine())

    def late(pv: str, value: float) -> None:
        if (pv, value) == ("B:set", 25.0):
            run.machine.pvs["B:set"].value = 20.0
        if (pv, value) == ("A:set", 10.0):
            run.machine.pvs["B:set"].value = 25.0
            run.machine.on_put = lambda pv, value: None

    run.machine.on_put = late
    result = run(plan(*THREE))
    assert " = 20 A instead of 25 A" in result.failure
    assert not result.left
    assert [run.machine.pvs[pv].value for pv in ("A:set", "B:set")] == [10.0, 20.0]


@pytest.mark.parametrize("when", ["before a step", "while it waits", "at the end"])
def test_a_supply_outside_the_plan_is_watched_all_the_while(when: str) -> None:
    run = Run(supplies(A=10.0, B=20.0, C=30.0))
    c = run.machine.pvs["C:set"]
    starts = {"A:set": 10.0, "B:set": 20.0, "C:set": 30.0}
    pace = 3.0 if when == "while it waits" else None
    if when == "while it waits":
        run.clock.on_sleep = lambda now: setattr(c, "value", 31.0 if now >= 4.0 else 30.0)
    else:
        late = {"before a step": 25.0, "at the end": 18.0}[when]
        run.machine.on_put = lambda pv, value: setattr(c, "value", 31.0) if value == late else None
    result = run(plan(*THREE, starts=starts), ReplayOptions(timeout_s=1.0, settle_s=1.0, pace=pace))
    assert result.failure == "C:set = 31 A instead of 30 A: someone else has changed it"
    assert result.done == {"before a step": 2, "while it waits": 2, "at the end": 3}[when]
    if when == "while it waits":
        assert run.clock.now < 6.0, "found before the next step was due"
    assert not result.left
    assert [run.machine.pvs[pv].value for pv in ("A:set", "B:set", "C:set")] == [10.0, 20.0, 31.0]


def test_other_setpoints_that_a_step_moves_are_expected_and_waited_for() -> None:
    run = Run(supplies(A=10.0, B=20.0, C=30.0))
    c = run.machine.pvs["C:set"]
    whole = plan(*THREE, starts={"A:set": 10.0, "B:set": 20.0, "C:set": 30.0})
    whole = replace(whole, moves=({"C:set": 35.0}, {}, {"C:set": 36.0}))
    asked: list[float] = []

    def follow(now: float) -> None:
        if now >= 1.0:
            c.value = {15.0: 35.0, 18.0: 36.0}.get(asked[-1], c.value)

    run.machine.on_put = lambda pv, value: asked.append(value) if pv == "A:set" else None
    run.clock.on_sleep = follow
    assert run(whole) == Result(3)
    assert run.clock.now >= 1.0


def test_other_setpoints_that_a_step_moved_and_are_not_back_are_named() -> None:
    run = Run(supplies(A=10.0, B=20.0, C=30.0))
    c = run.machine.pvs["C:set"]
    whole = plan(*THREE[:2], starts={"A:set": 10.0, "B:set": 20.0, "C:set": 30.0})
    whole = replace(whole, moves=({"C:set": 35.0}, {}))

    def act(pv: str, value: float) -> None:
        if (pv, value) == ("A:set", 15.0):
            c.value = 35.0
        run.machine.pvs["B:rdbk"].error = 9.0 if value == 25.0 else 0.0

    run.machine.on_put = act
    result = run(whole)
    assert sorted(result.restored) == ["A:set", "B:set"]
    assert result.left == ("C:set: should be 30 A: is 35 A, changed by a step that was put back",)


@pytest.mark.parametrize(
    ("ends_at", "left"),
    [
        (30.004, ()),
        (30.006, ("C:set: should be 30 A: is 30.006 A, changed by a step that was put back",)),
        (None, ("C:set: should be 30 A: C:set",)),
    ],
)
def test_a_setpoint_that_a_step_moved_is_back_within_the_tolerance_or_left(
    ends_at: float | None, left: tuple[str, ...]
) -> None:
    run = Run(supplies(A=10.0, B=20.0, C=30.0))
    c = run.machine.pvs["C:set"]
    whole = plan(*THREE[:2], starts={"A:set": 10.0, "B:set": 20.0, "C:set": 30.0})
    whole = replace(whole, moves=({"C:set": 35.0}, {}))

    def act(pv: str, value: float) -> None:
        run.machine.pvs["B:rdbk"].error = 9.0 if value == 25.0 else 0.0
        if pv == "A:set":
            c.value = 35.0 if value == 15.0 else ends_at or 30.0
            c.connected = value == 15.0 or ends_at is not None

    run.machine.on_put = act
    result = run(whole)
    assert len(result.left) == len(left)
    assert all(found.startswith(begins) for found, begins in zip(result.left, left, strict=True))


def test_a_readback_that_has_become_invalid_ends_the_replay_before_its_next_step() -> None:
    run = Run(machine())

    def spoil(pv: str, value: float) -> None:
        run.machine.pvs["A:rdbk"].severity = 3 if value == 25.0 else 0

    run.machine.on_put = spoil
    result = run(plan(*THREE))
    assert (result.done, result.failure) == (2, "A:rdbk: its value is INVALID")
    assert ("A:set", 18.0) not in run.machine.puts
    assert [run.machine.pvs[pv].value for pv in ("A:set", "B:set")] == [10.0, 20.0]


@pytest.mark.parametrize("pressed_since", [False, True])
def test_a_button_is_taken_back_by_the_one_that_was_pressed_before(pressed_since: bool) -> None:
    run = Run(machine())
    run.machine.pvs |= {name: FakePv(value, 0.0, 1.0) for name, value in (("mux:Q", 0.0), ("mux:off", 1.0))}
    select = Step(1, 1, "mux:Q", "mux:Q", "", 0.0, 1.0, 1.0, 0.0, 1.0, back_pv="mux:off")

    def act(pv: str, value: float) -> None:
        run.machine.pvs["B:rdbk"].error = 9.0 if value == 25.0 else 0.0
        if pv.startswith("mux:"):
            run.machine.pvs["mux:Q"].value = float(pv == "mux:Q")
            run.machine.pvs["mux:off"].value = float(pv == "mux:off")
        if value == 25.0 and pressed_since:
            run.machine.pvs["mux:Q"].value = 0.0

    run.machine.on_put = act
    result = run(plan(select, THREE[1], starts={"B:set": 20.0}), replace(OPTIONS, limits=GateLimits(max_step=1.0)))
    assert not result.left
    assert [pv for pv, _ in run.machine.puts].count("mux:off") == (0 if pressed_since else 1)
    assert run.machine.pvs["mux:Q"].value == 0.0


def test_interrupts_while_it_is_put_back_do_not_stop_that() -> None:
    run = Run(machine())
    presses = 0

    def press(pv: str, value: float) -> None:
        nonlocal presses
        if value == 25.0 or (presses and presses < 4):
            presses += 1
            raise KeyboardInterrupt

    run.machine.on_put = press
    result = run(plan(*THREE))
    assert (result.failure, presses) == ("interrupted", 4)
    assert not result.left
    assert [run.machine.pvs[pv].value for pv in ("A:set", "B:set")] == [10.0, 20.0]
    assert [event for event, _ in run.audit.events].count("failed") == 1


def test_a_failure_of_a_library_while_values_are_put_back_is_reported_and_retried() -> None:
    run = Run(machine())

    def fail(pv: str, value: float) -> None:
        run.machine.pvs["B:rdbk"].error = 3.0 if value == 25.0 else 0.0
        if (pv, value) == ("B:set", 20.0) and run.clock.now < 5.0:
            raise ZeroDivisionError

    run.machine.on_put = fail
    result = run(plan(*THREE))
    assert not result.left
    assert "B:set: ZeroDivisionError: " in run.remarks
    assert [run.machine.pvs[pv].value for pv in ("A:set", "B:set")] == [10.0, 20.0]


@pytest.mark.parametrize("when", ["put", "sleep"])
def test_an_interrupt_puts_back(when: str) -> None:
    run = Run(machine())

    def interrupt(*_: float | str) -> None:
        run.machine.on_put = lambda pv, value: None
        run.clock.on_sleep = lambda now: None
        raise KeyboardInterrupt

    if when == "put":
        run.machine.on_put = lambda pv, value: interrupt() if value == 25.0 else None
    else:
        run.clock.on_sleep = interrupt
    result = run(plan(*THREE), ReplayOptions(settle_s=1.0, pace=1.0))
    assert result.failure == "interrupted"
    assert not result.left
    assert run.machine.pvs["A:set"].value == 10.0
    assert run.machine.pvs["B:set"].value == 20.0
    assert run.shielded == 1


def test_an_error_of_our_own_puts_back_before_it_is_raised() -> None:
    run = Run(machine())

    def fail(pv: str, value: float) -> None:
        if value == 25.0:
            raise ZeroDivisionError

    run.machine.on_put = fail
    with pytest.raises(ZeroDivisionError):
        run(plan(*THREE))
    assert run.machine.pvs["A:set"].value == 10.0
    assert run.machine.pvs["B:set"].value == 20.0


def test_a_record_that_cannot_be_kept_stops_but_does_not_keep_the_machine_from_going_back() -> None:
    run = Run(machine())

    class Full(ListAudit):
        def note(self, event: str, facts: object) -> None:
            super().note(event, facts)
            if len(self.events) > 5:  # the second write
                raise ReplayError("disk full")

    run.audit = Full()
    result = run(plan(*THREE))
    assert (result.done, result.failure) == (1, "disk full")
    assert result.restored == ("A:set",)
    assert result.left == ("disk full",)
    assert run.machine.pvs["A:set"].value == 10.0


def test_steps_keep_the_recorded_times_or_a_fixed_pace() -> None:
    for pace, times in (("original", [0.0, 2.0, 6.0]), (0.5, [0.0, 0.5, 1.0]), (None, [0.0, 0.0, 0.0])):
        run = Run(machine())
        run(plan(*THREE), ReplayOptions(pace=pace))  # type: ignore[arg-type]
        assert [now for event, _, now in run.events if event == "write"] == pytest.approx(times)


def test_an_invalid_readback_is_a_miss() -> None:
    run = Run(machine())

    def spoil(pv: str, value: float) -> None:
        run.machine.pvs["B:rdbk"].severity = 3 if value == 25.0 else 0

    run.machine.on_put = spoil
    assert "B:rdbk: its value is INVALID" in run(plan(*THREE)).failure
    assert run.machine.get("A:rdbk", 1.0) == PvState(10.0, 0)
