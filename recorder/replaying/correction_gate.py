"""The gate of a correction: what a procedure proposes and an operator tells to make, without a recording.

The procedure is the author, and the operator, who has seen the proposal, the reviewer; the right ends after half an
hour. Limits of the orbit count from the orbit at the start, so they bound what the correction moves.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gnomon.db.pvs import PvSpec
from gnomon.lattice import Lattice
from gnomon.recorder.bounds import Predicts, kind_of, optics_digest
from gnomon.recorder.gating import Approved, Authority, Limits, Rules
from gnomon.recorder.recorder_errors import ReplayError
from gnomon.recorder.replay_machine import MachineClient
from gnomon.recorder.replay_steps import Plan
from gnomon.recorder.replaying.beam_meter import NEW_READINGS_S, BeamMeter, beam_pvs
from gnomon.recorder.replaying.commands_of_plan import PlanCommands
from gnomon.recorder.replaying.gated_steps import GatedSteps, StepView
from gnomon.recorder.verifying import SystemClock, WallClock

__all__ = ["CorrectionGate", "SystemClock", "settle_times"]

#: Time for which a correction may be made [s].
VALID_S = 1800.0


@dataclass(frozen=True)
class CorrectionGate:
    """Makes the gate of each correction. `author` is the program that proposes, `reviewer` the operator."""

    limits: Limits
    predictor: Predicts
    reviewer: str
    author: str = "procedure"
    observer: Callable[[StepView], None] = lambda view: None
    clock: WallClock | None = None

    def __call__(
        self, plan: Plan, machine: MachineClient, present: Lattice, specs: Sequence[PvSpec], timeout_s: float
    ) -> GatedSteps:
        """Make the gate of a plan that begins at `present`. Raises MachineError, and ReplayError without monitors."""
        clock, ring = self.clock or SystemClock(), present.ring
        pvs = beam_pvs(specs, [bpm.name for bpm in ring.bpms])
        meter = BeamMeter(machine, pvs, timeout_s, NEW_READINGS_S, clock)
        if missing := (*meter.connect(), *machine.connect([start.pv for start in plan.starts], timeout_s)):
            raise ReplayError(f"nothing was written: {missing[0]}: not connected")
        now_ns = clock.time_ns()
        approved = Approved(
            id="correction",
            machine=ring.name,
            document_digest=ring.digest,
            optics_digest=optics_digest(present),
            steps=None,
            starts=plan.starts,
            reference=meter.measure(),
            pvs=frozenset(step.pv for step in plan.steps),
        )
        authority = Authority(
            approved=approved,
            token_id=f"correction-{secrets.token_hex(8)}",
            author=self.author,
            reviewer=self.reviewer,
            granted_ns=now_ns,
            granted_s=clock.monotonic(),
            expires_ns=now_ns + round(VALID_S * 1e9),
            limits_digest=self.limits.digest,
        )
        return GatedSteps(
            commands=PlanCommands(plan, present, specs, lambda lattice, key: kind_of(lattice.ring, (key,))),
            machine=machine,
            meter=meter,
            rules=Rules(self.limits, authority, clock.monotonic),
            predictor=self.predictor,
            clock=clock,
            timeout_s=timeout_s,
            settle_s=settle_times(present, specs),
            observer=self.observer,
        )


def settle_times(lattice: Lattice, specs: Sequence[PvSpec]) -> Callable[[str], float]:
    """Make the function that finds how long the beam takes after a PV's readback [s], by the machine document."""
    by_pv = {spec.name: lattice.ring.settle_time_s(spec.device, spec.property) for spec in specs if spec.writable}
    return lambda pv: by_pv.get(pv, 0.0)
