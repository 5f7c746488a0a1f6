"""Watch over the start state of a recording during its replay."""

import math
from collections.abc import Mapping

from gnomon.recorder.gate import GateLimits, check_state, smallest_steps, tolerance_of
from gnomon.recorder.recorder_errors import MissedError
from gnomon.recorder.replay_machine import MachineClient, PvState
from gnomon.recorder.replay_steps import Plan, Start, Step


class StartWatch:
    """The expected present value of each PV of the start state: as recorded, or as changed by our own steps."""

    def __init__(self, plan: Plan, machine: MachineClient, limits: GateLimits, timeout_s: float) -> None:
        self._plan = plan
        self._machine = machine
        self._limits = limits
        self._timeout_s = timeout_s
        smallest = smallest_steps(plan)
        self._starts: dict[str, Start] = {start.pv: start for start in plan.starts}
        self._tolerances = {
            pv: tolerance_of(start.range, smallest.get(pv, math.inf), limits) for pv, start in self._starts.items()
        }
        self._expected = {pv: start.value for pv, start in self._starts.items()}

    def moved_by(self, number: int) -> dict[str, float]:
        """Find the PVs of the start state that a step changes, with their new values."""
        step = self._plan.steps[number]
        moves = dict(self._plan.moves[number]) if self._plan.moves else {}
        moves |= dict.fromkeys((step.pv, step.readback), step.target)
        return {pv: value for pv, value in moves.items() if pv in self._starts}

    def advance(self, step: Step, moves: Mapping[str, float]) -> None:
        """Expect the new values of the PVs that a step, which may be a part of the plan's, has changed."""
        own = dict.fromkeys((step.pv, step.readback), step.target)
        self._expected |= {pv: value for pv, value in {**moves, **own}.items() if pv in self._starts}
        for pv in own:
            if pv in self._starts:  # the tolerance by which the step was verified
                self._tolerances[pv] = tolerance_of(step.range, abs(step.target - step.start), self._limits)

    def check(self) -> None:
        """Read all PVs. Raises MissedError for the first one that was changed, MachineError for one without answer."""
        self._compare(self._machine.get_all(tuple(self._expected), self._timeout_s), self._expected)

    def check_moved(self, step: Step, moves: Mapping[str, float]) -> None:
        """Read the other PVs that a step should have changed. Raises MissedError for the first wrong value."""
        others = {pv: v for pv, v in moves.items() if pv in self._starts and pv not in (step.pv, step.readback)}
        if others:
            self._compare(self._machine.get_all(tuple(others), self._timeout_s), others)

    def _compare(self, states: Mapping[str, PvState], expected: Mapping[str, float]) -> None:
        for pv, value in expected.items():
            for reason in check_state(pv, states.get(pv)):
                raise MissedError(reason)
            stands, start = states[pv].value, self._starts[pv]
            if not abs(stands - value) <= self._tolerances[pv]:
                raise MissedError(
                    f"{pv} = {stands:.9g} {start.unit} instead of {value:.9g} {start.unit}: someone else has changed it"
                )
