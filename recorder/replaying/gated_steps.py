"""The gate in each write of a replay: predict and decide before it, measure and compare after it.

It is not machine protection and must not be counted as such.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gnomon.recorder.bounds import Band, Predicts, Reading, measured_observables, values_of
from gnomon.recorder.gating import Code, GateCommand, History, MachineState, Outcome, PvReading, Verdict
from gnomon.recorder.recorder_errors import ReplayError
from gnomon.recorder.replay_execution import PlanPart
from gnomon.recorder.replay_machine import MachineClient
from gnomon.recorder.replay_steps import Step
from gnomon.recorder.replaying.beam_meter import Meter
from gnomon.recorder.replaying.beam_put_back import BeamPutBack
from gnomon.recorder.replaying.commands_of_plan import PlanCommands
from gnomon.recorder.replaying.replay_state import StoredBand, StoredReading, StoredSums
from gnomon.recorder.verifying import WallClock

__all__ = ["GateRules", "GatedSteps", "StepView"]

#: A refused part is halved this often before it is refused for good: smaller steps have narrower bounds.
MAX_HALVINGS = 4

#: Reasons that a smaller part may not have.
BY_SIZE = frozenset(code for code in Code if code.startswith("bound_")) | {
    Code.RESONANCE, Code.MAX_STEP, Code.TRUST_REGION, Code.TIERS_DISAGREE, Code.DISTRUST,
}  # fmt: skip


class GateRules(Protocol):
    """The gate's decisions with the limits of one machine, and the authority to write."""

    def decide(
        self, command: GateCommand, state: MachineState, predictor: Predicts | None, history: History
    ) -> Verdict:
        """Decide about a command. Raises nothing."""
        ...

    def largest_step(self, command: GateCommand, history: History) -> float:
        """Return the largest step that limits and trust region allow now, in the PV's unit; 0 for a PV without."""
        ...

    def rate(self, pv: str) -> float:
        """Return the largest rate of a PV [unit/s]; infinite for a PV without one, which is refused anyway."""
        ...

    def lapsed(self, state: MachineState) -> str:
        """Say why a decision about a state does not hold any more; empty if it does."""
        ...

    def sent(self, command: GateCommand, history: History, monotonic_s: float) -> History:
        """Return the history with a command that was accepted and is written."""
        ...

    def assess(
        self, command: GateCommand, band: Band | None, before: Reading, after: Reading, history: History
    ) -> Outcome:
        """Compare a measurement with the band. Raises nothing."""
        ...

    @property
    def stop_band(self) -> float:
        """The deviation at which a replay stops, in units of the half width of the band."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class StepView:
    """One step as an operator sees it: decided (`after` None), and then measured."""

    number: int
    steps: int
    command: GateCommand
    verdict: Verdict
    before: Reading
    after: Reading | None = None
    outcome: Outcome | None = None


@dataclass
class GatedSteps:
    """The gate of one replay (`StepGate`): it holds what changes from step to step, all of which is immutable.

    `settle_s` is the time that the beam takes after the readback of a PV has arrived.
    """

    commands: PlanCommands
    machine: MachineClient
    meter: Meter
    rules: GateRules
    predictor: Predicts | None
    clock: WallClock
    settle_s: Callable[[str], float]
    timeout_s: float = 5.0
    patience_s: float = 60.0
    history: History = field(default_factory=History)
    observer: Callable[[StepView], None] = lambda view: None

    def __post_init__(self) -> None:
        self.way_back = BeamPutBack(
            self.meter, self.rules.rate, self.rules.stop_band, self.clock, self.settle_s, self.patience_s
        )
        self._units: dict[str, str] = {}
        self._decided: StepView | None = None
        self._state: MachineState | None = None

    def permit(self, number: int, at: float) -> tuple[PlanPart, Mapping[str, object]]:
        """See `StepGate`."""
        step = self.commands.plan.steps[number]
        whole = self.commands.command(number, at, step.target)
        rest = abs(step.target - at)
        largest = self.rules.largest_step(whole, self.history)
        if self.commands.is_whole(number) or not largest > 0.0:
            largest = rest
        for halving in range(MAX_HALVINGS + 1):
            command = whole
            if rest > largest * (1.0 + 1e-9):
                command = self.commands.command(number, at, at + math.copysign(largest, step.target - at))
            self.way_back.wait_for_rate(command.step)
            verdict, before = self.judge(command)
            last = halving == MAX_HALVINGS or self.commands.is_whole(number)
            if verdict.accepted or last or not all(reason.code in BY_SIZE for reason in verdict.reasons):
                break
            largest = min(largest, rest) / 2.0
        self._decided = StepView(number, len(self.commands.plan.steps), command, verdict, before)
        self.observer(self._decided)
        if not verdict.accepted:
            raise ReplayError("refused by the gate: " + "; ".join(reason.text for reason in verdict.reasons))
        band = verdict.band
        if band is not None:
            self.way_back.remember(command.step, before, _half_width(band))
        self.history = self.rules.sent(command, self.history, self.clock.monotonic())
        self.way_back.sent(command.step.pv)
        moves = {**command.moves, command.step.pv: command.step.target, command.step.readback: command.step.target}
        return PlanPart(number, command.step, moves), {
            "margin": verdict.margin if math.isfinite(verdict.margin) else None,
            "not_checked": list(verdict.not_checked),
            "reading": StoredReading.of(before).model_dump(),
            "band": None if band is None else stored_band(band, before).model_dump(),
        }

    def judge(self, command: GateCommand) -> tuple[Verdict, Reading]:
        """Read the machine and decide about a command. Raises MachineError."""
        self._state = state = self.state(command)
        return self.rules.decide(command, state, self.predictor, self.history), state.reading

    def still_holds(self, part: PlanPart) -> None:
        """See `StepGate`."""
        lapsed = "nothing was decided" if self._state is None else self.rules.lapsed(self._state)
        if lapsed:
            raise ReplayError(f"{part.step.pv}: not written: {lapsed}")

    def compare(self, part: PlanPart) -> Mapping[str, object]:
        """See `StepGate`. Raises ReplayError with all reasons for which the replay must stop."""
        decided = self._decided
        assert decided is not None, "permit comes before compare"
        after = self.meter.measure(self.settle_s(part.step.pv))
        outcome = self.rules.assess(decided.command, decided.verdict.band, decided.before, after, self.history)
        self.history = outcome.history
        view = StepView(decided.number, decided.steps, decided.command, decided.verdict, decided.before, after, outcome)
        self.observer(view)
        if outcome.reasons:
            if decided.verdict.band is not None:
                self.way_back.doubt(_missed(decided.verdict.band, after, self.rules.stop_band))
            raise ReplayError(
                f"command {part.step.sequence}, {part.step.pv}: " + "; ".join(each.text for each in outcome.reasons)
            )
        if self.predictor is not None and decided.verdict.band is not None:
            settings = self.commands.settings(part.number, part.step.start)
            changes = {key: new for key, (_, new) in decided.command.changes.items()}
            self.predictor = self.predictor.observe(settings, changes, decided.verdict.band, after)
        return _measured(after, outcome)

    def made(self, number: int, step: Step) -> Mapping[str, float]:
        """Count a write that an earlier process has made; return the PVs of the start state that it moved."""
        command = self.commands.command(number, step.start, step.target)
        self.history = self.rules.sent(command, self.history, self.clock.monotonic())
        self.way_back.sent(step.pv)
        return command.moves

    def go_on_from(self, sums: StoredSums) -> None:
        """Take over the sums of small misses of an earlier process."""
        self.history = replace(self.history, cusum=sums.cusum())

    def compare_stored(
        self, number: int, step: Step, before: StoredReading | None, band: StoredBand | None
    ) -> Mapping[str, object]:
        """Measure, and compare with the band that an earlier process has predicted. Raises ReplayError."""
        if before is None or band is None:
            raise ReplayError(f"{step.pv}: the prediction for the last write is lost")
        command = self.commands.command(number, step.start, step.target)
        after = self.meter.measure(self.settle_s(step.pv))
        predicted = _restored(band, [bpm.name for bpm in self.commands.lattice(number, step.start).ring.bpms])
        outcome = self.rules.assess(command, predicted, before.reading(), after, self.history)
        self.history = outcome.history
        if outcome.reasons:
            raise ReplayError(f"{step.pv}: after the last write: " + "; ".join(each.text for each in outcome.reasons))
        return _measured(after, outcome)

    def pace(self, step: Step) -> None:
        """See `StepGate`."""
        self.way_back.pace(step)

    def put_back(self, steps: Sequence[Step]) -> None:
        """See `StepGate`."""
        self.way_back.put_back(steps)

    def state_of_all(self) -> MachineState:
        """Read all that decisions about the whole plan need. Raises MachineError."""
        steps = self.commands.plan.steps
        state = self.state(self.commands.command(0, steps[0].start, steps[0].target))
        pvs = dict(state.pvs)
        names = dict.fromkeys(pv for step in steps for pv in (step.pv, step.readback) if pv not in pvs)
        for pv, read in self.machine.get_all(tuple(names), self.timeout_s).items():
            pvs[pv] = PvReading(read.value, read.severity, read.stamp_ns, True, state.monotonic_s, self._unit(pv))
        for pv in dict.fromkeys(step.pv for step in steps):
            low, high = self.machine.limits(pv, self.timeout_s)
            pvs[pv] = replace(pvs[pv], low=low, high=high)
        return replace(state, pvs=pvs)

    def state(self, command: GateCommand) -> MachineState:
        """Read all that a decision about a command needs. Raises MachineError."""
        step = command.step
        names = dict.fromkeys((*(start.pv for start in self.commands.plan.starts), step.pv, step.readback))
        reading = self.meter.read()
        read_s = self.clock.monotonic()
        states = self.machine.get_all(tuple(names), self.timeout_s)
        low, high = self.machine.limits(step.pv, self.timeout_s)
        now = self.clock.monotonic()
        pvs = {
            pv: PvReading(state.value, state.severity, state.stamp_ns, True, read_s, self._unit(pv))
            for pv, state in states.items()
        }
        own = states[step.pv]
        pvs[step.pv] = PvReading(own.value, own.severity, own.stamp_ns, True, read_s, self._unit(step.pv), low, high)
        for pv, state in self.meter.states.items():
            pvs[pv] = PvReading(state.value, state.severity, state.stamp_ns, True, now)
        settings = self.commands.settings(command.number, step.start)
        return MachineState(pvs, settings, reading, self.clock.time_ns(), now)

    def _unit(self, pv: str) -> str:
        if pv not in self._units:
            self._units[pv] = self.machine.unit(pv, self.timeout_s)
        return self._units[pv]


def stored_band(band: Band, before: Reading) -> StoredBand:
    """Keep the part of a band that a measurement shows."""
    count = before.orbit.size + before.tune.size
    return StoredBand(
        expected=tuple(map(float, band.expected[:count])),
        lower=tuple(map(float, band.lower[:count])),
        upper=tuple(map(float, band.upper[:count])),
        measured=tuple(map(bool, band.measured[:count])),
        coverage=float(band.coverage),
    )


def _restored(band: StoredBand, monitors: Sequence[str]) -> Band:
    """Return the part of a band that was kept."""
    half = 0.5 * (np.array(band.upper) - np.array(band.lower))
    return Band(
        observables=measured_observables(monitors),
        expected=np.array(band.expected),
        lower=np.array(band.lower),
        upper=np.array(band.upper),
        scale=half,
        measured=np.array(band.measured),
        coverage=band.coverage,
        tier=1,
        calibration_id="",
    )


def _measured(after: Reading, outcome: Outcome) -> Mapping[str, object]:
    """Describe a measurement for the record."""
    return {
        "after": StoredReading.of(after).model_dump(),
        "share": _number(outcome.share),
        "sums": StoredSums.of(outcome.history.cusum).model_dump(),
    }


def _half_width(band: Band) -> NDArray[np.float64]:
    half: NDArray[np.float64] = 0.5 * (band.upper - band.lower)
    return half


def _missed(band: Band, after: Reading, stop_band: float) -> NDArray[np.bool_]:
    """Find the readings that are beyond the stop band, in the order of a reading; those that are not shown are not."""
    values = values_of(band, after)[: after.orbit.size + after.tune.size]
    with np.errstate(invalid="ignore"):
        shares = np.abs(values - band.expected[: values.size]) / _half_width(band)[: values.size]
    return np.isfinite(shares) & (shares > stop_band)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
