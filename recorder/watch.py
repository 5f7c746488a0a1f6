"""The state that a recording began from, watched for as long as it is replayed."""

import math
from collections.abc import Mapping

from gnomon.recorder.errors import MissedError
from gnomon.recorder.gate import GateLimits, check_state, smallest_steps, tolerance_of
from gnomon.recorder.machine import MachineClient, PvState
from gnomon.recorder.steps import Plan, Start


class StartWatch:
    """Where each PV of the start state must stand at the moment: as recorded, or where our own steps have put it."""

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
        """Which PVs of the start state stand elsewhere after a step, and where."""
        step = self._plan.steps[number]
        moves = dict(self._plan.moves[number]) if self._plan.moves else {}
        moves |= dict.fromkeys((step.pv, step.readback), step.target)
        return {pv: value for pv, value in moves.items() if pv in self._starts}

    def advance(self, number: int) -> None:
        """Expect what a step has moved where it should be now."""
        step = self._plan.steps[number]
        self._expected |= self.moved_by(number)
        for pv in (step.pv, step.readback):
            if pv in self._starts:  # no tighter than what counted as there
                self._tolerances[pv] = tolerance_of(step.range, abs(step.target - step.start), self._limits)

    def check(self) -> None:
        """Read all of it. Raises MissedError for the first PV that was moved, MachineError for one without answer."""
        self._compare(self._machine.get_all(tuple(self._expected), self._timeout_s), self._expected)

    def check_moved(self, number: int) -> None:
        """Read what a step should have moved besides its own PVs. Raises MissedError for the first one elsewhere."""
        step = self._plan.steps[number]
        moves = {pv: value for pv, value in self.moved_by(number).items() if pv not in (step.pv, step.readback)}
        if moves:
            self._compare(self._machine.get_all(tuple(moves), self._timeout_s), moves)

    def _compare(self, states: Mapping[str, PvState], expected: Mapping[str, float]) -> None:
        for pv, value in expected.items():
            for reason in check_state(pv, states.get(pv)):
                raise MissedError(reason)
            stands, start = states[pv].value, self._starts[pv]
            if not abs(stands - value) <= self._tolerances[pv]:
                raise MissedError(
                    f"{pv}: stands at {stands:.9g} {start.unit} instead of {value:.9g} {start.unit}: "
                    "somebody else has moved it"
                )
