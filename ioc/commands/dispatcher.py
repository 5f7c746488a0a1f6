"""One ordered queue for the puts of both protocols: number, journal, faults, lattice, model, completion.

Waiting commands are processed in turns: one durable transaction of the journal, one new lattice, one state for the
model. So no setpoint is shown and no put completes before the journal has the command, and a burst costs one sync of
the disk. A command gets its number when its turn comes; `command_queue` decides whose turn it is.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from gnomon.db.sources import RECORDER_STATE, SET, is_control
from gnomon.fault_injection import Decision, Injector
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.ioc.base.recent_times import RecentTimes
from gnomon.ioc.commands.command_queue import CommandQueue, DueCommand, Item, JournalNote, WaitingCommand
from gnomon.ioc.commands.controls import Controls
from gnomon.ioc.commands.device_behaviours import DeviceBehaviour, Settings
from gnomon.ioc.commands.injected_effects import InjectedEffects, undisturbed
from gnomon.ioc.commands.model import CommandListener, Model
from gnomon.ioc.commands.planning import Step, apply, keep, plan, refuse
from gnomon.ioc.commands.reservation import Reservation, Right
from gnomon.ioc.commands.validation import UNCHANGED, SetpointRequest, parse_put
from gnomon.ioc.outputs.bank import Bank, Severity, Status
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.lattice import Client, Command, Lattice, Outcome, Record, Setting, Settled
from gnomon.propagator import Answer
from gnomon.recorder import Journal, JournalError

log = logging.getLogger("gnomon.dispatcher")
refusals = SparingLog(log)
failures = SparingLog(log)

#: Longest note of a command [characters].
MAX_NOTE = 500

STOPPING = PutReply(False, "the server is stopping; nothing was changed")


@dataclass(frozen=True, slots=True)
class Applied:
    """A command whose result is awaited; without the time of its arrival if a fault delayed it."""

    sequence: int
    done: "Future[PutReply]"
    monotonic_ns: int | None = None


class Dispatcher:
    """The put sink of both servers. `put` and `command` may be called from any thread, the rest in the event loop."""

    def __init__(
        self,
        bank: Bank,
        lattice: Lattice,
        journal: Journal,
        injector: Injector,
        service: Model,
        outputs: Outputs,
        controls: Controls,
        behaviours: Sequence[DeviceBehaviour] = (),
        wall_ns: Callable[[], int] = time.time_ns,
        listener: CommandListener | None = None,
    ) -> None:
        self._bank = bank
        self._lattice = lattice
        self._journal = journal
        self._injector = injector
        self._service = service
        self._outputs = outputs
        self._controls = controls
        self._behaviours = behaviours
        self._listener = listener
        self._wall_ns = wall_ns
        self._setpoints = {(s.device, s.property): i for i, s in enumerate(bank.specs) if s.source == SET.name}
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._lock = threading.Lock()  # guards the queue
        self._queue = CommandQueue()
        self._last = journal.next_sequence - 1
        self._delayed: dict[int, tuple[asyncio.TimerHandle, DueCommand]] = {}
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._wake = asyncio.Event()
        self._writable = True
        self._stopped = False
        self._reservation = Reservation()
        self._injected = InjectedEffects(bank, outputs, self)
        self.put_times = RecentTimes()
        self._task = self._loop.create_task(self._run(), name="dispatcher")

    @property
    def lattice(self) -> Lattice:
        """The lattice after every command that has acted."""
        return self._lattice

    def reserve(self, reason: str) -> Right:
        """Refuse all commands with `reason` but those that come with the right that this returns, until `release`.

        Commands that a fault or a device still delays are dropped, and no fault acts until then. Raises ReservedError
        if somebody has the right.
        """
        right = self._reservation.reserve(reason)
        self._injector.suspended = reason
        self._injected.drop_repeats()
        self._drop_delayed(self._delayed, f"the command was still delayed: {reason}")
        return right

    def release(self, right: Right) -> None:
        """Accept commands of all clients again, if this right is in force."""
        self._reservation.release(right)
        self._injector.suspended = self._reservation.refusal(None)

    @property
    def waiting(self) -> int:
        """Number of commands and notes that wait for their turn."""
        return len(self._queue)

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        """See `PutSink`."""
        spec = self._bank.specs[index]
        if is_control(spec.source):
            return self._controls.put(index, value, client)
        return self.command(parse_put(spec, value), client)

    def command(
        self, request: SetpointRequest, client: Client, note: str = "", right: Right | None = None
    ) -> PutFuture:
        """Take a command of any number of settings: all of them or none. The future is done when it is complete.

        `right` is what `reserve` returned, if anything.
        """
        done = PutFuture()
        done.set_running_or_notify_cancel()  # a client that goes does not take its command back
        if not request.refusal and (reason := self._reservation.refusal(right)):
            names = ", ".join(dict.fromkeys(setting.pv for setting in request.settings[:3]))
            request = SetpointRequest(request.settings, f"{names}: {reason}")
        item = WaitingCommand(
            request.settings,
            client,
            self._wall_ns(),
            time.monotonic_ns(),
            note[:MAX_NOTE],
            request.refusal,
            done,
            request.kept,
            right,
        )
        self._enqueue(item)
        return done

    def _enqueue(self, item: WaitingCommand) -> None:
        with self._lock:
            not_taken = STOPPING if self._stopped else PutReply(False, self._queue.add(item))
        if not_taken.message:
            item.done.set_result(not_taken)
        else:
            self._notify()

    def repeat(self, item: WaitingCommand) -> None:
        """See `CommandRoad`: a command that a fault has made takes its turn as its client's own do."""
        self._enqueue(item)

    def hasten(self, sequence: int) -> None:
        """See `CommandRoad`."""
        if sequence in self._delayed:
            self._delayed[sequence][0].cancel()
            self._due(self._delayed[sequence][1])

    def note(self, text: str, client: Client) -> PutFuture:
        """Record an act of a client that sets nothing, such as a fault, as a command without settings.

        It takes its turn among the client's commands. The reply is not accepted if it cannot be recorded.
        """
        done = PutFuture()
        done.set_running_or_notify_cancel()
        item = WaitingCommand((), client, self._wall_ns(), time.monotonic_ns(), text[:MAX_NOTE], "", done)
        self._enqueue(item)
        return done

    async def stop(self) -> None:
        """Refuse the commands in the queue and those still delayed, record the latter, and end."""
        with self._lock:
            self._stopped = True
            dropped = self._queue.drop()
        for item in dropped:
            item.done.set_result(STOPPING)
        self._drop_delayed(self._delayed, "the server stopped while the command was delayed")
        self._injected.stop(STOPPING)
        self._wake.set()
        await self._task
        self._disk.shutdown()

    def _drop_delayed(self, sequences: Iterable[int], reason: str) -> None:
        for sequence in tuple(sequences):
            handle, due = self._delayed.pop(sequence)
            handle.cancel()
            due.done.set_result(PutReply(False, reason, sequence))
            self._later(
                JournalNote(Settled(sequence, Outcome.FAILED, self._lattice.id, self._wall_ns(), reason=reason))
            )
            self._not_coming(due)

    def _not_coming(self, due: DueCommand) -> None:
        for behaviour in self._concerned(due.settings):
            behaviour.given_up()

    def _notify(self) -> None:
        if threading.get_ident() == self._thread:
            self._wake.set()
        else:
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _run(self) -> None:
        stopping = False
        while not stopping:
            await self._wake.wait()
            self._wake.clear()
            stopping = await self._turn()

    async def _turn(self) -> bool:
        """Process a part of the queue; True if it was the last one. The items are freed here, outside the lock."""
        with self._lock:
            batch = self._queue.take()
            more, stopping = len(self._queue) > 0, self._stopped
        if more:
            self._wake.set()
        if batch:
            try:
                await self._work(batch)
            except Exception as error:
                # Nothing foresees this error; the clients are told, and the queue must go on for all others.
                log.exception("a turn of the dispatcher failed")
                self._failed(batch, f"internal error: {type(error).__name__}: {error}")
        return stopping and not more

    async def _work(self, batch: Sequence[Item]) -> None:
        """Do one turn: plan all of the batch, write it to the journal, then let it act."""
        lattice = self._lattice
        sequence = self._journal.next_sequence
        steps: list[tuple[Step, WaitingCommand]] = []
        dues: list[tuple[Settled, DueCommand]] = []
        records: list[Record] = []
        settled: list[Settled] = []
        for item in batch:
            match item:
                case WaitingCommand():
                    step = self._plan(item, item.numbered(sequence), lattice)
                    sequence += 1
                    lattice = step.lattice
                    steps.append((step, item))
                    records.append(step.record)
                    settled.append(step.settled)
                case DueCommand():
                    outcome, lattice = apply(
                        item.sequence, item.settings, lattice, item.outcome, self._wall_ns(), item.reason
                    )
                    dues.append((outcome, item))
                    settled.append(outcome)
                case JournalNote():
                    settled.append(item.settled)
        try:
            await self._loop.run_in_executor(self._disk, self._journal.append, records, settled)
        except JournalError as error:
            self._failed(batch, str(error))
            return
        self._recorded()
        self._lattice = lattice
        self._act(steps, dues)

    def _plan(self, item: WaitingCommand, command: Command, lattice: Lattice) -> Step:
        if item.refusal:
            return refuse(command, lattice, item.refusal, self._wall_ns())
        if item.kept:
            return keep(command, item.kept, lattice, self._wall_ns())
        # On the machine that is followed, the hardware has already taken its time.
        alone = self._reservation.holds(item.right)
        decide = undisturbed if alone else self._of_devices if item.repeats else self._decide
        return plan(command, lattice, decide, self._wall_ns())

    def _decide(self, sequence: int, lattice: Lattice, settings: Settings) -> Decision:
        """Decide the effect of faults on a command to this lattice, and the time that the hardware takes for it."""
        return self._taking(lattice, self._injector.decide(sequence, lattice, settings))

    def _of_devices(self, sequence: int, lattice: Lattice, settings: Settings) -> Decision:
        """Decide about a command that a fault has made: no other fault acts on it."""
        return self._taking(lattice, undisturbed(sequence, lattice, settings))

    def _taking(self, lattice: Lattice, decision: Decision) -> Decision:
        for behaviour in self._concerned(decision.settings):
            own_s = behaviour.takes_s(lattice, decision.settings, under_way=self._under_way(behaviour))
            if own_s:
                reason = "; ".join(filter(None, (decision.reason, f"{behaviour.name} takes {own_s:g} s")))
                decision = replace(decision, delay_s=decision.delay_s + own_s, reason=reason)
        return decision

    def _concerned(self, settings: tuple[Setting, ...]) -> list[DeviceBehaviour]:
        return [behaviour for behaviour in self._behaviours if behaviour.concerns(settings)]

    def _under_way(self, behaviour: DeviceBehaviour) -> bool:
        """True while a delayed command of this device has not acted yet."""
        return any(behaviour.concerns(due.settings) for _, due in self._delayed.values())

    def _act(self, steps: Sequence[tuple[Step, WaitingCommand]], dues: Sequence[tuple[Settled, DueCommand]]) -> None:
        """Show the setpoints, hand the new state to the model, and answer commands that need no result."""
        setpoints: dict[int, float] = {}
        complete: list[Applied] = []
        for step, item in steps:
            command = step.record.command
            if not step.accepted:
                reason = step.settled.reason.removesuffix(UNCHANGED)
                refusals.warning("%s@%s: refused %s", command.client.user, command.client.host, reason)
                done = self._injected.take(step, item)
                done.set_result(PutReply(False, step.told, command.sequence, step.lattice.id))
                continue
            setpoints |= self._asked(item.repeats or command.settings, step.lattice)
            done = self._injected.take(step, item)
            if step.delay_s > 0.0:
                self._delay(step, item, done)
            elif step.settled.outcome is Outcome.ABANDONED or not (item.settings or item.kept):
                done.set_result(PutReply(True, "", command.sequence, step.lattice.id))
            else:
                complete.append(Applied(command.sequence, done, command.monotonic_ns))
                self._last = max(self._last, command.sequence)
                for behaviour in self._concerned(command.settings):
                    behaviour.acted(command.settings)
                    late = [n for n, (_, due) in self._delayed.items() if behaviour.concerns(due.settings)]
                    self._drop_delayed(late, f"superseded by command {command.sequence}; it was not applied")
        for outcome, due in dues:
            if outcome.outcome is Outcome.FAILED:
                self._not_coming(due)
                due.done.set_result(PutReply(False, outcome.reason, due.sequence, outcome.lattice_after))
            else:
                complete.append(Applied(due.sequence, due.done))
                self._last = max(self._last, due.sequence)
        if self._listener is not None and self._listener.listens:
            for settled in (*(step.settled for step, _ in steps), *(outcome for outcome, _ in dues)):
                self._listener.acted(settled.changes)
        # The model works while the setpoints go out.
        answer = self._service.submit(self._lattice, self._last) if complete else None
        if setpoints or answer is not None:
            computing = answer is not None and not answer.done()
            self._outputs.show_setpoints(setpoints, self._wall_ns(), computing=computing)
        for _, item in steps:
            item.done.show()
        if answer is not None:
            answer.add_done_callback(lambda future: self._complete(complete, future.result()))

    def _asked(self, settings: Settings, after: Lattice) -> dict[int, float]:
        """Find the values that setpoint PVs show now; a setting behind a strength shows as that strength."""
        shown: dict[int, float] = {}
        for setting in settings:
            index = self._setpoints.get((setting.device, setting.property))
            if index is not None:
                shown[index] = setting.value * self._bank.specs[index].scale
                continue
            main = setting.property.removesuffix("_trim")
            index = self._setpoints.get((setting.device, main))
            if index is not None:
                shown[index] = after[setting.device, main] * self._bank.specs[index].scale
        return shown

    def _complete(self, complete: Sequence[Applied], answer: Answer) -> None:
        failure = answer.failure if answer.beam is None and not answer.paused else ""
        now_ns = time.monotonic_ns()
        for command in complete:
            sequence = command.sequence
            if failure:
                reason = f"applied without result: {failure}"
                self._later(
                    JournalNote(Settled(sequence, Outcome.APPLIED, answer.lattice.id, self._wall_ns(), reason=reason))
                )
            if command.monotonic_ns is not None:
                self.put_times.add((now_ns - command.monotonic_ns) * 1e-9)
            command.done.set_result(PutReply(not failure, failure, sequence, answer.lattice.id))

    def _delay(self, step: Step, item: WaitingCommand, done: PutFuture) -> None:
        sequence = step.settled.sequence
        modified = step.settings != item.settings
        outcome = Outcome.MODIFIED if modified else Outcome.APPLIED
        for behaviour in self._concerned(step.settings):
            behaviour.begun(step.lattice, step.settings, step.delay_s, under_way=self._under_way(behaviour))
        due = DueCommand(sequence, step.settings, outcome, step.settled.reason, done)
        handle = self._loop.call_later(step.delay_s, self._due, due)
        self._delayed[sequence] = (handle, due)

    def _due(self, due: DueCommand) -> None:
        del self._delayed[due.sequence]
        if (fault := self._injected.acting(due.sequence)) is not None:
            self._injector.released(fault)
        self._later(due)

    def _later(self, item: DueCommand | JournalNote) -> None:
        with self._lock:
            self._queue.add_own(item)
        self._notify()

    def _failed(self, batch: Sequence[Item], reason: str) -> None:
        """Refuse a batch that the journal could not take: nothing changes, and its numbers are free for later commands.

        Notes on earlier commands are written with the next turn; a delayed command has failed.
        """
        failures.warning("%s", reason)
        self._writable = False
        self._outputs.show(RECORDER_STATE, 1, (Severity.MAJOR, Status.WRITE))
        for item in batch:
            if isinstance(item, JournalNote):
                self._keep(item)
            elif isinstance(item, DueCommand):
                self._not_coming(item)
                failed = Settled(item.sequence, Outcome.FAILED, self._lattice.id, self._wall_ns(), reason=reason)
                self._keep(JournalNote(failed))
        for item in batch:
            if not isinstance(item, JournalNote) and not item.done.done():
                item.done.set_result(PutReply(False, reason))

    def _keep(self, note: JournalNote) -> None:
        """Let a note wait for the next turn without requesting one, which would try the disk endlessly."""
        with self._lock:
            self._queue.add_own(note)

    def _recorded(self) -> None:
        if not self._writable:
            self._writable = True
            log.info("the journal can be written again")
            self._outputs.show(RECORDER_STATE, 0)
