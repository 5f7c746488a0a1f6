"""A plan carried out on a machine: one step at a time, verified, and taken back when anything is not as it must be.

Nothing here knows faults or servers; the machine, the clock and the record of events are passed in.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gnomon.recorder.audit import Audit
from gnomon.recorder.errors import MachineError, ReplayError
from gnomon.recorder.gate import GateLimits, Verdict, check_state, equal, judge
from gnomon.recorder.machine import MachineClient, PvState
from gnomon.recorder.steps import Plan, Step

#: Time between readings of a PV that is on its way [s].
POLL_S = 0.05


class Clock(Protocol):
    """Time that a test can run."""

    def monotonic(self) -> float:
        """Seconds, never going back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The computer's time."""

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """`timeout_s` bounds each call, `settle_s` how long a readback may take; `pace` is the time between steps.

    `pace` "original" keeps the recorded times, a number is seconds from one step to the next, and None goes on as soon
    as a step is verified.
    """

    limits: GateLimits = field(default_factory=GateLimits)
    timeout_s: float = 5.0
    settle_s: float = 5.0
    pace: float | Literal["original"] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How a replay ended: `done` steps verified; `failure` why it stopped, empty when it did not.

    `restored` are the PVs put back, in order; `left` those that could not be, each with what it should be.
    """

    done: int
    failure: str = ""
    restored: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(slots=True)
class _Written:
    """A step that has been sent, with the setpoint before it; `verified` when the machine has followed."""

    step: Step
    before: float
    verified: bool = False


def examine(plan: Plan, machine: MachineClient, options: ReplayOptions) -> Verdict:
    """Connect to every PV of the plan, read it, and judge. Writes nothing; never raises for the machine."""
    names = [start.pv for start in plan.starts]
    for step in plan.steps:
        names += [step.pv, step.readback]
    names = list(dict.fromkeys(names))
    missing = machine.connect(names, options.timeout_s)
    if missing:
        return Verdict(tuple(f"{pv}: not connected" for pv in missing))
    states: dict[str, PvState] = {}
    drives: dict[str, tuple[float, float]] = {}
    troubles: list[str] = []
    try:
        for pv in names:
            states[pv] = machine.get(pv, options.timeout_s)
        for step in plan.steps:
            if step.pv not in drives:
                drives[step.pv] = machine.limits(step.pv, options.timeout_s)
    except MachineError as error:
        troubles.append(str(error))
    return Verdict((*troubles, *judge(plan, states, drives, options.limits).reasons))


def carry_out(
    plan: Plan,
    machine: MachineClient,
    options: ReplayOptions,
    audit: Audit,
    report: Callable[[str, Step], None],
    clock: Clock | None = None,
    uninterrupted: Callable[[], object] | None = None,
) -> Result:
    """Write the steps, each verified before the next; on any failure put back what was written, in reverse order.

    `report` is told of each step ("write", "verified", "restored", "left"). `uninterrupted` is called before
    putting back, so that a second interrupt does not stop that. Raises ReplayError, before anything is written, when
    the gate refuses. An interrupt also puts back and gives a result.
    """
    verdict = examine(plan, machine, options)
    if not verdict.accepted:
        raise ReplayError("the gate refuses, nothing was written:\n" + "\n".join(f"  {r}" for r in verdict.reasons))
    run = _Replay(machine, options, audit, report, clock or SystemClock())
    audit.note("begin", {"steps": len(plan.steps)})
    failure = "unforeseen error"
    restored: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    try:
        run.forward(plan.steps)
        failure = ""
    except KeyboardInterrupt:
        failure = "interrupted"
    except (MachineError, ReplayError) as error:
        failure = str(error)
    finally:  # whatever went wrong, the machine goes back first
        if failure:
            if uninterrupted is not None:
                uninterrupted()
            restored, left = run.back(failure)
    if not failure:
        audit.note("end", {"done": run.done})
    return Result(run.done, failure, restored, left)


class _Replay:
    def __init__(
        self,
        machine: MachineClient,
        options: ReplayOptions,
        audit: Audit,
        report: Callable[[str, Step], None],
        clock: Clock,
    ) -> None:
        self.machine = machine
        self.options = options
        self.audit = audit
        self.report = report
        self.clock = clock
        self.written: list[_Written] = []
        self.done = 0

    def forward(self, steps: Sequence[Step]) -> None:
        begin = self.clock.monotonic()
        for number, step in enumerate(steps):
            self._wait_for(begin + _due(steps, number, self.options.pace))
            before = self._stands_at_start(step)
            self.audit.note("write", {**_facts(step), "put_back": before})
            self.report("write", step)
            written = _Written(step, before)
            self.written.append(written)
            self.machine.put(step.pv, step.target, self.options.timeout_s)
            self._verify(step, step.target)
            written.verified = True
            self.done += 1
            self.audit.note("verified", _facts(step))
            self.report("verified", step)

    def back(self, failure: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Put back in reverse order; returns the PVs restored and, with what to put, those left.

        A PV that is out of reach or that somebody else has moved is left and told. One that answers but does not
        follow stops the putting back: the machine is not doing what it is told.
        """
        restored: list[str] = []
        left: list[str] = []
        lost: list[str] = []
        frozen = ""

        def note(event: str, facts: dict[str, object]) -> None:
            try:  # neither a full disk nor a closed terminal may keep the machine from going back
                self.audit.note(event, facts)
            except ReplayError as error:
                lost[:] = [str(error)]

        note("failed", {"reason": failure})
        for written in reversed(self.written):
            step = written.step
            trouble = frozen
            if not trouble:
                note("restore", {**_facts(step), "put_back": written.before})
                trouble, frozen = self._put_back(written)
            if trouble:
                left.append(f"{step.pv}: should be {written.before:.9g} {step.unit}: {trouble}")
                note("left", {**_facts(step), "put_back": written.before, "reason": trouble})
            else:
                restored.append(step.pv)
                note("restored", _facts(step))
            with suppress(OSError):
                self.report("left" if trouble else "restored", step)
        note("end", {"done": self.done, "left": len(left)})
        return tuple(restored), tuple(left + lost)

    def _put_back(self, written: _Written) -> tuple[str, str]:
        """Why a step could not be taken back, and why no other may be after it; empty texts when all is well."""
        step = written.step
        try:
            stands = self.machine.get(step.readback, self.options.timeout_s)
            if written.verified and not equal(stands.value, step.target, step, self.options.limits):
                return f"somebody else has moved {step.readback} to {stands.value:.9g} {step.unit}", ""
            self.machine.put(step.pv, written.before, self.options.timeout_s)
        except MachineError as error:
            return str(error), ""
        try:
            self._verify(step, step.start)
        except MachineError as error:
            return str(error), f"not tried: {step.pv} did not follow; the machine needs an operator"
        return "", ""

    def _stands_at_start(self, step: Step) -> float:
        """The setpoint before a step. Raises MachineError unless the PV shows what it showed in the recording."""
        limits, timeout = self.options.limits, self.options.timeout_s
        state = self.machine.get(step.readback, timeout)
        for reason in check_state(step.readback, state):
            raise MachineError(reason)
        if not equal(state.value, step.start, step, limits):
            raise MachineError(
                f"{step.readback}: stands at {state.value:.9g} {step.unit} where the step begins at "
                f"{step.start:.9g} {step.unit}: somebody else has moved it"
            )
        setpoint = self.machine.get(step.pv, timeout).value
        return setpoint if equal(setpoint, step.start, step, limits) else step.start

    def _verify(self, step: Step, wanted: float) -> None:
        """Wait until setpoint and readback have a value. Raises MachineError when they do not in time."""
        deadline = self.clock.monotonic() + self.options.settle_s
        while True:
            missed = ""
            for pv in dict.fromkeys((step.readback, step.pv)):
                state = self.machine.get(pv, self.options.timeout_s)
                reasons = check_state(pv, state)
                if reasons:
                    missed = reasons[0]
                elif not equal(state.value, wanted, step, self.options.limits):
                    missed = (
                        f"{pv}: reads {state.value:.9g} {step.unit} instead of {wanted:.9g} {step.unit} "
                        f"after {self.options.settle_s:g} s"
                    )
                if missed:
                    break
            if not missed:
                return
            if self.clock.monotonic() >= deadline:
                raise MachineError(missed)
            self.clock.sleep(POLL_S)

    def _wait_for(self, moment: float) -> None:
        while (rest := moment - self.clock.monotonic()) > 0.0:
            self.clock.sleep(min(rest, 1.0))


def _due(steps: Sequence[Step], number: int, pace: float | Literal["original"] | None) -> float:
    """When a step is due, in seconds from the beginning."""
    if pace is None:
        return 0.0
    if pace == "original":
        return max(0, steps[number].wall_ns - steps[0].wall_ns) / 1e9
    return pace * number


def _facts(step: Step) -> dict[str, object]:
    return {"sequence": step.sequence, "pv": step.pv, "from": step.start, "to": step.target, "unit": step.unit}
