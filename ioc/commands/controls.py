"""PVs that a client can write but that are no settings of the lattice: they are about gnomon itself.

A put on such a PV (its source begins with `control.`) is no command: it gets no number and stands in no journal, only
in the log. Whoever answers for a control registers a handler, and publishes what the PV then shows.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial
from inspect import isawaitable
from typing import Any

import numpy as np

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.ioc.commands.validation import no_state, number_of, outside, short, state_of
from gnomon.ioc.outputs.bank import Bank
from gnomon.lattice import Client, GnomonError

log = logging.getLogger("gnomon.controls")
refusals = SparingLog(log)

#: Acts on a put, in the event loop: a float, or a str where the PV is a text. Raises GnomonError to refuse it.
Handler = Callable[[Any, Client], Awaitable[None] | None]

#: Puts that may wait, over all controls.
MOST_WAITING = 1_000
#: Longest text that a control takes.
LONGEST_TEXT = 1_000


class RefusedControl(GnomonError):
    """A put to a control that cannot be done; the text is the reason."""


class Controls:
    """Hands puts on controls to their handlers, those on one control one after the other, in the order of arrival."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._handlers: dict[str, Handler] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._logs: dict[str, SparingLog] = {}
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[PutReply]] = set()
        self._stopped = False

    def register(self, source: str, handler: Handler) -> None:
        """Have `handler` called for puts on PVs of this source. A handler of before is replaced."""
        self._handlers[source] = handler
        self._turns.setdefault(source, asyncio.Lock())

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        """Take a put from any thread; never blocks, never raises. The future ends when the handler has."""
        done = PutFuture()
        done.set_running_or_notify_cancel()  # a client that goes does not take its put back
        spec = self._bank.specs[index]
        if self._stopped:
            done.set_result(_stopping(spec))
        else:
            self._loop.call_soon_threadsafe(self._begin, spec, value, client, done)
        return done

    async def stop(self) -> None:
        """Refuse what is under way and whatever still comes."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, spec: PvSpec, value: Any, client: Client, done: "Future[PutReply]") -> None:
        if self._stopped:
            done.set_result(_stopping(spec))
            return
        if len(self._tasks) >= MOST_WAITING:
            reason = f"{spec.name}: {MOST_WAITING} puts on controls are waiting already; nothing was changed"
            done.set_result(PutReply(False, reason))
            return
        task = self._loop.create_task(self._handle(spec, value, client), name=spec.name)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, spec, done))

    def _ended(self, spec: PvSpec, done: "Future[PutReply]", task: "asyncio.Task[PutReply]") -> None:
        """Answer, also for a task that was cancelled before it began."""
        self._tasks.discard(task)
        cancelled = PutReply(False, f"{spec.name}: the server stopped before this was complete")
        done.set_result(cancelled if task.cancelled() else task.result())

    async def _handle(self, spec: PvSpec, value: Any, client: Client) -> PutReply:
        who = f"{client.user}@{client.host}"
        try:
            asked = parse(spec, value)
            handler = self._handlers.get(spec.source)
            if handler is None:
                raise RefusedControl(f"{spec.name}: this server has nothing that it could control")
            async with self._turns[spec.source]:
                waiting = handler(asked, client)
                if isawaitable(waiting):
                    await waiting
        except GnomonError as error:
            refusals.warning("refused %s for %s", error, who)
            return PutReply(False, str(error))
        except Exception as error:
            log.exception("%s could not be set by %s", spec.name, who)
            return PutReply(False, f"internal error: {type(error).__name__}: {error}")
        shown = spec.states[int(asked)] if spec.kind is Kind.ENUM else asked
        self._logs.setdefault(spec.name, SparingLog(log)).info("%s set to %s by %s", spec.name, shown, who)
        return PutReply(True)


def _stopping(spec: PvSpec) -> PutReply:
    return PutReply(False, f"{spec.name}: the server is stopping; nothing was changed")


def parse(spec: PvSpec, value: Any) -> float | str:
    """What was put to a control: a text, or a number within limits; an enum takes a state's name or number.

    Raises RefusedControl.
    """
    if spec.kind is Kind.STRING:
        return _text(spec, value)
    if spec.kind is Kind.ENUM:
        return _state(spec, value)
    number = number_of(value)
    if number is None:
        raise RefusedControl(f"{spec.name}: {short(value)} is not one number [{spec.unit}]; nothing was changed")
    if refusal := outside(spec, number):
        raise RefusedControl(refusal)
    return number


def _text(spec: PvSpec, value: Any) -> str:
    if isinstance(value, np.ndarray | list | tuple | dict) or value is None:
        raise RefusedControl(f"{spec.name}: {short(value)} is not one text; nothing was changed")
    text = str(value)
    if len(text) > LONGEST_TEXT:
        raise RefusedControl(f"{spec.name}: {len(text)} characters are more than {LONGEST_TEXT}; nothing was changed")
    return text


def _state(spec: PvSpec, value: Any) -> float:
    number = state_of(spec, value)
    if number is None:
        raise RefusedControl(no_state(spec, value))
    return number
