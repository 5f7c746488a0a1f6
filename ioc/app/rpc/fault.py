"""`dt:fault`: make a running server fail on purpose, list what is active, and stop it."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from gnomon.db import sources
from gnomon.fault_injection import Fault, FaultError, Injector
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.lattice import Client
from gnomon.lattice.text import parse_number, shorten

_log = SparingLog(logging.getLogger("gnomon.faults"))


class FaultProcedure:
    """`dt:fault`: `do` is add (with the keys of a fault), list, or clear (with `id`, or all).

    Ends with the fault, or with a list of faults.
    """

    def __init__(self, injector: Injector, outputs: Outputs) -> None:
        self._injector = injector
        self._outputs = outputs
        self._loop = asyncio.get_running_loop()

    def __call__(self, arguments: dict[str, Any], client: Client) -> "Future[Any]":
        """See `RpcHandler`."""
        answer: Future[Any] = Future()
        try:
            answer.set_result(self._do(dict(arguments), client))
        except FaultError as error:
            answer.set_exception(error)
        self._loop.call_soon_threadsafe(show_faults, self._injector, self._outputs)
        return answer

    def _do(self, arguments: dict[str, Any], client: Client) -> Any:
        match arguments.pop("do", "list"):
            case "add":
                fault = Fault.from_request(arguments, created_by=f"{client.user}@{client.host}")
                added = self._injector.add(fault)
                _log.info("fault %d added by %s: %s %s", added, fault.created_by, fault.action, fault.device)
                return next((f.to_json() for f in self._injector.active() if f.id == added), {"id": added})
            case "clear":
                cleared = self._injector.clear(_id(arguments))
                _log.info("%d faults cleared by %s@%s", len(cleared), client.user, client.host)
                return [f.to_json() for f in cleared]
            case "list":
                return [f.to_json() for f in self._injector.active()]
            case other:
                raise FaultError(f"do = {other!r}: it must be add, list or clear")


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
