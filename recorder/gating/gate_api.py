"""The gate around any setter: each value is decided before it is written, and the measurement compared after it.

The gate is not machine protection and must not be counted as such.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil, isfinite
from types import TracebackType
from typing import NoReturn, Protocol, Self

from gnomon.recorder.audit import Audit
from gnomon.recorder.bounds import Predicts
from gnomon.recorder.gating.history import History
from gnomon.recorder.gating.reasons import Code, Reason
from gnomon.recorder.gating.rules import Rules
from gnomon.recorder.gating.situation import needed, tolerance_of
from gnomon.recorder.gating.verdict import GateCommand, MachineState, Verdict
from gnomon.recorder.recorder_errors import FrozenError, ReplayError
from gnomon.recorder.replay_machine import INVALID
from gnomon.recorder.verifying import POLL_S, Clock, SystemClock

__all__ = ["Gate", "GateRefusedError", "GateStoppedError", "MakesCommands"]


#: Defaults of a machine whose times are not known [s]: a power supply's settling, and the average of a tune meter.
SETTLE_S, AVERAGING_S = 0.5, 1.0

#: Reasons that a part of the way does not change: with one of them, not even the first part is written.
ABOUT_THE_TARGET = frozenset(
    {Code.NOT_ARMED, Code.PV_NOT_ALLOWED, Code.NOT_FINITE, Code.UNIT, Code.MISSING_LIMIT, Code.STATIC_LIMIT,
     Code.CUMULATED, Code.NOT_APPROVED}
)  # fmt: skip


class GateRefusedError(ReplayError):
    """The gate has refused a value, and nothing was written; `verdict` has every reason."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"refused, nothing was written: {verdict}")
        self.verdict = verdict


