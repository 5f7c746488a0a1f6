"""`dt:fault`: make a running server fail on purpose, list what is active, and stop it."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from gnomon.fault_injection import Fault, FaultError, Injector, JournalFull, list_kinds
from gnomon.ioc.app.active_faults import ActiveFaults, PvValues
from gnomon.ioc.app.injected_connections import InjectedConnections
from gnomon.ioc.app.rpc.connection_targets import disturbs_nothing
from gnomon.ioc.app.rpc.fault_targets import without_target
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.protocols import PutReply
from gnomon.ioc.commands.dispatcher import Dispatcher
from gnomon.lattice import Client, Ring
from gnomon.lattice.text import parse_number, shorten

#: Time to wait for the journal before a client is told that its faults are cleared [s].
RECORD_S = 2.0

_log = SparingLog(logging.getLogger("gnomon.faults"))


class FaultProcedure:
    """`dt:fault`: `do` is add (with the keys of a fault), list, kinds, or clear (with `id`, or all).

    Ends with the fault, or with a list of faults or kinds, once the journal has what was added or cleared. Clearing
    always works: if it cannot be recorded, or not soon, `unrecorded` of the cleared faults has the reason.
    """

    def __init__(
        self,
        injector: Injector,
        shown: ActiveFaults,
        values: PvValues,
        ring: Ring,
        dispatcher: Dispatcher,
        connections: InjectedConnections,
    ) -> None:
        self._injector = injector
        self._shown = shown
        self._values = values
        self._ring = ring
        self._dispatcher = dispatcher
        self._connections = connections
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

    async def clear_all(self, value: float, client: Client) -> None:
        """Take a put to the control that clears all faults."""
        if value:
            answer: Future[Any] = Future()
            self._clear(None, client, answer)
            self._shown.show()
            await asyncio.wrap_future(answer)

    def _do(self, arguments: dict[str, Any], client: Client, answer: "Future[Any]") -> None:
        match arguments.pop("do", "list"):
            case "add":
                self._add(arguments, client, answer)
            case "clear":
                self._clear(_id(arguments), client, answer)
            case "list":
                answer.set_result([f.to_json() for f in self._injector.active()])
            case "kinds":
                answer.set_result([dict(kind) for kind in list_kinds()])
            case other:
                raise FaultError(f"do = {other!r}: it must be add, list, kinds or clear")

    def _add(self, arguments: dict[str, Any], client: Client, answer: "Future[Any]") -> None:
        asked = Fault.from_request(arguments, created_by=f"{client.user}@{client.host}")
        reason = without_target(asked.request, self._ring, self._values)
        if reason := reason or disturbs_nothing(asked.request, self._connections):
            raise FaultError(reason)
        # On a full disk it could not be recorded.
        number = self._injector.add(asked, waits=isinstance(asked.request, JournalFull))
        fault = next((f for f in self._injector.active() if f.id == number), None)
        text = fault.describe() if fault else f"fault {number}: {asked.request.describe()}"  # used up already
        _log.info("%s, added by %s", text, asked.created_by)

        def recorded(reply: PutReply) -> None:
            if reply.accepted:
                self._injector.begin(number)
                with suppress(InvalidStateError):  # the client has gone
                    answer.set_result(fault.to_json() if fault else {"id": number})
                return
            with suppress(FaultError):  # it may have acted for the last time
                self._injector.clear(number)
            self._show()
            with suppress(InvalidStateError):
                answer.set_exception(FaultError(f"{text} is not added: it cannot be recorded: {reply.message}"))

        self._dispatcher.note(f"added {text}", client).add_done_callback(lambda done: recorded(done.result()))

    def _clear(self, number: int | None, client: Client, answer: "Future[Any]") -> None:
        cleared = self._injector.clear(number)
        _log.info("%d faults cleared by %s@%s", len(cleared), client.user, client.host)
        if not cleared:
            answer.set_result([])
            return

        def tell(unrecorded: str) -> None:
            with suppress(InvalidStateError):  # told already
                answer.set_result([f.to_json() | {"unrecorded": unrecorded} for f in cleared])

        texts = "; ".join(fault.describe() for fault in cleared)
        noted = self._dispatcher.note(f"cleared {texts}", client)
        noted.add_done_callback(lambda done: tell("" if done.result().accepted else done.result().message))
        slow = f"the journal has not answered within {RECORD_S:g} s"
        self._loop.call_soon_threadsafe(self._loop.call_later, RECORD_S, tell, slow)

    def _show(self) -> None:
        self._loop.call_soon_threadsafe(self._shown.show)


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
