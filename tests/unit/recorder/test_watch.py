"""Watch over the start state of a recording: our own steps are expected, changes of others are not."""

import math
from dataclasses import dataclass, field

import pytest

from gnomon.recorder.gate import GateLimits
from gnomon.recorder.recorder_errors import MissedError
from gnomon.recorder.replay_machine import INVALID, MachineClient, PvState
from gnomon.recorder.replay_steps import Plan, Start, Step
from gnomon.recorder.watch import StartWatch


def step(pv: str, start: float, target: float) -> Step:
    return Step(1, 0, f"{pv}:set", f"{pv}:rdbk", "A", start, target, target, -50.0, 50.0)


def start(pv: str, value: float) -> Start:
    return Start(pv, "A", value, 100.0)


@dataclass
class FakeMachine:
    values: dict[str, float]
    severities: dict[str, int] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    def get_all(self, pvs: tuple[str, ...], timeout_s: float) -> dict[str, PvState]:
        assert timeout_s == 0.5
        self.read += pvs
        return {pv: PvState(self.values[pv], self.severities.get(pv, 0)) for pv in pvs if pv in self.values}


VALUES = {"A:set": 1.0, "A:rdbk": 1.0, "A:k1": 0.1, "B:set": 5.0}
LIMITS = GateLimits(tolerance=1e-3)  # 0.1 A of the range, or a tenth of the smallest step


def watch(moves: bool = True, limits: GateLimits = LIMITS) -> tuple[StartWatch, FakeMachine]:
    machine = FakeMachine(dict(VALUES))
    plan = Plan(
        (step("A", 1.0, 2.0), step("A", 2.0, 2.5)),
        (),
        tuple(start(pv, value) for pv, value in VALUES.items()),
        ({"A:k1": 0.2, "C:set": 9.0}, {"A:k1": 0.25}) if moves else (),
    )
    client: MachineClient = machine  # type: ignore[assignment]
    return StartWatch(plan, client, limits, 0.5), machine


def advance(watched: StartWatch) -> None:
    watched.advance(step("A", 1.0, 2.0), watched.moved_by(0))


def check_moved(watched: StartWatch) -> None:
    watched.check_moved(step("A", 1.0, 2.0), watched.moved_by(0))


def test_the_start_state_as_recorded_passes_and_all_of_it_is_read() -> None:
    watched, machine = watch()
    watched.check()
    assert sorted(machine.read) == sorted(VALUES)


@pytest.mark.parametrize("pv", VALUES)
def test_a_change_of_any_pv_is_found_and_named_with_both_values(pv: str) -> None:
    watched, machine = watch()
    machine.values[pv] += 0.5
    with pytest.raises(MissedError, match=rf"{pv} = {machine.values[pv]:g} A instead of {VALUES[pv]:g} A: someone"):
        watched.check()


def test_the_tolerance_follows_the_range_or_the_smallest_step() -> None:
    watched, machine = watch()
    machine.values |= {"B:set": 5.0999, "A:set": 1.0499}  # a thousandth of 100 A; a tenth of 0.5 A
    watched.check()
    machine.values["B:set"] = 5.1001
    with pytest.raises(MissedError, match="B:set"):
        watched.check()
    machine.values |= {"B:set": 5.0, "A:set": 1.0501}
    with pytest.raises(MissedError, match="A:set"):
        watched.check()


@pytest.mark.parametrize("broken", [math.nan, math.inf, None, INVALID])
def test_a_value_that_means_nothing_does_not_pass(broken: float | None) -> None:
    watched, machine = watch()
    if broken is None:
        del machine.values["B:set"]
    elif broken == INVALID:
        machine.severities["B:set"] = INVALID
    else:
        machine.values["B:set"] = broken
    with pytest.raises(MissedError, match="B:set: its value is"):
        watched.check()


def test_a_step_moves_its_own_pvs_and_those_of_the_start_state_that_follow_it() -> None:
    assert watch()[0].moved_by(0) == {"A:set": 2.0, "A:rdbk": 2.0, "A:k1": 0.2}
    assert watch(moves=False)[0].moved_by(1) == {"A:set": 2.5, "A:rdbk": 2.5}


def test_a_change_by_our_own_step_is_expected_after_it_and_not_before() -> None:
    watched, machine = watch()
    machine.values |= {"A:set": 2.0, "A:rdbk": 2.0, "A:k1": 0.2}
    with pytest.raises(MissedError, match="A:set = 2 A instead of 1 A"):
        watched.check()
    advance(watched)
    watched.check()
    machine.values |= VALUES
    with pytest.raises(MissedError, match="A:set = 1 A instead of 2 A"):
        watched.check()


def test_after_a_step_its_own_tolerance_holds() -> None:
    watched, machine = watch(limits=GateLimits(tolerance=1.0))
    machine.values |= {"A:set": 2.09, "A:rdbk": 2.0, "A:k1": 0.2}  # a tenth of the step of 1 A
    advance(watched)
    watched.check()
    machine.values["A:set"] = 2.11
    with pytest.raises(MissedError, match="A:set"):
        watched.check()


def test_check_moved_reads_only_what_follows_the_step() -> None:
    watched, machine = watch()
    machine.values |= {"A:set": 2.0, "A:rdbk": 2.0, "A:k1": 0.2, "B:set": 99.0}
    check_moved(watched)
    assert machine.read == ["A:k1"]
    machine.values["A:k1"] = 0.6
    with pytest.raises(MissedError, match=r"A:k1 = 0\.6 A instead of 0\.2 A"):
        check_moved(watched)


def test_a_step_that_nothing_follows_reads_nothing() -> None:
    watched, machine = watch(moves=False)
    check_moved(watched)
    assert machine.read == []
