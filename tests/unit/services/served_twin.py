"""A twin in this process, in an event loop and a thread of its own, that services reach as they reach a server."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from gnomon.clients import epics_client
from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.clients.errors import NoServerError, RefusedError
from gnomon.clients.reading import Reading, jsonable
from gnomon.clients.server_choice import Target
from gnomon.ioc.app.active_faults import PvValues
from gnomon.ioc.app.rpc.dt_fault import FaultProcedure
from gnomon.ioc.app.rpc.dt_set import SetProcedure
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import LoadedMachine, keep_document
from gnomon.ioc.base.protocols import RpcHandler
from gnomon.ioc.base.running_servers import RunningServer
from gnomon.lattice import GnomonError, parse_machine
from unit.ioc.rig import CLIENT, RING, Rig, running
from unit.lattice import small_ring
from unit.services.conftest import READ, application

SERVER = RunningServer(pid=1, prefix="T:", machine="small", role="twin", ca_address="a:1", pva_address="a:2")


class TwinPvs:
    """The bank of the twin, as a client of either protocol sees it."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def get(self, names: Sequence[str], timeout_s: float) -> list[Reading | None]:
        return [self._reading(name) for name in names]

    def _reading(self, name: str) -> Reading | None:
        if name not in self._rig.bank.index:
            return None
        spec, found = self._rig.bank.specs[self._rig.bank.index[name]], self._rig.get(name)
        index = int(found.value) if spec.states else None
        value: Any = spec.states[index] if index is not None else found.value
        return Reading(name, value, spec.unit, int(found.severity), time_ns=found.time_ns, states=spec.states,
                       index=index, limits=spec.drive)  # fmt: skip

    def put(self, name: str, value: Any, timeout_s: float, *, wait: bool = True) -> None:
        raise NotImplementedError

    def monitor(self, name: str, callback: Callable[[Reading | None], None]) -> Callable[[], None]:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


class ServedTwin:
    """The twin, its configuration, and its procedures; use `client` as `EpicsClient` is made."""

    def __init__(self, rig: Rig, config: Config) -> None:
        self.rig, self.config = rig, config
        self.procedures: dict[str, RpcHandler] = {
            "dt:set": SetProcedure(rig.bank, RING, "T:", rig.dispatcher),
            "dt:fault": FaultProcedure(
                rig.injector, rig.faults, PvValues(rig.bank, "T:"), RING, rig.dispatcher, rig.connections
            ),
        }

    def call(self, procedure: str, arguments: Mapping[str, Any]) -> Any:
        if procedure == "dt:journal":
            journal = self.rig.journal
            return {"journal": str(journal.path), "run": journal.run, "machine": "small"}
        if procedure not in self.procedures:
            raise RefusedError(f"T:{procedure}: this twin has no forks")
        try:
            answer = self.procedures[procedure](dict(arguments), CLIENT).result(20.0)
        except GnomonError as error:
            raise RefusedError(str(error)) from error
        return json.loads(json.dumps(jsonable(answer)))

    def choose(self, prefix: str | None, server: str | None = None) -> Target:
        if prefix not in (None, "T:") or server not in (None, "1"):
            raise NoServerError("none of the running servers is the one that was chosen")
        return Target("T:", {}, SERVER)


@contextmanager
def served_twin(folder: Path) -> Iterator[ServedTwin]:
    """Serve the small ring to the services of this process, and nothing else."""
    config = Config.model_validate({"store": {"path": str(folder / "documents.sqlite")}})
    loop, ended = asyncio.new_event_loop(), asyncio.Event()
    started: Future[ServedTwin] = Future()

    async def serve() -> None:
        try:
            await keep_document(LoadedMachine(parse_machine(small_ring.text(), "small"), "test"), config)
            async with running(folder) as rig:
                started.set_result(ServedTwin(rig, config))
                await ended.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        twin = started.result(60.0)
        infos = [PvInfo(s.name, s.source, s.device, s.property, s.unit, s.writable, "") for s in twin.rig.bank.specs]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gnomon.services.twin_access.choose_one", twin.choose)
            patch.setattr("gnomon.services.running_routes.running_servers", lambda: (SERVER,))
            patch.setattr(epics_client, "_connect", lambda target, protocol: TwinPvs(twin.rig))
            patch.setattr(EpicsClient, "find_pvs", lambda self, match="*", source="*", timeout_s=None: infos)
            patch.setattr(EpicsClient, "call", lambda self, name, arguments=None: twin.call(name, arguments or {}))
            yield twin
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


async def first_events(twin: ServedTwin, folder: Path, query: str, headers: dict[str, str], count: int) -> list[Any]:
    """Follow the recordings as a browser does, and leave after some events."""
    app = application(folder, twin.config)
    told = b""
    enough = asyncio.Event()

    async def receive() -> Message:
        if not asked:
            asked.append(True)
            return {"type": "http.request", "body": b""}
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal told
        told += message.get("body", b"")
        if told.count(b"event: ") >= count:
            enough.set()

    asked: list[bool] = []
    given = {"Authorization": f"Bearer {READ}"} | headers
    scope = {
        "type": "http", "method": "GET", "path": "/v1/recordings/events", "query_string": query.encode(),
        "headers": [(name.lower().encode(), text.encode()) for name, text in given.items()],
        "asgi": {"spec_version": "2.3", "version": "3.0"}, "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    await asyncio.wait_for(app(scope, receive, send), 60.0)
    events = [dict(line.split(": ", 1) for line in each.split("\n")) for each in told.decode().strip().split("\n\n")]
    return [event for event in events if "event" in event]
