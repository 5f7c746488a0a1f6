"""Replays that end in any way: their state is kept at each phase, and another process goes on, or puts back.

Nothing is sent again without reading back first.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from gnomon.recorder.audit import Audit
from gnomon.recorder.gate import equal
from gnomon.recorder.recorder_errors import ReplayError
from gnomon.recorder.replay_execution import Replay, ReplayOptions, Result
from gnomon.recorder.replay_machine import MachineClient
from gnomon.recorder.replay_steps import Plan
from gnomon.recorder.replaying.gated_steps import GatedSteps
from gnomon.recorder.replaying.replay_state import (
    Phase,
    ReplayState,
    StateFile,
    Status,
    WrittenPart,
    after,
)
from gnomon.recorder.rollback import PutBackCheck, Report, Written
from gnomon.recorder.verifying import Clock

__all__ = ["KeptState", "resume", "roll_back"]

_NOTHING = Plan((), (), ())


class KeptState:
    """`Audit` that keeps the state on disk before it passes each event on to another audit."""

    def __init__(self, file: StateFile, state: ReplayState, audit: Audit) -> None:
        self.state = state
        self._file = file
        self._audit = audit

    def note(self, event: str, facts: Mapping[str, object]) -> None:
        """See `Audit`."""
        state = after(self.state, event, facts)
        if state is not self.state or event == "begin":
            self._file.save(state)
            self.state = state
        self._audit.note(event, {"replay": state.id, **_plain(facts)})


def resume(
    kept: KeptState,
    plan: Plan,
    machine: MachineClient,
    options: ReplayOptions,
    report: Report,
    clock: Clock,
    gate: GatedSteps,
    uninterrupted: Callable[[], object] = lambda: None,
    taken_over: Callable[[], bool] = lambda: False,
) -> Result:
    """Go on with a replay whose process has ended; a write that was on its way is first looked for on the machine.

    The trust region restarts at its first size. Raises ReplayError if the replay is over or was being put back.
    """
    state = kept.state
    if state.status is not Status.RUNNING:
        raise ReplayError(f"replay {state.id} cannot go on: it is {state.status}; {_remedy(state)}")
    kept.note("resume", {"done": state.done})
    run = Replay(plan, machine, options, kept, report, clock, taken_over, gate, _written(state.pending), state.done)
    gate.way_back.recall(state.pending)
    gate.go_on_from(state.sums)
    return run.all(uninterrupted, before=partial(_look_for, run, kept, gate, options))


def roll_back(
    kept: KeptState,
    machine: MachineClient,
    options: ReplayOptions,
    report: Report,
    clock: Clock,
    check: PutBackCheck | None,
    uninterrupted: Callable[[], object] = lambda: None,
    taken_over: Callable[[], bool] = lambda: False,
) -> Result:
    """Put back what a replay has written whose process has ended. Raises ReplayError if nothing is to be put back."""
    state = kept.state
    if not state.status.open:
        raise ReplayError(f"replay {state.id} is {state.status}: there is nothing to put back")
    pvs = dict.fromkeys(pv for w in state.pending for pv in (w.step.pv, w.step.readback, w.step.back_pv) if pv)
    machine.connect(pvs, options.timeout_s)
    reason = f"{'rolled back' if state.written else 'ended'} by hand, after: {state.reason or 'its process ended'}"
    written = _written(state.pending)
    run = Replay(_NOTHING, machine, options, kept, report, clock, taken_over, None, written, state.done, check)
    run.written_before = bool(state.written)
    return run.put_back(reason, uninterrupted)


def _plain(value: Any) -> Any:
    """Write NaN and infinities, which JSON lacks, as null."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _written(parts: Sequence[WrittenPart]) -> list[Written]:
    return [Written(part.step, part.shown, part.before, number=part.number) for part in parts]


def _look_for(run: Replay, kept: KeptState, gate: GatedSteps, options: ReplayOptions) -> None:
    """Bring the watch and the gate to where the replay was, and find out what became of the last write."""
    machine = run.machine
    for part in kept.state.pending[:-1]:
        _made(run, gate, part)
    if not kept.state.pending:
        return
    last = kept.state.pending[-1]
    if last.phase is Phase.INTENDED:
        stands = machine.get(last.step.pv, options.timeout_s).value
        if equal(stands, last.shown, last.step, options.limits):
            kept.note("not_sent", {"pv": last.step.pv})
            run.written.pop()
            return
        if not equal(stands, last.step.target, last.step, options.limits):
            raise ReplayError(
                f"{last.step.pv} = {stands:.9g} {last.step.unit} is neither the value before the last write nor the "
                "one that was written: someone else has set it"
            )
        kept.note("sent", {"pv": last.step.pv})
    _made(run, gate, last)
    run.verifier.verify(last.step, last.step.target)
    if last.phase is not Phase.MEASURED:
        measured = gate.compare_stored(last.number, last.step, last.reading, last.band)
        kept.note("measured", {"pv": last.step.pv, **measured})
    if last.step.target == run.plan.steps[last.number].target and run.done == last.number:
        run.done += 1
        kept.note("step", {"done": run.done})


def _made(run: Replay, gate: GatedSteps, part: WrittenPart) -> None:
    run.watch.advance(part.step, gate.made(part.number, part.step))


def _remedy(state: ReplayState) -> str:
    return f"gnomon replay --rollback {state.id}" if state.status.open else "there is nothing left to do"
