"""The dry run of a gated replay: every write in the parts in which it would be made, each decided; nothing is written.

After each write, the beam is taken to be where it is expected, and the settings where they are put.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from gnomon.recorder.bounds import Band, Predicts, Reading
from gnomon.recorder.gating import Code, GateCommand, History, MachineState, PvReading, Reason
from gnomon.recorder.replay_steps import Plan
from gnomon.recorder.replaying.commands_of_plan import PlanCommands
from gnomon.recorder.replaying.gated_steps import BY_SIZE, MAX_HALVINGS, GateRules, StepView

__all__ = ["RehearsalClock", "recorded_state", "rehearse"]

#: A rehearsal ends after this many writes: steps that need more are too large for their limits.
MAX_WRITES = 2000

#: Time beyond that which the rate asks for: a computer that has run for days rounds its clock [s].
SPARE_S = 1e-3


class RehearsalClock:
    """The running time of a rehearsal, for its rules."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        """Return the time [s]."""
        return self.now


def rehearse(
    commands: PlanCommands,
    rules: GateRules,
    predictor: Predicts | None,
    state: MachineState,
    clock: RehearsalClock | None = None,
) -> Iterator[StepView]:
    """Decide about all writes from a `state` on. A refused write is shown, and the next ones as if it had been made.

    `clock` is the one that the rules have; it is set to the time of each state.
    """
    clock = clock or RehearsalClock()
    history = History()
    steps = commands.plan.steps
    writes = 0
    for number, step in enumerate(steps):
        at = step.start
        while True:
            writes += 1
            command = _next(commands, rules, number, at, history)
            state = _waited(state, abs(command.step.target - at) / rules.rate(step.pv) + SPARE_S)
            state = replace(state, settings=commands.settings(number, at))
            clock.now = state.monotonic_s
            verdict = rules.decide(command, state, predictor, history)
            for _ in range(MAX_HALVINGS):
                if commands.is_whole(number) or verdict.accepted_if_armed or not _by_size(verdict.reasons):
                    break
                command = commands.command(number, at, 0.5 * (at + command.step.target))
                verdict = rules.decide(command, state, predictor, history)
            view = StepView(number, len(steps), command, verdict, state.reading)
            yield view
            state, history = _after(view, rules, state, history)
            at = command.step.target
            if at == step.target:
                break
            if not verdict.accepted_if_armed or writes >= MAX_WRITES:  # the rest of it is as refused as this part
                rest = commands.command(number, at, step.target)
                state = _moved(state, rest)
                history = rules.sent(rest, history, state.monotonic_s)
                break
        if writes >= MAX_WRITES:
            return


def recorded_state(plan: Plan, commands: PlanCommands, reference: Reading, now_ns: int) -> MachineState:
    """Make the state with which a recording began, as if a machine showed it now: for a dry run without a machine."""
    pvs = {start.pv: PvReading(start.value, 0, now_ns, True, 0.0, start.unit) for start in plan.starts}
    for step in reversed(plan.steps):
        for pv in (step.readback, step.pv):
            value = pvs[pv].value if pv in pvs else step.start
            pvs[pv] = PvReading(value, 0, now_ns, True, 0.0, step.unit, step.low, step.high)
    settings = commands.settings(0, plan.steps[0].start)
    return MachineState(pvs, settings, replace(reference, time_ns=now_ns), now_ns, 0.0)


def _next(commands: PlanCommands, rules: GateRules, number: int, at: float, history: History) -> GateCommand:
    step = commands.plan.steps[number]
    whole = commands.command(number, at, step.target)
    largest = rules.largest_step(whole, history)
    if commands.is_whole(number) or not largest > 0.0 or abs(step.target - at) <= largest * (1.0 + 1e-9):
        return whole
    return commands.command(number, at, at + math.copysign(largest, step.target - at))


def _by_size(reasons: Iterable[Reason]) -> bool:
    return all(reason.code in BY_SIZE or reason.code is Code.NOT_ARMED for reason in reasons)


def _after(view: StepView, rules: GateRules, state: MachineState, history: History) -> tuple[MachineState, History]:
    """Take a write for made, and the beam for where it is expected."""
    history = rules.sent(view.command, history, state.monotonic_s)
    band = view.verdict.band
    reading = state.reading if band is None else expected_reading(band, state.reading)
    if band is not None:
        history = rules.assess(view.command, band, state.reading, reading, history).history
    return replace(_moved(state, view.command), reading=reading), history


def expected_reading(band: Band, before: Reading) -> Reading:
    """Make the reading that a band expects; what it does not know stays."""
    m = len(before.orbit)
    orbit = np.column_stack((band.expected[:m], band.expected[m : 2 * m]))
    tune = band.expected[2 * m : 2 * m + 2]
    return replace(
        before,
        orbit=np.where(np.isfinite(orbit), orbit, before.orbit),
        tune=np.where(np.isfinite(tune), tune, before.tune),
    )


def _moved(state: MachineState, command: GateCommand) -> MachineState:
    step = command.step
    moves: Mapping[str, float] = {**command.moves, step.pv: step.target, step.readback: step.target}
    pvs = {pv: replace(each, value=moves[pv]) if pv in moves else each for pv, each in state.pvs.items()}
    return replace(state, pvs=pvs)


def _waited(state: MachineState, seconds: float) -> MachineState:
    """Let time pass; all values are as fresh as before."""
    ns = round(seconds * 1e9) if math.isfinite(seconds) else 0
    pvs = {
        pv: replace(each, stamp_ns=each.stamp_ns + ns, read_s=each.read_s + ns / 1e9) for pv, each in state.pvs.items()
    }
    return replace(
        state,
        pvs=pvs,
        reading=replace(state.reading, time_ns=state.reading.time_ns + ns),
        now_ns=state.now_ns + ns,
        monotonic_s=state.monotonic_s + ns / 1e9,
    )
