"""The gate's rules for one session: the limits of a machine, an authority, and a clock that bounds a decision."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from gnomon.recorder.bounds import Band, Predicts, Reading
from gnomon.recorder.gating.assessing import Outcome, assess
from gnomon.recorder.gating.deciding import decide
from gnomon.recorder.gating.history import History
from gnomon.recorder.gating.limits import Limits
from gnomon.recorder.gating.reasons import Code, Reason
from gnomon.recorder.gating.trust_region import TrustRegion
from gnomon.recorder.gating.verdict import Authority, GateCommand, MachineState, Verdict

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """All that stays the same during a session. `monotonic` is the clock of `MachineState.monotonic_s`."""

    limits: Limits
    authority: Authority
    monotonic: Callable[[], float] = time.monotonic

    def decide(
        self, command: GateCommand, state: MachineState, predictor: Predicts | None, history: History
    ) -> Verdict:
        """Decide about a command. A decision that took so long that its state is not fresh any more refuses."""
        verdict = decide(command, state, predictor, self.limits, history, self.authority)
        lapsed = self.lapsed(state)
        return replace(verdict, reasons=(*verdict.reasons, Reason(Code.STALE, lapsed))) if lapsed else verdict

    def lapsed(self, state: MachineState) -> str:
        """Say why a decision about a state does not hold any more, by age or by the token's end; empty if it does."""
        age_s, limit_s = self.monotonic() - state.monotonic_s, self.limits.document.fresh.max_age_s
        if not 0.0 <= age_s <= limit_s:
            return f"{age_s:.3f} s have passed since the state was read on which it was decided (limit {limit_s:g} s)"
        if self.authority.armed and not state.now_ns + round(1e9 * age_s) < self.authority.expires_ns:
            return "the time of the token is over"
        return ""

    def sent(self, command: GateCommand, history: History, monotonic_s: float) -> History:
        """Return the history with a command that was accepted and is written."""
        return history.sent(command, self.authority.approved, monotonic_s)

    def assess(
        self, command: GateCommand, band: Band | None, before: Reading, after: Reading, history: History
    ) -> Outcome:
        """Compare the reading after a step with its band. Never raises."""
        return assess(command.family, band, before, after, self.limits, history)

    def largest_step(self, command: GateCommand, history: History) -> float:
        """Return the largest step that limits and trust region allow now, in the PV's unit; 0 for a PV without row."""
        row, trust = self.limits.row(command.step.pv), self.limits.document.trust_region
        region = history.regions.get(command.family, TrustRegion(trust.start, trust.smallest, trust.grow_after))
        return region.size * row.max_step if row is not None else 0.0

    def rate(self, pv: str) -> float:
        """Return the largest rate of a PV [unit/s]; infinite for a PV without row, which is refused anyway."""
        row = self.limits.row(pv)
        return row.max_rate if row is not None else math.inf

    @property
    def stop_band(self) -> float:
        """The deviation at which a session stops, in half widths of the band."""
        return self.limits.document.outcome.stop_band
