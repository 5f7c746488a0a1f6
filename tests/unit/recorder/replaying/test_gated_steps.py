"""A gated replay: each write is decided and compared with the beam; large steps go in parts that grow and shrink."""

import math

import pytest

from gnomon.recorder.replay_execution import Result, carry_out
from gnomon.recorder.replay_machine import PvState
from gnomon.recorder.replaying.gated_steps import StepView
from unit.recorder.fake_machine import ListAudit
from unit.recorder.replaying.simulated_machine import (
    OPTIONS,
    Clock,
    Rules,
    SimulatedMachine,
    make_gate,
    make_plan,
    quiet,
    steerers,
)

PLAN = make_plan((0, 0.3), (1, -0.2), (0, 0.5))


class Gated:
    def __init__(self, seed: int = 0) -> None:
        self.machine = SimulatedMachine(Clock(), seed)
        self.audit = ListAudit()
        self.views: list[StepView] = []
        self.rules = Rules()
        self.settle_s = 0.0

    def __call__(self, plan: object = PLAN) -> Result:
        self.gate = make_gate(plan, self.machine, self.rules, views=self.views, settle_s=self.settle_s)  # type: ignore[arg-type]
        return carry_out(plan, self.machine, OPTIONS, self.audit, quiet, self.machine.clock, gate=self.gate)  # type: ignore[arg-type]

    @property
    def is_back(self) -> bool:
        return self.machine.values == self.machine.start

    def parts(self, number: int) -> list[float]:
        pv = PLAN.steps[number].pv
        return [v.command.step.target for v in self.views if v.after is None and v.command.step.pv == pv]


def test_steps_are_made_in_parts_that_grow_with_success_and_each_is_measured() -> None:
    run = Gated()
    assert run() == Result(3)
    sizes = [abs(v.command.step.target - v.command.step.start) for v in run.views if v.after is not None]
    assert sizes[:3] == pytest.approx([0.1, 0.1, 0.1])
    assert max(sizes) == pytest.approx(0.2)
    assert run.machine.values[PLAN.steps[0].pv] == 0.5
    assert [e for e, _ in run.audit.events[1:6]] == ["write", "sent", "verified", "measured", "write"]
    assert run.gate.predictor.observed == len(sizes)  # type: ignore[union-attr]


@pytest.mark.parametrize(("polarity", "back"), [(1.0, False), (-1.0, True)])
def test_readings_that_average_over_a_second_neither_miss_nor_hide_a_miss(polarity: float, back: bool) -> None:
    run = Gated()
    run.machine.clock.now, run.settle_s = 30.3, 0.5
    run.machine.period_s, run.machine.averaging_s, run.machine.delay_s = 1.0, 1.0, 0.5
    run.machine.polarity[PLAN.steps[1].pv] = polarity
    result = run()
    assert (run.is_back, bool(result.failure), result.frozen) == (back, back, "")
    shares = [view.outcome.share for view in run.views if view.outcome is not None]
    assert max(shares[:3]) < 1.0, "all is as predicted before the wrong polarity"
    if back:
        assert shares[-1] > 2.0, "the whole of the miss is seen"
        assert not run.gate.way_back.remarks, "and the beam is back, in whole readings"


def test_parts_of_a_pv_keep_its_rate() -> None:
    run = Gated()
    run.rules.max_rate = 0.01
    times: list[float] = []
    run.machine.on_put = lambda pv, value: times.append(run.machine.clock.now)
    run()
    assert times[1] - times[0] >= 0.1 / 0.01
    run = Gated()
    run.rules.max_rate = 0.01
    run.machine.polarity[PLAN.steps[1].pv] = -1.0
    times.clear()
    run.machine.on_put = lambda pv, value: times.append(run.machine.clock.now)
    assert run().failure
    assert times[-1] - times[-2] >= 0.1 / 0.01, "the way back has the same rate"


def test_a_step_whose_bound_leaves_the_limits_is_refused_before_anything_is_written() -> None:
    run = Gated()
    run.rules.orbit_mm = 0.001
    result = run()
    assert "refused by the gate: orbit: " in result.failure
    assert not run.machine.puts


def test_a_later_step_that_is_refused_takes_the_earlier_ones_back() -> None:
    run = Gated()
    run.rules.orbit_mm = 1.0
    result = run()
    assert "refused by the gate: orbit" in result.failure
    assert result.done >= 1 or result.restored
    assert run.is_back


