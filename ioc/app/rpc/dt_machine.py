"""`dt:machine`: the machine document that is served, and one that waits in the store; `dt:reload`: take that over."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from gnomon.ioc.app.document_watch import DocumentWatch
from gnomon.ioc.base.protocols import RpcHandler
from gnomon.lattice import Client, GnomonError
from gnomon.lattice.text import shorten

#: Number of differences that are told.
MAX_DIFFERENCES = 1000


class MachineQueryError(GnomonError):
    """A call with arguments that the procedure does not take."""


class OwnMachine(Protocol):
    """The part of a server that has its machine document."""

    @property
    def watch(self) -> DocumentWatch:
        """The watch over the document in the store."""
        ...

    @property
    def document_facts(self) -> Mapping[str, Any]:
        """Name and origin of the served document."""
        ...

    async def reload(self, client: Client, *, reconnect: bool = False) -> Mapping[str, Any]:
        """Take over the document that waits."""
        ...


class MachineProcedure:
    """`do` is show (default), look (ask the store now), or diff: places where the document that waits differs."""

    changes_nothing = True

    def __init__(self, own: OwnMachine) -> None:
        self._own = own
        self._loop = asyncio.get_running_loop()

    def __call__(self, arguments: dict[str, Any], client: Client) -> "Future[Any]":
        """See `RpcHandler`."""
        return asyncio.run_coroutine_threadsafe(self._do(dict(arguments)), self._loop)

    async def _do(self, arguments: dict[str, Any]) -> Any:
        do = arguments.pop("do", "show")
        if arguments or do not in ("show", "look", "diff"):
            raise MachineQueryError(f"do = {shorten(str(do))}: it must be show, look or diff, without other arguments")
        watch = self._own.watch
        if do != "show":
            await watch.look()
        if do != "diff":
            waiting = watch.waiting
            return {
                **self._own.document_facts,
                "waiting": 0 if waiting is None else waiting.revision,
                "put_ns": 0 if waiting is None else waiting.time_ns,
                "problem": watch.problem,
            }
        found = await asyncio.to_thread(watch.differences)
        return [{"place": each.place, "before": each.before, "after": each.after} for each in found[:MAX_DIFFERENCES]]


class ReloadProcedure:
    """Take over the machine document that waits in the store; `reconnect` = yes: also if clients must connect again."""

    def __init__(self, own: OwnMachine) -> None:
        self._own = own
        self._loop = asyncio.get_running_loop()

    def __call__(self, arguments: dict[str, Any], client: Client) -> "Future[Any]":
        """See `RpcHandler`."""
        return asyncio.run_coroutine_threadsafe(self._reload(dict(arguments), client), self._loop)

    async def _reload(self, arguments: dict[str, Any], client: Client) -> Any:
        reconnect = str(arguments.pop("reconnect", "no"))
        if arguments or reconnect not in ("yes", "no"):
            raise MachineQueryError("dt:reload takes reconnect = yes or no, and no other argument")
        return await self._own.reload(client, reconnect=reconnect == "yes")


def machine_procedures(prefix: str, own: OwnMachine) -> Mapping[str, RpcHandler]:
    """Both procedures by PV name: only the server's own twin has them, and forks follow it."""
    return {f"{prefix}dt:machine": MachineProcedure(own), f"{prefix}dt:reload": ReloadProcedure(own)}
