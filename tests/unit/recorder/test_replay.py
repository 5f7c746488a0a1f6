from collections.abc import Mapping

import pytest

from gnomon.recorder import MachineError, ReplayError
from gnomon.recorder.gate import GateLimits
from gnomon.recorder.machine import PvState
from gnomon.recorder.replay import ReplayOptions, Result, carry_out, examine
from gnomon.recorder.steps import Plan, Prediction, Start, Step
from unit.recorder.fake_machine import FakeClock, FakeMachine, ListAudit, step, supplies, writes

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
        self.shielded = 0

    def __call__(self, steps: Plan, options: ReplayOptions = OPTIONS) -> Result:
        return carry_out(steps, self.machine, options, self.audit, self.report, self.clock, self.shield)

    def report(self, event: str, step: Step) -> None:
        self.events.append((event, step.pv, self.clock.now))

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


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda m: setattr(m.pvs["B:rdbk"], "connected", False), "B:rdbk: not connected"),
        (lambda m: setattr(m.pvs["B:set"], "severity", 3), "B:set: its value is INVALID"),
        (lambda m: setattr(m.pvs["B:set"], "high", 24.0), "outside the machine's limits 0 to 24 A"),
        (lambda m: setattr(m.pvs["B:set"], "high", 0.0), "no drive limits"),
        (lambda m: setattr(m.pvs["B:set"], "value", 20.5), "B:set: stands at 20.5 A, the recording began at 20 A"),
    ],
)
def test_nothing_is_written_when_the_gate_refuses(spoil: object, reason: str) -> None:
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
    with pytest.raises(ReplayError, match="C:set: stands at 30 A, the recording began at 31 A"):
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
    assert "A:rdbk: reads 21 A instead of 18 A after 2 s" in result.failure
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
    assert "reads 20 A instead of 25 A" in result.failure
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


def test_a_pv_that_disconnects_is_left_and_named_and_the_others_go_back() -> None:
    run = Run(machine())

    def cut(pv: str, value: float) -> None:
        if value == 25.0:
            run.machine.pvs["B:set"].connected = run.machine.pvs["B:rdbk"].connected = False

    run.machine.on_put = cut
    result = run(plan(*THREE))
    assert "not connected" in result.failure
    assert result.restored == ("A:set",)
    assert result.left == ("B:set: should be 20 A: B:rdbk: not connected",)
    assert run.machine.pvs["A:set"].value == 10.0


def test_putting_back_stops_where_the_machine_does_not_follow() -> None:
    run = Run(machine())

    def stick(pv: str, value: float) -> None:
        if value == 18.0:
            run.machine.pvs["A:rdbk"].stuck = True
        if pv == "A:set" and value == 18.0:
            run.machine.pvs["A:rdbk"].value = 12.0

    run.machine.on_put = stick
    result = run(plan(*THREE))
    assert writes(run.machine)[3:] == [("A", 15.0)]
    assert not result.restored
    assert [text.split(":")[0] for text in result.left] == ["A", "B", "A"]
    assert "should be 20 A: not tried: A:set did not follow; the machine needs an operator" in result.left[1]


def test_somebody_elses_write_stops_the_replay_and_is_left_alone() -> None:
    run = Run(machine())

    def meddle(pv: str, value: float) -> None:
        if value == 25.0:
            run.machine.pvs["A:set"].value = 40.0

    run.machine.on_put = meddle
    result = run(plan(*THREE))
    assert "A:rdbk: stands at 40 A where the step begins at 15 A" in result.failure
    assert result.restored == ("B:set",)
    assert "somebody else has moved A:rdbk to 40 A" in result.left[0]
    assert run.machine.pvs["A:set"].value == 40.0


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
            if len(self.events) > 3:
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
