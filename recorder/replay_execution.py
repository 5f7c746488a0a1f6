"""The execution of a plan on a machine: one step at a time, verified, and rolled back if anything is wrong.

Nothing here depends on faults or servers; the machine, the clock and the record of events are passed in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Literal, Protocol

from gnomon.recorder.audit import Audit, AuditFile
from gnomon.recorder.gate import (
    NO_BOUND,
    GateLimits,
    Verdict,
    check_prediction,
    check_state,
    check_step,
    equal,
    judge,
)
from gnomon.recorder.net_steps import make_net_plan
from gnomon.recorder.recorder_errors import FrozenError, MachineError, ReplayError
from gnomon.recorder.replay_machine import MachineClient, PvState
from gnomon.recorder.replay_steps import Plan, Step, make_plan
from gnomon.recorder.rollback import PutBackCheck, Report, RollBack, Written, facts
from gnomon.recorder.verifying import Clock, SystemClock, Verifier
from gnomon.recorder.watch import StartWatch
from gnomon.recorder.without_faults import without_faults

__all__ = [
    "NO_BOUND",
    "AuditFile",
    "GateLimits",
    "MachineClient",
    "Plan",
    "PvState",
    "ReplayOptions",
    "Report",
    "Result",
    "Step",
    "Verdict",
    "carry_out",
    "check_prediction",
    "check_step",
    "make_net_plan",
    "make_plan",
    "without_faults",
]

#: Time between checks of the start state while the next step is not due [s].
WATCH_S = 1.0


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Options: `timeout_s` bounds each call, `settle_s` the time of a readback; `pace` is the time between steps.

    `pace` "original" keeps the recorded times, a number is the time from one step to the next [s], and None goes on as
    soon as a step is verified.
    """

    limits: GateLimits = field(default_factory=GateLimits)
    timeout_s: float = 5.0
    settle_s: float = 5.0
    pace: float | Literal["original"] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a replay: `done` steps were verified; `failure` is the reason why it stopped, or empty.

    `restored` are the PVs put back, in order; `left` those that could not be, each with the value that it should have.
    `frozen` is the reason why nothing more was written: the operator must act.
    """

    done: int
    failure: str = ""
    restored: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    frozen: str = ""


@dataclass(frozen=True, slots=True)
class PlanPart:
    """One write: a step of the plan or a part of it; `moves` are PVs of the start state that it changes."""

    number: int
    step: Step
    moves: Mapping[str, float] = field(default_factory=dict)


class StepGate(PutBackCheck, Protocol):
    """The part of a gate in each write; see `gnomon.recorder.replaying.gated_steps.GatedSteps`, which is one.

    All methods may raise MachineError or ReplayError: the replay stops then, and puts back.
    """

    def permit(self, number: int, at: float) -> tuple[PlanPart, Mapping[str, object]]:
        """Choose the next write on the way from `at` to the target of a step of the plan, predict and decide.

        Returns it, all of the rest or a first part of it, and what the record keeps of the decision. Raises ReplayError
        with all reasons if it is refused.
        """
        ...

    def still_holds(self, part: PlanPart) -> None:
        """Check, last before the put, that the decision is not too old. Raises ReplayError."""
        ...

    def compare(self, part: PlanPart) -> Mapping[str, object]:
        """Measure after a verified write, and compare; return what the record keeps of it."""
        ...


def examine(plan: Plan, machine: MachineClient, options: ReplayOptions) -> Verdict:
    """Connect to every PV of the plan, read it, and judge. Writes nothing; machine errors become reasons."""
    names = [start.pv for start in plan.starts]
    for step in plan.steps:
        names += [step.pv, step.readback, *filter(None, [step.back_pv])]
    names = list(dict.fromkeys(names))
    missing = machine.connect(names, options.timeout_s)
    if missing:
        return Verdict(tuple(f"{pv}: not connected" for pv in missing))
    states: dict[str, PvState] = {}
    drives: dict[str, tuple[float, float]] = {}
    troubles: list[str] = []
    try:
        states |= machine.get_all(names, options.timeout_s)
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
    report: Report,
    clock: Clock | None = None,
    uninterrupted: Callable[[], object] | None = None,
    taken_over: Callable[[], bool] = lambda: False,
    gate: StepGate | None = None,
) -> Result:
    """Write the steps, each verified before the next; on any failure put back what was written, in reverse order.

    The start state of the recording is watched throughout. Putting back continues until all of it is verified, or until
    `taken_over` is true because an operator has taken over the machine; values set by someone else are left alone. With
    a `gate`, each write is predicted, decided, and compared with what the beam does, and large steps go in parts;
    putting back ends frozen if the beam does not go back with the settings.

    `report` is called for each step ("write", "verified", "restored", "waiting", "left") with a remark. `uninterrupted`
    is called before putting back, so that a second interrupt does not stop it. Raises ReplayError if the gate refuses,
    before anything is written. An interrupt also puts back and gives a result.
    """
    verdict = examine(plan, machine, options)
    if not verdict.accepted:
        raise ReplayError("replay refused, nothing was written:\n" + "\n".join(f"  {r}" for r in verdict.reasons))
    run = Replay(plan, machine, options, audit, report, clock or SystemClock(), taken_over, gate)
    audit.note("begin", {"steps": len(plan.steps)})
    return run.all(uninterrupted or (lambda: None))


class Replay:
    """A replay: steps that were `done`, and what was `written`, which a resumed one has from an earlier process.

    `check` is that of the roll-back, if it is not the gate's.
    """

    def __init__(
        self,
        plan: Plan,
        machine: MachineClient,
        options: ReplayOptions,
        audit: Audit,
        report: Report,
        clock: Clock,
        taken_over: Callable[[], bool],
        gate: StepGate | None = None,
        written: Sequence[Written] = (),
        done: int = 0,
        check: PutBackCheck | None = None,
    ) -> None:
        self.plan = plan
        self.machine = machine
        self.options = options
        self.audit = audit
        self.report = report
        self.clock = clock
        self.taken_over = taken_over
        self.gate = gate
        self.check = check if check is not None else gate
        self.watch = StartWatch(plan, machine, options.limits, options.timeout_s)
        self.verifier = Verifier(machine, options.limits, options.timeout_s, options.settle_s, clock)
        self.written: list[Written] = list(written)
        self.done = done
        #: True if an earlier process has written, whether that is back or not.
        self.written_before = bool(written)

    def all(self, uninterrupted: Callable[[], object], before: Callable[[], None] = lambda: None) -> Result:
        """Go forward, and on any failure, also of what is to be done `before`, back."""
        failure = "unexpected error"
        restored: tuple[str, ...] = ()
        left: tuple[str, ...] = ()
        frozen = ""
        try:
            before()
            self.forward()
            failure = ""
        except KeyboardInterrupt:
            failure = "interrupted"
        except (MachineError, ReplayError) as error:
            failure = str(error)
        finally:  # whatever went wrong, the machine goes back first
            if failure:
                restored, left, frozen = self.back(failure, uninterrupted)
        if not failure:
            self.audit.note("end", {"done": self.done, "status": "done"})
        return Result(self.done, failure, restored, left, frozen)

    def put_back(self, reason: str, uninterrupted: Callable[[], object]) -> Result:
        """Go back, for a reason."""
        restored, left, frozen = self.back(reason, uninterrupted)
        return Result(self.done, reason, restored, left, frozen)

    def forward(self) -> None:
        """Write all steps that are not done. Raises MachineError, ReplayError."""
        begin = self.clock.monotonic()
        first = self.done
        for number, step in enumerate(self.plan.steps[first:], first):
            self._wait_for(begin + _due(self.plan.steps[first:], number - first, self.options.pace))
            own = [w.step.target for w in self.written if w.number == number]
            while not own or own[-1] != step.target:
                own.append(self._write(number, own[-1] if own else step.start))
            self.done += 1
            self.audit.note("step", {"done": self.done})
        self.watch.check()

    def _write(self, number: int, at: float) -> float:
        """Write a step, or a part of it, from the value `at` on; return the value that was written."""
        self.watch.check()
        if self.gate is not None:
            part, permitted = self.gate.permit(number, at)
        else:
            part, permitted = PlanPart(number, self.plan.steps[number], self.watch.moved_by(number)), {}
        step = part.step
        shown, before = self._check_start_of(step)
        known = {"number": number, "step": asdict(step), "shown": shown, "put_back": before}
        self.audit.note("write", {**facts(step), **known, **permitted})
        self.report("write", step, "")
        if self.gate is not None:  # a slow answer, a slow disk, a process that was stopped: all take time
            try:
                self.gate.still_holds(part)
            except ReplayError:
                self.audit.note("not_sent", facts(step))
                raise
        self.written.append(Written(step, shown, before, number=number))
        self.machine.put(step.pv, step.target, self.options.timeout_s)
        self.audit.note("sent", facts(step))
        self.verifier.verify(step, step.target, partial(self.watch.check_moved, step, part.moves))
        self.watch.advance(step, part.moves)
        self.audit.note("verified", facts(step))
        self.report("verified", step, "")
        if self.gate is not None:
            try:
                measured = self.gate.compare(part)
            except ReplayError:
                self.watch.check()  # somebody else's write, which explains a miss, is the reason to tell
                raise
            self.audit.note("measured", {**facts(step), **measured})
        return step.target

    def back(self, failure: str, uninterrupted: Callable[[], object]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
        """Put back in reverse order; return PVs restored, those left with their values, why nothing more is sent."""
        roll_back = RollBack(
            self.written,
            self.machine,
            self.verifier,
            self.options.limits,
            self.audit,
            self.report,
            self.clock,
            self.taken_over,
            self.check,
        )
        begun = False
        while True:
            try:
                uninterrupted()
                if not begun:
                    begun = True
                    roll_back.note("failed", {"reason": failure})
                roll_back.run()
                left = [*roll_back.left, *self._moved_besides()]
                status = "left" if left else "rolled_back" if self.written or self.written_before else "stopped"
                roll_back.note("end", {"done": self.done, "left": len(left), "status": status})
                return tuple(roll_back.restored), tuple(left), ""
            except FrozenError as error:
                roll_back.note("frozen", {"reason": str(error), "left": roll_back.still_to_put_back()})
                return tuple(roll_back.restored), roll_back.still_to_put_back(), str(error)
            except KeyboardInterrupt:  # only an operator who takes over ends this
                continue

    def _moved_besides(self) -> list[str]:
        """List PVs that steps changed without writing them, as an optics changes supplies, and that are not back."""
        own = {pv for w in self.written for pv in (w.step.pv, w.step.readback)}
        numbers = {w.number for w in self.written if w.number < len(self.plan.steps)}
        besides = {pv for number in numbers for pv in self.watch.moved_by(number)} - own
        left = []
        for start in self.plan.starts:
            if start.pv in besides:
                try:
                    stands = self.machine.get(start.pv, self.options.timeout_s).value
                except MachineError as error:
                    left.append(f"{start.pv}: should be {start.value:.9g} {start.unit}: {error}")
                    continue
                if not abs(stands - start.value) <= self.options.limits.tolerance * start.range:
                    left.append(
                        f"{start.pv}: should be {start.value:.9g} {start.unit}: is {stands:.9g} {start.unit}, "
                        "changed by a step that was put back"
                    )
        return left

    def _check_start_of(self, step: Step) -> tuple[float, float]:
        """Read a setpoint's value before a step, and find the value to put back.

        Raises MachineError unless the PV has the value that it had in the recording.
        """
        limits, timeout = self.options.limits, self.options.timeout_s
        state = self.machine.get(step.readback, timeout)
        for reason in check_state(step.readback, state):
            raise MachineError(reason)
        if not equal(state.value, step.start, step, limits):
            raise MachineError(
                f"{step.readback} = {state.value:.9g} {step.unit}, but the step begins at "
                f"{step.start:.9g} {step.unit}: someone else has changed it"
            )
        setpoint = self.machine.get(step.pv, timeout).value
        return setpoint, setpoint if equal(setpoint, step.start, step, limits) else step.start

    def _wait_for(self, moment: float) -> None:
        """Wait until a moment, and watch the start state meanwhile."""
        while (rest := moment - self.clock.monotonic()) > 0.0:
            self.clock.sleep(min(rest, WATCH_S))
            self.watch.check()


def _due(steps: Sequence[Step], number: int, pace: float | Literal["original"] | None) -> float:
    """Calculate when a step is due, from the beginning [s]."""
    if pace is None:
        return 0.0
    if pace == "original":
        return max(0, steps[number].wall_ns - steps[0].wall_ns) / 1e9
    return pace * number
