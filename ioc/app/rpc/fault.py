"""`dt:fault`: make a running server fail on purpose, list what is active, and stop it."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from gnomon.db import sources
from gnomon.fault_injection import Fault, FaultError, Injector
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.protocols import PutReply
from gnomon.ioc.commands.dispatcher import Dispatcher
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.lattice import Client, Ring
from gnomon.lattice.text import parse_number, shorten

_log = SparingLog(logging.getLogger("gnomon.faults"))

#: Number of names that a refusal lists.
MAX_NAMES = 5


class FaultProcedure:
    """`dt:fault`: `do` is add (with the keys of a fault), list, or clear (with `id`, or all).

    Ends with the fault, or with a list of faults, once the journal has what was added or cleared.
    """

    def __init__(self, injector: Injector, outputs: Outputs, ring: Ring, dispatcher: Dispatcher) -> None:
        self._injector = injector
        self._outputs = outputs
        self._ring = ring
        self._dispatcher = dispatcher
        self._loop = asyncio.get_running_loop()

    def __call__(self, arguments: dict[str, Any], client: Client) -> "Future[Any]":
        """See `RpcHandler`."""
        answer: Future[Any] = Future()
        try:
            self._do(dict(arguments), client, answer)
        except FaultError as error:
            answer.set_exception(error)
        self._show()
        return answer

    def _do(self, arguments: dict[str, Any], client: Client, answer: "Future[Any]") -> None:
        match arguments.pop("do", "list"):
            case "add":
                self._add(arguments, client, answer)
            case "clear":
                self._clear(_id(arguments), client, answer)
            case "list":
                answer.set_result([f.to_json() for f in self._injector.active()])
            case other:
                raise FaultError(f"do = {other!r}: it must be add, list or clear")

    def _add(self, arguments: dict[str, Any], client: Client, answer: "Future[Any]") -> None:
        asked = Fault.from_request(arguments, created_by=f"{client.user}@{client.host}")
        if reason := fits_nothing(self._ring, asked.device, asked.property):
            raise FaultError(reason)
        number = self._injector.add(asked)
        fault = next((f for f in self._injector.active() if f.id == number), None)
        text = fault.describe() if fault else f"fault {number}: {asked.action} {asked.device}"  # used up already
        _log.info("fault %d added by %s: %s %s", number, asked.created_by, asked.action, asked.device)

        def recorded(reply: PutReply) -> None:
            if reply.accepted:
                answer.set_result(fault.to_json() if fault else {"id": number})
                return
            with suppress(FaultError):  # it may have acted for the last time
                self._injector.clear(number)
            self._show()
            answer.set_exception(FaultError(f"{text} is not added: it cannot be recorded: {reply.message}"))

        self._dispatcher.note(f"added {text}", client).add_done_callback(lambda done: recorded(done.result()))

    def _clear(self, number: int | None, client: Client, answer: "Future[Any]") -> None:
        cleared = self._injector.clear(number)
        _log.info("%d faults cleared by %s@%s", len(cleared), client.user, client.host)
        if not cleared:
            answer.set_result([])
            return

        def recorded(reply: PutReply) -> None:
            if reply.accepted:
                answer.set_result([f.to_json() for f in cleared])
            else:
                answer.set_exception(FaultError(f"cleared, but this cannot be recorded: {reply.message}"))

        texts = "; ".join(fault.describe() for fault in cleared)
        self._dispatcher.note(f"cleared {texts}", client).add_done_callback(lambda done: recorded(done.result()))

    def _show(self) -> None:
        self._loop.call_soon_threadsafe(show_faults, self._injector, self._outputs)


def fits_nothing(ring: Ring, device: str, property: str) -> str:
    """Give the reason if patterns of a fault match no property of any device of a ring, with near names; else empty."""
    names = list(dict.fromkeys(name for name, _ in ring.properties))
    fitting = {name for name in names if fnmatchcase(name, device)}
    if not fitting:
        return f"no device of {ring.name} matches {shorten(device)}{_near(device, names)}"
    known = list(dict.fromkeys(kind for name, kind in ring.properties if name in fitting))
    if any(fnmatchcase(kind, property) for kind in known):
        return ""
    near = _near(property, known) or f"; known properties: {', '.join(known[:MAX_NAMES])}"
    return f"no device that matches {shorten(device)} has a property that matches {shorten(property)}{near}"


def _near(pattern: str, names: list[str]) -> str:
    """Name what is written in nearly the same way, whatever the case."""
    lower = {name.lower(): name for name in names}
    bare = pattern.lower()
    found = [lower[name] for name in get_close_matches(bare, lower, MAX_NAMES, 0.6)]
    found += [name for name in names if fnmatchcase(name.lower(), bare)][:MAX_NAMES]
    near = list(dict.fromkeys(found))[:MAX_NAMES]
    return f"; near names: {', '.join(near)}" if near else ""


def show_faults(injector: Injector, outputs: Outputs) -> None:
    """Publish what faults are active."""
    active = injector.active()
    outputs.show(sources.FAULTS_COUNT, len(active))
    outputs.show(sources.FAULTS_ACTIVE, [fault.describe() for fault in active])


def _id(arguments: Mapping[str, Any]) -> int | None:
    unknown = sorted(set(arguments) - {"id"})
    if unknown:
        raise FaultError(f"clear takes id alone, not {', '.join(unknown)}")
    given = arguments.get("id")
    if given is None:
        return None
    try:
        number = parse_number(given) if isinstance(given, str) else float(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise FaultError(f"id is {shorten(str(given))}; it must be the number of a fault") from error
    if not number.is_integer() or isinstance(given, bool):
        raise FaultError(f"id is {given}; it must be the number of a fault, a whole number")
    return int(number)
