"""Effects of injected faults besides changed settings and delays: repeat, reorder, pretend, and never answer."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from gnomon.db.sources import READBACK
from gnomon.fault_injection import Decision
from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.ioc.commands.command_queue import WaitingCommand
from gnomon.ioc.commands.planning import Step
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.lattice import Lattice, Outcome, Setting
from gnomon.recorder import BY_FAULT

#: Puts that may wait for an answer that never comes; before one more, the oldest fails.
MAX_SILENT = 10_000


def undisturbed(sequence: int, lattice: Lattice, settings: tuple[Setting, ...]) -> Decision:
    """Decide about a command that faults do not act on."""
    return Decision(Outcome.APPLIED, settings)


class CommandRoad(Protocol):
    """The dispatcher, as the effects need it."""

    def repeat(self, item: WaitingCommand) -> None:
        """Let a command wait for its turn that a fault has made."""
        ...

    def hasten(self, sequence: int) -> None:
        """Let a delayed command act with the next turn, if it has not acted yet."""
        ...


class InjectedEffects:
    """Effects of the decisions about commands, for the event loop."""

    def __init__(self, bank: Bank, outputs: Outputs, road: CommandRoad) -> None:
        self._outputs = outputs
        self._road = road
        self._readbacks = {(s.device, s.property): i for i, s in enumerate(bank.specs) if s.source == READBACK.name}
        self._pretended: set[int] = set()
        self._silent: deque[PutFuture] = deque()
        self._held: dict[int, int] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._loop = asyncio.get_running_loop()

    def take(self, step: Step, item: WaitingCommand) -> PutFuture:
        """Let the effects of a planned command begin; returns the future to answer, the client's own if it is told."""
        decision = step.decision
        if decision is None or not (decision.fault_ids or decision.releases or self._pretended):
            return item.done
        for fault_id in decision.releases:
            if (held := self._held.pop(fault_id, None)) is not None:
                self._road.hasten(held)
        if step.accepted:
            self._show(decision)
            for delay_s, text in decision.duplicates:
                self._repeat(decision, item, step.settled.sequence, delay_s, text)
            if decision.hold is not None:
                self._held[decision.hold.fault_id] = step.settled.sequence
        return item.done if decision.reply else self._silence(item.done)

    def acting(self, sequence: int) -> int | None:
        """Hear that a delayed command acts because its time is over; returns the fault that held it, if one did."""
        found = next((fault for fault, held in self._held.items() if held == sequence), None)
        if found is not None:
            del self._held[found]
        return found

    def drop_repeats(self) -> None:
        """Give up the commands that were going to act again."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def stop(self, reply: PutReply) -> None:
        """Give up what has not acted yet, and answer what was not going to be."""
        self.drop_repeats()
        self._held.clear()
        while self._silent:
            self._silent.popleft().set_result(reply)

    def _show(self, decision: Decision) -> None:
        """Show readbacks as if settings had acted, and those truly again that are set now."""
        if decision.readbacks:
            shown = dict(self._known(decision.readbacks))
            self._pretended |= shown.keys()
            self._outputs.pretend(shown)
        elif self._pretended:
            truly = self._pretended.intersection(i for i, _ in self._known(decision.settings))
            self._pretended -= truly
            self._outputs.renew(truly)

    def _known(self, settings: Iterable[Setting]) -> Iterable[tuple[int, float]]:
        for setting in settings:
            if (index := self._readbacks.get((setting.device, setting.property))) is not None:
                yield index, setting.value

    def _repeat(self, decision: Decision, item: WaitingCommand, sequence: int, delay_s: float, text: str) -> None:
        done = PutFuture()
        done.set_running_or_notify_cancel()
        again = replace(
            item,
            settings=decision.settings,
            client=replace(item.client, protocol=BY_FAULT),
            note=f"duplicate of command {sequence}, {text}",
            done=done,
            repeats=item.settings,
        )

        def due() -> None:
            self._timers.discard(timer)
            self._road.repeat(again)

        timer = self._loop.call_later(decision.delay_s + delay_s, due)
        self._timers.add(timer)

    def _silence(self, done: PutFuture) -> PutFuture:
        """Keep a put that is never answered; returns a future in its place."""
        self._silent.append(done)
        if len(self._silent) > MAX_SILENT:
            self._silent.popleft().set_result(PutReply(False, "an injected fault: the put was never acknowledged"))
        unheard = PutFuture()
        unheard.set_running_or_notify_cancel()
        return unheard
