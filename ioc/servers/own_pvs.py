"""A few PVs over both protocols, without a ring behind them: published by name, puts taken by a function."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import numpy as np

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.memory_budget import MemoryBudget
from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.access import AccessRules
from gnomon.ioc.servers.ca.ca_server import CaServer, settings
from gnomon.ioc.servers.duplicate_pvs import refuse_duplicate_pvs
from gnomon.ioc.servers.pva.pva_server import PvaServer
from gnomon.ioc.servers.pva.settings import Settings
from gnomon.lattice import Client
from gnomon.lattice.text import parse_number, shorten

__all__ = ["OwnPvs", "PutFuture", "PutReply", "TakePut"]

#: Takes a checked put, in a thread of a server: name without prefix, value, who; ends the future once it is complete.
TakePut = Callable[[str, Any, Client, PutFuture], None]


class OwnPvs:
    """PVs of a process that is not a twin, under a prefix. All methods are for its event loop.

    Network, access and guard are those of a configuration. A value that does not fit its PV, and a put to one that
    cannot be written, are refused here.
    """

    def __init__(self, specs: Sequence[PvSpec], prefix: str, config: Config, take: TakePut) -> None:
        self._prefix, self._config, self._take = prefix, config, take
        self._bank = Bank(specs, time.time_ns())
        network, access = config.network, AccessRules(config.access)
        budget = MemoryBudget(config.guard)
        self._ca = CaServer(settings(network.interfaces, network.ca_port), access, config.guard, budget)
        where = Settings(network.interfaces, network.pva_port, network.pva_broadcast_port)
        self._pva = PvaServer(where, access, config.guard, budget=budget)
        self._pva.add(self._bank, self)
        self._ca.add(self._bank, self)

    async def start(self, stack: AsyncExitStack) -> tuple[str, str]:
        """Serve until the stack is closed; return the addresses of Channel Access and PV Access.

        Raises GnomonError when an address cannot be had, or another server has one of the names.
        """
        await refuse_duplicate_pvs([spec.name for spec in self._bank.specs], self._config.network)
        endpoint = self._pva.start()
        stack.callback(self._pva.stop)
        await self._ca.start()
        stack.push_async_callback(self._ca.stop)
        return f"{self._ca.where.interfaces[0]}:{self._ca.port}", f"{endpoint.interfaces[0]}:{endpoint.port}"

    def publish(self, values: Mapping[str, Any]) -> None:
        """Show new values, by name without prefix, with one time stamp."""
        numbers: dict[int, float] = {}
        objects: dict[int, Any] = {}
        for name, value in values.items():
            index = self._bank.index[self._prefix + name]
            kind = self._bank.specs[index].kind
            if kind in (Kind.FLOAT, Kind.INT, Kind.ENUM):
                numbers[index] = float(value)
            else:
                objects[index] = value
        scalars = np.fromiter(numbers, dtype=np.intp, count=len(numbers)), np.array([*numbers.values()], dtype=float)
        self._bank.publish(scalars, objects, time_ns=time.time_ns(), generation=0)

    def value(self, name: str) -> Any:
        """Return the value of a PV, by name without prefix."""
        return self._bank.reading(self._bank.index[self._prefix + name]).value

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        """See `PutSink`."""
        future = PutFuture()
        spec = self._bank.specs[index]
        checked = fitting(spec, value)
        if not spec.writable:
            future.set_result(PutReply(False, f"{spec.name} is read-only; nothing was changed"))
        elif checked is None:
            wanted = f"one of {', '.join(spec.states)}" if spec.states else f"a {spec.kind}"
            text = f"{spec.name} = {shorten(str(value))}: not {wanted}; nothing was changed"
            future.set_result(PutReply(False, text))
        else:
            self._take(spec.name.removeprefix(self._prefix), checked, client, future)
        return future


def fitting(spec: PvSpec, value: Any) -> Any:
    """Return what a client sent as the PV has it: text, number, or number of a state. None: it does not fit."""
    if isinstance(value, list | tuple | np.ndarray):
        if len(value) != 1:
            return None
        value = value[0]
    if spec.kind is Kind.STRING:
        return value if isinstance(value, str) else str(value)
    if isinstance(value, str) and value in spec.states:
        return spec.states.index(value)
    try:
        number = parse_number(value) if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        return None
    if not np.isfinite(number) or (spec.kind is not Kind.FLOAT and number != int(number)):
        return None
    if spec.states and not 0 <= number < len(spec.states):
        return None
    return number if spec.kind is Kind.FLOAT else int(number)