FAULTS = ("wrong polarity", "doubled scale", "stuck magnet", "held monitor", "swapped monitors")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_after_one_write_and_all_goes_back(fault: str) -> None:
    run = Gated()
    pv = PLAN.steps[0].pv
    monitor = next(iter(run.machine.monitor))
    match fault:
        case "wrong polarity":
            run.machine.polarity[pv] = -1.0
        case "doubled scale":
            run.machine.polarity[pv] = 2.0
        case "stuck magnet":
            run.machine.polarity[pv] = 0.0
        case "held monitor":
            run.machine.held[monitor] = 0.0
        case _:
            run.machine.swapped = True
    result = run()
    assert "half widths from the prediction" in result.failure
    assert [v.outcome is not None for v in run.views] == [False, True]
    assert run.is_back
    assert not result.frozen
    assert not result.left


def test_a_monitor_whose_time_stamp_stays_is_not_taken_for_a_measurement() -> None:
    run = Gated()
    run.machine.frozen[next(iter(run.machine.monitor))] = PvState(0.0, 0, 1)
    result = run()
    assert result.failure
    assert run.is_back


def test_a_beam_that_is_lost_stops_it_and_the_settings_go_back_without_a_look_at_the_beam() -> None:
    run = Gated()
    run.machine.on_put = lambda pv, value: setattr(run.machine, "beam", pv != PLAN.steps[1].pv and run.machine.beam)
    result = run()
    assert "there is no beam" in result.failure
    assert run.is_back
    assert any("without a look at the beam" in remark for remark in run.gate.way_back.remarks)


def test_a_beam_that_does_not_come_back_with_the_settings_freezes() -> None:
    run = Gated()

    def misalign(pv: str, value: float) -> None:
        if pv == PLAN.steps[1].pv:
            run.machine.polarity[PLAN.steps[0].pv] = 1.5

    run.machine.on_put = misalign
    result = run()
    assert result.failure
    assert "but the beam is not where it was before" in result.frozen
    puts = len(run.machine.puts)
    assert any(f"{PLAN.steps[0].pv}: should be" in left for left in result.left)
    assert ("frozen", "") in run.audit.events
    assert len(run.machine.puts) == puts
    assert run.machine.puts[-1][0] == PLAN.steps[1].pv, "nothing is written once it is frozen"


def test_a_supply_that_answers_and_does_not_follow_its_roll_back_freezes_after_a_while() -> None:
    run = Gated()
    pv = PLAN.steps[0].pv

    def stick(name: str, value: float) -> None:
        if math.isclose(value, 0.2):
            run.machine.stuck[pv] = 0.15

    run.machine.on_put = stick
    result = run()
    assert "instead of 0.2" in result.failure
    assert "has not followed for 60 s" in result.frozen
    assert run.machine.clock.now < 200.0


def test_a_machine_that_is_silent_for_minutes_ends_where_it_began() -> None:
    run = Gated()

    def fall_silent(pv: str, value: float) -> None:
        if pv == PLAN.steps[1].pv and run.machine.silent[0] > 1e9:
            run.machine.silent = (run.machine.clock.now, run.machine.clock.now + 300.0)

    run.machine.on_put = fall_silent
    result = run()
    assert "no answer" in result.failure
    assert not result.frozen
    assert run.is_back


def test_the_steerers_of_these_tests_are_four_different_ones() -> None:
    assert len({spec.name for spec in steerers()}) == 4


def test_somebody_elses_write_that_moves_the_beam_is_named_as_the_reason() -> None:
    run = Gated()
    other = steerers()[2].name

    def meddle(pv: str, value: float) -> None:
        run.machine.values[other] = 0.3

    run.machine.on_put = meddle
    result = run()
    assert f"{other} = 0.3 A instead of 0 A: someone else has changed it" in result.failure
    assert "but the beam is not where it was before" in result.frozen
    assert run.machine.values[other] == 0.3


def test_a_decision_that_has_become_old_before_its_write_is_not_written() -> None:
    """A disk that hangs, or a process that was stopped, between the decision and the put."""
    run = Gated()
    run.rules.monotonic = run.machine.clock.monotonic
    noted = run.audit.note

    def hang(event: str, facts: object) -> None:
        if event == "write" and len(run.machine.puts) == 1:
            run.machine.clock.sleep(3600.0)
        noted(event, facts)

    run.audit.note = hang  # type: ignore[method-assign]
    result = run()
    assert "not written: decided 3600 s ago" in result.failure
    assert [value for _, value in run.machine.puts] == pytest.approx([0.1, 0.0])
    assert run.is_back
    assert "not_sent" in [event for event, _ in run.audit.events]
