"""Replays with a random fault: does the machine end where it began, or frozen with the operator called?

The replays and their faults are those of tests/unit/recorder/replaying/test_random_faults.py, in memory: a plan of four
steps of steerers, and one fault that begins at a random one of its writes.
"""

from dataclasses import dataclass, field

import numpy as np

from unit.recorder.replaying.simulated_machine import NOISE_MM, response, steerers
from unit.recorder.replaying.test_random_faults import FaultRun

#: Seed of the first run; the others follow.
FIRST_SEED = 10_000
#: Ends of a replay, in the order of the table. The last one must not be.
NO_FAULT, BACK, FROZEN, DONE, ELSEWHERE = ENDS = (
    "the fault never came: all steps made",
    "back within the readback noise of the start",
    "frozen, with the operator called and told each value",
    "all steps made: the fault came at the last write, after the last look",
    "somewhere else, and nobody called",
)


@dataclass(slots=True)
class RollbackCounts:
    """Ends of the replays, by fault; `texts` of those that ended elsewhere."""

    ends: dict[str, dict[str, int]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def of(self, end: str) -> int:
        """Number of replays with an end."""
        return sum(each.get(end, 0) for each in self.ends.values())

    @property
    def runs(self) -> int:
        """Number of replays."""
        return sum(sum(each.values()) for each in self.ends.values())


def replay_with_faults(runs: int) -> RollbackCounts:
    """Make `runs` replays with a fault each."""
    counts = RollbackCounts()
    for seed in range(FIRST_SEED, FIRST_SEED + runs):
        run = FaultRun(seed)
        end = _end(run)
        of = counts.ends.setdefault(run.fault, {})
        of[end] = of.get(end, 0) + 1
        if end == ELSEWHERE:
            counts.texts.append(f"seed {seed}, {run.fault}: {run.last}")
    return counts


def _end(run: FaultRun) -> str:
    result = run.last = run()
    values = run.machine.values
    reached = all(values[step.pv] == step.target for step in run.plan.steps)
    if not result.failure:
        return ELSEWHERE if not reached else DONE if run.happened else NO_FAULT
    if result.frozen:
        return FROZEN if result.left else ELSEWHERE
    return BACK if not result.left and away_mm(run) <= NOISE_MM else ELSEWHERE


def away_mm(run: FaultRun) -> float:
    """Largest distance of the true orbit at a monitor from that at the start, without noise [mm]."""
    machine = run.machine
    drive = [machine.polarity.get(s.name, 1.0) * (machine.actual(s.name) - machine.start[s.name]) for s in steerers()]
    return float(np.abs(np.asarray(drive) @ response()[:, :-2]).max())
