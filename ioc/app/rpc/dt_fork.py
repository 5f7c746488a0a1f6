"""`dt:fork`: make, list and drop forks; and with it all remote procedures that a twin has."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from gnomon.db import sources
from gnomon.ioc.app.active_faults import PvValues
from gnomon.ioc.app.forks import ForkError, ForkRequest, Forks
from gnomon.ioc.app.injected_connections import PROCEDURE
from gnomon.ioc.app.rpc.dt_fault import FaultProcedure
from gnomon.ioc.app.rpc.dt_journal import ArchiveProcedure, JournalProcedure
from gnomon.ioc.app.rpc.dt_pvs import PvsProcedure
from gnomon.ioc.app.rpc.dt_set import SetProcedure
from gnomon.ioc.app.twin import Twin
from gnomon.ioc.base.protocols import RpcHandler
from gnomon.ioc.servers.access import AccessRules
from gnomon.lattice import Client
from gnomon.lattice.text import shorten

#: Arguments of `add` besides the name: keys of a `ForkRequest`.
KEYS = ("prefix", "nominal", "snapshot", "lattice")


class ForkProcedure:
    """`do` is add (`name`, and if wanted `prefix`, `nominal`, `snapshot`, `lattice`), list, or drop (`name`).

    Adds a fork of the twin whose procedure was called. Returns the fork, or all of them.
    """

    def __init__(self, twin: Twin, forks: Forks) -> None:
        self._twin = twin
        self._forks = forks
        self._loop = asyncio.get_running_loop()

    def __call__(self, arguments: dict[str, Any], client: Client) -> "Future[Any]":
        """See `RpcHandler`."""
        return asyncio.run_coroutine_threadsafe(self._do(dict(arguments), client), self._loop)

    async def _do(self, arguments: dict[str, Any], client: Client) -> Any:
        match arguments.pop("do", "list"):
            case "add":
                made = await self._forks.add(self._twin, parse_fork_request(arguments), client)
                return made.to_json()
            case "drop":
                name = str(arguments.get("name", ""))
                own = next((f for f in self._forks.all() if f.twin is self._twin), None)
                if own is not None and own.name == name:
                    raise ForkError(f"fork {name!r} cannot drop itself; call dt:fork of {own.origin!r}, its origin")
                return (await self._forks.drop(name, client)).to_json()
            case "list":
                return [fork.to_json() for fork in self._forks.all()]
            case other:
                raise ForkError(f"do = {shorten(str(other))}: it must be add, list or drop")


def parse_fork_request(arguments: Mapping[str, Any]) -> ForkRequest:
    """Read the arguments of `add`. Raises ForkError for an unknown one."""
    if unknown := sorted(set(arguments) - {"name", *KEYS}):
        raise ForkError(f"unknown argument of add: {', '.join(unknown)}; known arguments: name, {', '.join(KEYS)}")
    if others := sorted(key for key, value in arguments.items() if key != "nominal" and not isinstance(value, str)):
        raise ForkError(f"{others[0]} = {shorten(str(arguments[others[0]]))}: it must be a text")
    name = arguments.get("name", "")
    return ForkRequest(
        name=name,
        prefix=arguments.get("prefix", f"{name}:"),
        nominal=_yes_or_no(arguments.get("nominal", "")),
        snapshot=arguments.get("snapshot", ""),
        lattice=arguments.get("lattice", ""),
    )


def _yes_or_no(nominal: object) -> bool:
    """Read `nominal`: a text, a bool or a number. Raises ForkError for what is neither yes nor no."""
    answers = {"1": True, "true": True, "yes": True, "": False, "0": False, "false": False, "no": False}
    if isinstance(nominal, float) and nominal.is_integer():
        nominal = int(nominal)
    answer = answers.get(str(nominal).lower())
    if answer is None:
        raise ForkError(f"nominal = {shorten(str(nominal))}: it must be true or false")
    return answer


def procedures(twin: Twin, forks: Forks) -> Mapping[str, RpcHandler]:
    """All remote procedures of a twin, by PV name; one of them has a control, too."""
    values = PvValues(twin.bank, twin.prefix)
    faults = FaultProcedure(twin.injector, twin.faults, values, twin.machine.ring, twin.dispatcher, twin.connections)
    twin.controls.register(sources.FAULTS_CLEAR, faults.clear_all)
    return {
        f"{twin.prefix}dt:set": SetProcedure(twin.bank, twin.machine.ring, twin.prefix, twin.dispatcher),
        f"{twin.prefix}{PROCEDURE}": faults,
        f"{twin.prefix}dt:fork": ForkProcedure(twin, forks),
        f"{twin.prefix}dt:journal": JournalProcedure(twin),
        f"{twin.prefix}dt:archive": ArchiveProcedure(twin),
        f"{twin.prefix}dt:pvs": PvsProcedure(twin.bank.specs, twin.prefix, AccessRules(twin.config.access)),
    }
