"""Roll back of a replay: put previous values back until that is verified or an operator takes over."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from gnomon.recorder.audit import Audit
from gnomon.recorder.gate import GateLimits, tolerance_of
from gnomon.recorder.recorder_errors import FrozenError, MachineError, MissedError, ReplayError
from gnomon.recorder.replay_machine import MachineClient
from gnomon.recorder.replay_steps import Step
from gnomon.recorder.verifying import Clock, Verifier

#: Time before another try to put back a value [s]: the first one, and the longest.
RETRY_S, MAX_RETRY_S = 1.0, 10.0

#: Number of times that a PV is put back once more because it has changed since.
MAX_AGAIN = 3

#: Value that presses a button.
PRESSED = 1.0

#: Called for each event with the step and a remark.
Report = Callable[[str, Step, str], None]


@dataclass(slots=True, eq=False)
class Written:
    """A step that was sent: its setpoint's value `shown` before, the value to put back, and why it is not back yet.

    `number` is that of the plan's step of which it is a part.
    """

    step: Step
    shown: float
    before: float
    trouble: str = ""
    number: int = 0


class PutBackCheck(Protocol):
    """The part of a gate in a roll-back."""

    #: Time after which a PV that answers, but does not follow, freezes the roll-back [s].
    patience_s: float

    def pace(self, step: Step) -> None:
        """Wait until the allowed rate permits the next write of a PV."""
        ...

    def put_back(self, steps: Sequence[Step]) -> None:
        """Compare the beam with that before the writes that were just taken back, the last one first.

        Raises FrozenError if it is another one, MachineError if it cannot be told yet.
        """
        ...


class RollBack:
    """Roll back of steps in reverse order, each verified; a step that fails is tried again for as long as it takes.

    A PV that does not answer or follow does not keep others waiting, but its own earlier steps wait for its later
    ones. A PV whose setpoint has a value that we never wrote was set by someone else and is left alone. `run` can be
    called again after an exception, and continues.
    """

    def __init__(
        self,
        written: Sequence[Written],
        machine: MachineClient,
        verifier: Verifier,
        limits: GateLimits,
        audit: Audit,
        report: Report,
        clock: Clock,
        taken_over: Callable[[], bool],
        check: PutBackCheck | None = None,
    ) -> None:
        self._check = check
        self._missing_since: dict[str, float] = {}
        self._again: dict[str, int] = {}
        self._pending = list(reversed(written))
        self._first = {w.step.pv: w for w in reversed(written)}
        self._machine = machine
        self._verifier = verifier
        self._limits = limits
        self._audit = audit
        self._report = report
        self._clock = clock
        self._taken_over = taken_over
        self._ours: dict[str, list[float]] = {}
        for w in written:
            self._ours.setdefault(w.step.pv, []).extend((w.shown, w.before, w.step.start, w.step.target))
        self._looked_again = False
        self._record_lost = ""
        self.restored: list[str] = []
        self.left: list[str] = []

    def run(self) -> None:
        """Put back everything; steps left at the end were changed by someone else or taken over by the operator."""
        wait_s = RETRY_S
        while self._pending or not self._looked_again:
            if not self._pending:
                self._look_again()
                continue
            if not self._taken_over() and self._pass():
                wait_s = RETRY_S
            elif self._operator_has_it(wait_s):
                for written in list(self._pending):
                    self._leave(written, f"the operator has taken over; last: {written.trouble or 'not tried yet'}")
                self._looked_again = True
            else:
                wait_s = min(2.0 * wait_s, MAX_RETRY_S)
        if self._record_lost:
            self.left.append(self._record_lost)
            self._record_lost = ""

    def still_to_put_back(self) -> tuple[str, ...]:
        """List what is not back, each with the value to be set."""
        return (*self.left, *(
            f"{w.step.pv}: should be {w.before:.9g} {w.step.unit}: {w.trouble or 'not tried yet'}"
            for w in {w.step.pv: w for w in self._pending}.values()
        ))  # fmt: skip

    def note(self, event: str, facts: dict[str, object]) -> None:
        """Record an event. Neither a full disk nor a closed terminal may stop the roll back."""
        try:
            self._audit.note(event, facts)
        except ReplayError as error:
            self._record_lost = str(error)

    def _pass(self) -> bool:
        """Try all pending steps once, the latest first; True if any of them is done."""
        got_on = False
        waiting: set[str] = set()
        for latest in list(self._pending):
            if self._taken_over():
                return got_on
            step = latest.step
            if step.pv in waiting or latest not in self._pending:
                continue
            try:
                parts = self._to_put_back(latest)
                foreign = self._put_back(parts)
            except FrozenError:
                latest.trouble = latest.trouble or "put back, but the beam is not as it was"
                raise
            except MissedError as error:
                trouble = str(error)
                self._lose_patience(step, trouble)
            except MachineError as error:
                trouble = str(error)
            except Exception as error:  # noqa: BLE001 - a fault in a library is reported, and tried again
                trouble = f"{step.pv}: {type(error).__name__}: {error}"
            else:
                got_on = True
                self._missing_since.pop(step.pv, None)
                if foreign:
                    for mine in [w for w in self._pending if w.step.pv == step.pv]:
                        self._leave(mine, foreign)
                    waiting.add(step.pv)
                else:
                    for part in parts:
                        self._pending.remove(part)
                        self.restored.append(part.step.pv)
                        self.note("restored", facts(part.step))
                        self._tell("restored", part.step, "")
                continue
            waiting.add(step.pv)
            if trouble != latest.trouble:
                latest.trouble = trouble
                self.note("waiting", {**facts(step), "put_back": latest.before, "reason": trouble})
                self._tell("waiting", step, trouble)
        return got_on

    def _to_put_back(self, latest: Written) -> Sequence[Written]:
        """List the writes to take back with one put: the last one of a PV, or all if the PV is where it began already.

        A server that was started again has the values of its start: going down the steps would move it away first.
        """
        mine = [w for w in self._pending if w.step.pv == latest.step.pv]
        first = mine[-1]
        if first is latest or first is not self._first[first.step.pv] or first.step.back_pv:
            return (latest,)
        stands = self._machine.get(first.step.pv, self._verifier.timeout_s).value
        tolerance = tolerance_of(first.step.range, abs(first.step.target - first.step.start), self._limits)
        return mine if abs(stands - first.before) <= tolerance else (latest,)

    def _put_back(self, parts: Sequence[Written]) -> str:
        """Put steps back, to before the last of `parts`; return the reason if someone else has set the PV.

        Raises MachineError to try again.
        """
        written = parts[-1]
        step = written.step
        stands = self._machine.get(step.pv, self._verifier.timeout_s).value
        if not self._is_ours(step, stands):
            return f"someone else has set {step.pv} to {stands:.9g} {step.unit}"
        if step.back_pv and self._is_at_start(step):
            return ""  # another button was pressed since: pressing one more would undo that
        if self._check is not None:
            self._check.pace(step)
        self.note("restore", {**facts(step), "put_back": written.before})
        if step.back_pv:
            self._machine.put(step.back_pv, PRESSED, self._verifier.timeout_s)
        else:
            self._machine.put(step.pv, written.before, self._verifier.timeout_s)
        self._verifier.verify(step, step.start)
        if self._check is not None:
            try:
                self._check.put_back(tuple(part.step for part in parts))
            except FrozenError:
                if not self._others_stand_elsewhere(parts):
                    raise
        return ""

    def _others_stand_elsewhere(self, parts: Sequence[Written]) -> bool:
        """Look for another PV of ours that explains a beam that is not back: a late write, or a server's restart.

        One that was put back and has changed since is pending again, a few times. Raises MachineError if one does not
        answer.
        """
        found = False
        for pv, first in self._first.items():
            mine = [w for w in self._pending if w.step.pv == pv and w not in parts]
            if pv == parts[-1].step.pv or (not mine and pv not in self.restored):
                continue
            try:
                self._verifier.look(
                    (mine[0] if mine else first).step, mine[0].step.target if mine else first.step.start
                )
            except MissedError as error:
                if not mine:
                    if self._again.get(pv, 0) >= MAX_AGAIN:
                        continue
                    self._again[pv] = self._again.get(pv, 0) + 1
                    self._pend_again(pv, str(error))
                found = True
        return found

    def _pend_again(self, pv: str, trouble: str) -> None:
        self.restored = [name for name in self.restored if name != pv]
        self._first[pv].trouble = trouble
        self._pending.append(self._first[pv])

    def _lose_patience(self, step: Step, trouble: str) -> None:
        """Raise FrozenError if a PV has answered without following for too long. Without a check, wait on."""
        since = self._missing_since.setdefault(step.pv, self._clock.monotonic())
        if self._check is not None and self._clock.monotonic() - since >= self._check.patience_s:
            raise FrozenError(f"{step.pv} has not followed for {self._check.patience_s:g} s: {trouble}")

    def _is_at_start(self, step: Step) -> bool:
        """True if a step's PVs have its start value."""
        try:
            self._verifier.look(step, step.start)
        except MissedError:
            return False
        return True

    def _is_ours(self, step: Step, value: float) -> bool:
        """True if a setpoint has a value that it had before, or that we wrote."""
        tolerance = tolerance_of(step.range, abs(step.target - step.start), self._limits)
        return any(abs(value - own) <= tolerance for own in self._ours[step.pv])

    def _look_again(self) -> None:
        """Check once more when all is back: values that a late answer or another PV has changed are pending again."""
        self._looked_again = True
        for pv, written in self._first.items():
            if pv not in self.restored or any(text.startswith(f"{pv}:") for text in self.left):
                continue
            try:
                self._verifier.look(written.step, written.step.start)
            except MachineError as error:
                self._pend_again(pv, str(error))

    def _leave(self, written: Written, reason: str) -> None:
        step = written.step
        self._pending.remove(written)
        self.left.append(f"{step.pv}: should be {written.before:.9g} {step.unit}: {reason}")
        self.note("left", {**facts(step), "put_back": written.before, "reason": reason})
        self._tell("left", step, reason)

    def _operator_has_it(self, wait_s: float) -> bool:
        """Wait; True if the operator takes over meanwhile."""
        until = self._clock.monotonic() + wait_s
        while not self._taken_over():
            rest = until - self._clock.monotonic()
            if rest <= 0.0:
                return False
            self._clock.sleep(min(rest, 0.2))
        return True

    def _tell(self, event: str, step: Step, remark: str) -> None:
        with suppress(OSError):
            self._report(event, step, remark)


def facts(step: Step) -> dict[str, object]:
    """Describe a step for the record."""
    return {"sequence": step.sequence, "pv": step.pv, "from": step.start, "to": step.target, "unit": step.unit}
