"""Controls: PVs that a client can write but that are not settings of the lattice; they concern gnomon itself.

A put to such a PV (its source begins with `control.`) is not a command: it gets no number and is not recorded in the
journal, only in the log. The part of gnomon that owns a control registers a handler and publishes the PV's new value.
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
from gnomon.db.sources import Source
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.ioc.commands.drive_limits import outside_drive_limits
from gnomon.ioc.commands.validation import UNCHANGED, no_number, no_state, number_of, short, state_of
from gnomon.ioc.outputs.bank import Bank
from gnomon.lattice import Client, GnomonError

log = logging.getLogger("gnomon.controls")
refusals = SparingLog(log)

#: Acts on a put, in the event loop: a float, or a str where the PV is a text. Raises GnomonError to refuse it.
Handler = Callable[[Any, Client], Awaitable[None] | None]

#: Largest number of waiting puts, over all controls.
MAX_WAITING = 1_000
#: Longest text that a control takes [characters].
MAX_TEXT = 1_000


class RefusedControl(GnomonError):
    """A put to a control that is refused; the text is the reason."""


class Controls:
    """Dispatch of puts to the handlers of controls: one after the other for each control, in the order of arrival."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._handlers: dict[str, Handler] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._logs: dict[str, SparingLog] = {}
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[PutReply]] = set()
        self._stopped = False

    def register(self, source: Source, handler: Handler) -> None:
        """Call `handler` for puts to PVs of this source; it replaces an earlier handler."""
        self._handlers[source.name] = handler
        self._turns.setdefault(source.name, asyncio.Lock())

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        """Take a put from any thread; never blocks, never raises. The future is done when the handler has finished."""
        done = PutFuture()
        done.set_running_or_notify_cancel()  # a client that goes does not take its put back
        spec = self._bank.specs[index]
        if self._stopped:
            done.set_result(_stopping(spec))
        else:
            self._loop.call_soon_threadsafe(self._begin, spec, value, client, done)
        return done

    async def stop(self) -> None:
        """Cancel the puts that are under way, and refuse further ones."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, spec: PvSpec, value: Any, client: Client, done: "Future[PutReply]") -> None:
        if self._stopped:
            done.set_result(_stopping(spec))
            return
        if len(self._tasks) >= MAX_WAITING:
            reason = f"{spec.name}: {MAX_WAITING} puts to controls are already waiting; nothing was changed"
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
                raise RefusedControl(f"{spec.name}: not available on this server; nothing was changed")
            async with self._turns[spec.source]:
                waiting = handler(asked, client)
                if isawaitable(waiting):
                    await waiting
        except GnomonError as error:
            refusals.warning("%s: refused %s", who, str(error).removesuffix(UNCHANGED))
            return PutReply(False, str(error))
        except Exception as error:
            log.exception("%s: could not set %s", who, spec.name)
            return PutReply(False, f"internal error: {type(error).__name__}: {error}")
        shown = spec.states[int(asked)] if spec.kind is Kind.ENUM else asked
        self._logs.setdefault(spec.name, SparingLog(log)).info("%s: set %s to %s", who, spec.name, shown)
        return PutReply(True)


def _stopping(spec: PvSpec) -> PutReply:
    return PutReply(False, f"{spec.name}: the server is stopping; nothing was changed")


def parse(spec: PvSpec, value: Any) -> float | str:
    """Read a value put to a control: a text, or a number within limits; an enum takes a state's name or number.

    Raises RefusedControl.
    """
    if spec.kind is Kind.STRING:
        return _text(spec, value)
    if spec.kind is Kind.ENUM:
        return _state(spec, value)
    number = number_of(value)
    if number is None:
        raise RefusedControl(no_number(spec, value))
    if refusal := outside_drive_limits(spec, number):
        raise RefusedControl(refusal)
    return number


def _text(spec: PvSpec, value: Any) -> str:
    if isinstance(value, np.ndarray | list | tuple | dict) or value is None:
        raise RefusedControl(f"{spec.name}: {short(value)} is not a text; nothing was changed")
    text = str(value)
    if len(text) > MAX_TEXT:
        raise RefusedControl(f"{spec.name}: text of {len(text)} characters; at most {MAX_TEXT}; nothing was changed")
    return text


def _state(spec: PvSpec, value: Any) -> float:
    number = state_of(spec, value)
    if number is None:
        raise RefusedControl(no_state(spec, value))
    return number
