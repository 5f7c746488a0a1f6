"""Random faults at random moments: the machine ends at its target, where it began, or frozen for the operator."""

import numpy as np
import pytest

from gnomon.recorder import MachineError
from gnomon.recorder.replay_execution import Result, carry_out
from gnomon.recorder.replay_machine import PvState
from unit.recorder.fake_machine import ListAudit
from unit.recorder.replaying.simulated_machine import (
    OPTIONS,
    Clock,
    SimulatedMachine,
    make_gate,
    make_plan,
    mls,
    quiet,
    steerers,
)

FAULTS = (
    "put lost", "stuck supply", "wrong polarity", "frozen monitor", "held monitor", "silence", "restart",
    "foreign write", "beam dump", "time-out of a put", "late put", "current drop",
)  # fmt: skip
FOREIGN = next(
    spec.name for spec in mls()[1]
    if spec.source == "set" and spec.property == "current" and spec.name not in {s.name for s in steerers()}
)  # fmt: skip


class FaultRun:
    """A replay of a random plan with one random fault, which begins at one of its writes."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.machine = SimulatedMachine(Clock(), seed)
        targets = self.rng.uniform(0.05, 0.4, 4) * self.rng.choice([-1.0, 1.0], 4)
        self.plan = make_plan(
            *((int(n), float(round(t, 3))) for n, t in zip(self.rng.permutation(4), targets, strict=True))
        )
        self.fault = str(self.rng.choice(FAULTS))
        self.begins = int(self.rng.integers(1, 8))
        self.happened = False
        self.last: Result | None = None
        self.machine.on_put = self.act

    def act(self, pv: str, value: float) -> None:
        machine = self.machine
        if len(machine.puts) != self.begins:
            return
        self.happened = True
        now = machine.clock.now
        monitor = next(iter(machine.monitor))
        match self.fault:
            case "put lost":
                machine.lost.add(pv)
                machine.on_put = lambda *_: machine.lost.clear()
            case "stuck supply":
                machine.stuck[pv] = machine.values[pv]
            case "wrong polarity":
                machine.polarity[pv] = -1.0
            case "frozen monitor":
                machine.frozen[monitor] = PvState(float(machine.orbit()[0]), 0, machine.clock.time_ns())
            case "held monitor":
                machine.held[monitor] = float(machine.orbit()[0])
            case "silence":
                machine.silent = (now, now + float(self.rng.uniform(1.0, 120.0)))
            case "restart":  # away for a while, and back with the values of its start
                machine.silent = (now, now + 20.0)
                machine.values |= machine.start
                machine.on_put = lambda *_: None
                raise MachineError(f"{pv}: not completed")
            case "foreign write":
                machine.values[FOREIGN] += 0.1
            case "beam dump":
                machine.beam = False
            case "time-out of a put":
                raise MachineError(f"{pv}: not completed")
            case "late put":
                machine.lost.add(pv)

                def late(name: str, _: float) -> None:
                    machine.lost.clear()
                    machine.values[pv] = value
                    machine.on_put = lambda *_: None

                machine.on_put = late
            case _:
                machine.current_ma *= 0.9

    def __call__(self) -> Result:
        gate = make_gate(self.plan, self.machine)
        self.audit = ListAudit()
        return carry_out(
            self.plan, self.machine, OPTIONS, self.audit, quiet, self.machine.clock, gate=gate,
            taken_over=lambda: self.machine.clock.now > 3600.0,
        )  # fmt: skip

    @property
    def own(self) -> list[str]:
        return [step.pv for step in self.plan.steps]


def check(run: FaultRun) -> str:
    """Return how it ended, which is one of the three ways that are allowed."""
    result = run.last = run()
    values = [run.machine.values[pv] for pv in run.own]
    if not result.failure:
        assert values == [step.target for step in run.plan.steps]
        return "done"
    if result.frozen:
        assert result.left, "the operator is told each value"
        assert run.audit.events[-1][0] == "frozen", "nothing more is written"
        return "frozen"
    assert not result.left, (run.fault, result)
    assert values == [0.0] * len(values), (run.fault, result)
    return "back"


@pytest.mark.parametrize("seed", range(len(FAULTS)))
def test_each_fault_ends_in_one_of_the_ways_that_are_allowed(seed: int) -> None:
    run = FaultRun(seed)
    run.fault, run.begins = FAULTS[seed], 3
    ended = check(run)
    assert run.happened
    assert ended != "done", run.fault


@pytest.mark.slow
def test_200_random_faults_end_in_one_of_the_ways_that_are_allowed() -> None:
    runs = [FaultRun(seed) for seed in range(1000, 1200)]
    ends = [check(run) for run in runs]
    happened = [run.happened for run in runs]
    assert sum(happened) > 150
    assert all(end == "done" for end, did in zip(ends, happened, strict=True) if not did)
    assert ends.count("back") > 100
    missed = [run.fault for run, end in zip(runs, ends, strict=True) if run.happened and end == "done"]
    # At the last write of all, an operator's own write and a dump may come after the last look.
    assert len(missed) <= 20, missed
