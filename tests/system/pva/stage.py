"""A bank with one PV of every kind, a sink in the place of the dispatcher, and what a running server needs."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from p4p.client.thread import Context
from patience import PATIENCE_S

from gnomon.db.pvs import AlarmLimits, Kind, PvSpec
from gnomon.ioc.base.protocols import RpcHandler
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.pva.pva_server import PvaServer
from gnomon.ioc.servers.pva.settings import Endpoint, PvaError, Settings
from gnomon.lattice import Client, GnomonError
from system.fake_sink import FakeSink

Result = TypeVar("Result")

START_NS = 1_700_000_000_123_456_789
FREE = Settings(port=0, broadcast_port=0)

SPECS = (
    PvSpec(
        name="T:current", kind=Kind.FLOAT, source="", description="current of the first family", unit="A", precision=4,
        display=(-20.0, 200.0), drive=(0.0, 150.0), alarm=AlarmLimits(-10.0, -5.0, 5.0, 10.0), writable=True,
    ),
    PvSpec(name="T:count", kind=Kind.INT, source="", description="results so far", display=(0, 1000), writable=True),
    PvSpec(name="T:mode", kind=Kind.ENUM, source="", description="mode", states=("off", "on", "ramp"), writable=True),
    PvSpec(name="T:reason", kind=Kind.STRING, source="", description="why there is no beam", writable=True),
    PvSpec(
        name="T:orbit", kind=Kind.FLOATS, source="", description="horizontal orbit", unit="mm", length=4000,
        display=(-10.0, 10.0), writable=True,
    ),
    PvSpec(name="T:names", kind=Kind.STRINGS, source="", description="names of the monitors", length=200),
    PvSpec(
        name="T:table", kind=Kind.TABLE, source="", description="all monitors",
        columns=(("name", "Name", "string"), ("x", "x [mm]", "float")),
    ),
    PvSpec(name="T:fixed", kind=Kind.FLOAT, source="", description="cannot be written"),
)  # fmt: skip


class LoopServer:
    """A server in an event loop of its own, in a thread, so that tests may wait and publish as they like."""

    def __init__(self, server: PvaServer) -> None:
        self.server = server
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Endpoint:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        try:
            return self.call(self.server.start)
        except PvaError:
            self.stop()
            raise

    def stop(self) -> None:
        if self._loop is None or self._thread is None:
            return
        self.call(self.server.stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = None

    def add(self, bank: Bank, sink: FakeSink, rpcs: Mapping[str, RpcHandler] | None = None) -> None:
        self.call(self.server.add, bank, sink, rpcs)

    def remove(self, bank: Bank) -> None:
        self.call(self.server.remove, bank)

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run a function in the server's loop."""
        assert self._loop is not None

        async def run() -> Result:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE_S)

    @property
    def connected(self) -> int:
        return self.server.connected


def server_of(
    bank: Bank,
    sink: FakeSink | None = None,
    settings: Settings = FREE,
    environ: Mapping[str, str] | None = None,
    rpcs: Mapping[str, RpcHandler] | None = None,
    **options: Any,
) -> LoopServer:
    """A server, not started, of one bank in an environment without EPICS variables."""
    server = PvaServer(settings, environ={} if environ is None else environ, **options)
    server.add(bank, sink or FakeSink(bank), rpcs)
    return LoopServer(server)


@dataclass
class Served:
    """A running server with all around it."""

    bank: Bank
    sink: FakeSink
    server: LoopServer
    endpoint: Endpoint

    def context(self, **options: Any) -> Context:
        return Context("pva", conf=dict(self.endpoint.client_variables), useenv=False, **options)

    def publish(self, name: str, value: Any, *, time_ns: int, generation: int) -> None:
        index = self.bank.index[name]
        nothing = (np.zeros(0, dtype=np.intp), np.zeros(0))
        if SPECS[index].kind in (Kind.FLOAT, Kind.INT, Kind.ENUM):
            scalars = (np.array([index]), np.array([float(value)]))
            self.bank.publish(scalars, {}, time_ns=time_ns, generation=generation)
        else:
            self.bank.publish(nothing, {index: value}, time_ns=time_ns, generation=generation)


def procedure(arguments: dict[str, Any], client: Client) -> Future[Any]:
    """Answers with what it was asked, as a text or as `fields`; fails when told so."""
    future: Future[Any] = Future()
    if arguments.get("fail"):
        future.set_exception(GnomonError("Q1PDR current = 900 A is above its limit 150 A; nothing has changed."))
    elif arguments.get("fields"):
        future.set_result({"number": 3})
    else:
        future.set_result(repr(dict(sorted(arguments.items()))))
    return future