class GateStoppedError(ReplayError):
    """A value was written, and the machine did not do what was predicted: the gate is closed. `reasons` say why."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__(f"stopped, nothing more is written: {'; '.join(reason.text for reason in reasons)}")
        self.reasons = reasons


class MakesCommands(Protocol):
    """Makes the command for a value of a PV; see `SetpointCommands`."""

    def command(self, pv: str, value: float, state: MachineState) -> GateCommand:
        """Make it. Raises ReplayError."""
        ...


@dataclass(frozen=True, slots=True)
class _Written:
    """A write that may stand on the machine."""

    command: GateCommand
    before: float


class Gate:
    """Decides, writes and compares, one value after the other; as a context manager it puts back after an error.

    `put(pv, value)` is any setter that returns when the machine has taken the value, or raises. `observe()` reads the
    machine; the time of its reading is that of the oldest value in it. `commands` makes commands from names and values.
    Every decision and write is in `audit` before it acts.

    What is compared was measured after the write: the beam stands still `settle_s` after the readback has arrived, and
    `averaging_s`, that of the slowest meter, after that, what is new shows this state alone. `timeout_s` bounds the
    time of the readback, and that of new readings. All [s].
    """

    def __init__(
        self,
        rules: Rules,
        predictor: Predicts | None,
        commands: MakesCommands,
        observe: Callable[[], MachineState],
        put: Callable[[str, float], object],
        audit: Audit,
        *,
        settle_s: float = SETTLE_S,
        averaging_s: float = AVERAGING_S,
        timeout_s: float = 30.0,
        clock: Clock | None = None,
        history: History | None = None,
    ) -> None:
        self.rules = rules
        self.predictor = predictor
        self.history = history or History()
        self._commands = commands
        self._observe = observe
        self._put = put
        self._audit = audit
        self._settle_s = settle_s
        self._averaging_s = averaging_s
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._written: list[_Written] = []
        self._pending: tuple[GateCommand, MachineState, Verdict] | None = None
        self._stopped: tuple[Reason, ...] = ()

    def check(self, pv: str, value: float) -> Verdict:
        """Decide about a value without writing it. The verdict holds for the machine as it is now, and no longer."""
        return self._decide(pv, value)[2]

    def put(self, pv: str, value: float) -> None:
        """Bring a PV to a value, in parts if limits or the trust region need that, each decided and compared.

        Raises GateRefusedError before a part is written, GateStoppedError after one, and what the setter raises.
        """
        while True:
            part = self.next_value(pv, value)
            self.allow(pv, part)
            self._still_holds(pv)
            try:
                self._put(pv, part)
            except Exception as error:
                self._stopped = (Reason(Code.FAILED_CHECK, f"{pv}: the setter failed: {error}"),)
                raise
            self.confirm()
            if part == value:
                return

    def next_value(self, pv: str, value: float) -> float:
        """Choose how far to go next on the way to a value, and wait until the rate of the PV allows that.

        Raises GateRefusedError for a value that no parts make acceptable, before the first of them is written.
        """
        command, state, whole = self._decide(pv, value)
        if any(reason.code in ABOUT_THE_TARGET for reason in whole.reasons):
            self._refuse(command, state, whole)
        part = self._part(command)
        self._wait_for_rate(pv, abs(part - command.step.start))
        return part

    def allow(self, pv: str, value: float) -> Verdict:
        """Decide about a value that the caller then writes itself, and confirms. Raises GateRefusedError.

        The value to put back is in the audit when this returns. For values that something else writes, such as a
        Bluesky plan; `put` does all of it.
        """
        if self._pending is not None:
            raise ReplayError(f"{self._pending[0].step.pv}: confirm this value before another one is written")
        command, state, verdict = self._decide(pv, value)
        if not verdict.accepted:
            self._refuse(command, state, verdict)
        before = state.pvs[pv].value
        self._audit.note("write", facts_of(command) | {"put_back": before, "margin": _finite(verdict.margin)})
        self.history = self.rules.sent(command, self.history, state.monotonic_s)
        self._written.append(_Written(command, before))
        self._pending = command, state, verdict
        return verdict

    def _still_holds(self, pv: str) -> None:
        """Raise GateStoppedError if the decision is too old to write by, and close the gate."""
        assert self._pending is not None, "allowed before"
        if lapsed := self.rules.lapsed(self._pending[1]):
            self._pending = None
            self._written.pop()
            self._stop((Reason(Code.STALE, f"{pv}: not written: {lapsed}"),))

    def confirm(self) -> None:
        """Wait until the allowed value is there, measure, and compare. Raises GateStoppedError, and closes the gate."""
        if self._pending is None:
            raise ReplayError("there is no value to confirm: allow one first")
        (command, before, verdict), self._pending = self._pending, None
        try:
            self._wait_until(lambda state: self._is_at(state, command, command.step.target))
            after = self._measure(command)
        except ReplayError as error:
            self._stop((Reason(Code.MISSED_BAND, f"{command.step.pv}: {error}"),))
        outcome = self.rules.assess(command, verdict.band, before.reading, after.reading, self.history)
        self.history = outcome.history
        self._audit.note("measured", facts_of(command) | {"share": _finite(outcome.share)})
        if outcome.reasons:
            self._stop(outcome.reasons)
        if self.predictor is not None and verdict.band is not None:
            changes = {key: new for key, (_, new) in command.changes.items()}
            self.predictor = self.predictor.observe(before.settings, changes, verdict.band, after.reading)

    def roll_back(self) -> None:
        """Put back everything that was written, the last first, in steps and at the rate that the limits allow.

        A PV that someone else has set is left. Raises FrozenError if a PV does not follow: nothing more is written
        then, and the text says what to put back by hand.
        """
        self._pending = None
        while self._written:
            last = self._written[-1]
            step = last.command.step
            now = self._stands(step.pv)
            if not min(abs(now - own) for own in self._own(step.pv)) <= self._tolerance(last.command):
                self._audit.note("left", facts_of(last.command) | {"put_back": last.before, "stands": now})
                self._written = [each for each in self._written if each.command.step.pv != step.pv]
                continue
            self._audit.note("restore", facts_of(last.command) | {"put_back": last.before})
            try:
                self._bring_back(last, now)
            except Exception as error:  # noqa: BLE001 - whatever fails calls the operator
                self._freeze(step.pv, error)
            self._audit.note("restored", facts_of(last.command))
            self._written.pop()

    def _stands(self, pv: str) -> float:
        """Read where a PV is; one that does not show it is no reason to leave it. Raises FrozenError."""
        try:
            shown = self._observe().pvs[pv]
            if not (shown.connected and shown.severity < INVALID and isfinite(shown.value)):
                raise ReplayError(f"it shows no valid value ({shown.value!r})")
        except Exception as error:  # noqa: BLE001 - whatever fails calls the operator
            self._freeze(pv, error)
        return shown.value

    def _freeze(self, pv: str, error: Exception) -> NoReturn:
        left = "; ".join(f"{w.command.step.pv} to {w.before:.9g} {w.command.step.unit}" for w in self._written[::-1])
        self._audit.note("frozen", {"reason": str(error), "left": left})
        raise FrozenError(f"{pv}: {error}. Call the operator. Still to put back, in reverse: {left}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        reason = "" if error is None else f"{type(error).__name__}: {error}"
        if not reason and self._stopped:  # the program has caught the error, which does not make it a success
            reason = "; ".join(each.text for each in self._stopped)
        if not reason and self._pending is not None:
            reason = f"{self._pending[0].step.pv}: the value was not confirmed"
        if reason:
            self._audit.note("failed", {"reason": reason})
            self.roll_back()
        self._audit.note("end", {"written": self.history.written, "put_back": bool(reason)})

    def _decide(self, pv: str, value: float) -> tuple[GateCommand, MachineState, Verdict]:
        if self._stopped:
            raise GateStoppedError(self._stopped)
        state = self._observe()
        command = replace(self._commands.command(pv, value, state), number=self.history.number)
        return command, state, self.rules.decide(command, state, self.predictor, self.history)

    def _part(self, command: GateCommand) -> float:
        """Choose the next value on the way to the target of a command."""
        step, largest = command.step, self.rules.largest_step(command, self.history)
        way = step.target - step.start
        if not (isfinite(way) and largest > 0.0) or abs(way) <= largest:
            return step.target  # decided, and refused if it must be, as a whole
        return step.start + way / ceil(abs(way) / largest)

    def _wait_for_rate(self, pv: str, size: float) -> None:
        sent_s = self.history.sent_s.get(pv)
        if sent_s is not None and isfinite(size):
            self._clock.sleep(max(0.0, sent_s + size / self.rules.rate(pv) - self._clock.monotonic()))

    def _measure(self, command: GateCommand) -> MachineState:
        """Wait for readings that began when the beam stood still. Raises ReplayError."""
        self._clock.sleep(self._settle_s + self._averaging_s)
        before = self._stamps(self._observe(), command)

        def measured(state: MachineState) -> bool:
            now = self._stamps(state, command)  # what is not shown any more is for the comparison to tell
            return all(now[pv] > stamp_ns for pv, stamp_ns in before.items() if pv in now)

        return self._wait_until(measured)

    def _stamps(self, state: MachineState, command: GateCommand) -> Mapping[str, int]:
        """Time stamps of the reading, and of all that is shown besides the settings that the decision needs."""
        settings = needed(command, self.rules.authority.approved, self.history)
        return {"": state.reading.time_ns} | {
            pv: each.stamp_ns
            for pv, each in state.pvs.items()
            if pv not in settings and each.connected and each.severity < INVALID
        }

    def _wait_until(self, there: Callable[[MachineState], bool]) -> MachineState:
        deadline = self._clock.monotonic() + self._timeout_s
        while True:
            state = self._observe()
            if there(state):
                return state
            if self._clock.monotonic() >= deadline:
                raise ReplayError(f"setpoint, readback or new readings have not come in {self._timeout_s:g} s")
            self._clock.sleep(POLL_S)

    def _is_at(self, state: MachineState, command: GateCommand, value: float) -> bool:
        step, tolerance = command.step, self._tolerance(command)
        return all(abs(state.pvs[pv].value - value) <= tolerance for pv in (step.pv, step.readback))

    def _tolerance(self, command: GateCommand) -> float:
        step = command.step
        share = self.rules.limits.document.baseline.share
        return tolerance_of(share, step.range, abs(step.target - step.start))

    def _own(self, pv: str) -> list[float]:
        """Values of a PV that it had before our writes, or that we wrote."""
        mine = [each for each in self._written if each.command.step.pv == pv]
        return [value for each in mine for value in (each.before, each.command.step.target)]

    def _bring_back(self, last: _Written, now: float) -> None:
        pv, row = last.command.step.pv, self.rules.limits.row(last.command.step.pv)
        if row is None:
            raise ReplayError("its row in the limits file is gone")
        parts = max(1, ceil(abs(now - last.before) / row.max_step))
        for number in range(1, parts + 1):
            value = last.before if number == parts else now + (last.before - now) * number / parts
            self._put(pv, value)
            self._wait_until(lambda state, value=value: self._is_at(state, last.command, value))  # type: ignore[misc]
            self._clock.sleep(abs(now - last.before) / parts / row.max_rate)

    def _refuse(self, command: GateCommand, state: MachineState, verdict: Verdict) -> NoReturn:
        reasons = [reason.text for reason in verdict.reasons]
        self._audit.note("refused", facts_of(command) | {"wall_ns": state.now_ns, "reasons": reasons})
        raise GateRefusedError(verdict)

    def _stop(self, reasons: tuple[Reason, ...]) -> NoReturn:
        self._stopped = reasons
        self._audit.note("stopped", {"reasons": [reason.text for reason in reasons]})
        raise GateStoppedError(reasons)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def facts_of(command: GateCommand) -> dict[str, object]:
    """Describe a command for the audit."""
    step = command.step
    return {"pv": step.pv, "from": step.start, "to": step.target, "unit": step.unit, "number": command.number}
