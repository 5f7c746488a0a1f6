"""A Channel Access server in a thread, a sink in the place of the dispatcher, and a client of bare sockets."""

import asyncio
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from patience import PATIENCE_S

from gnomon.db.pvs import AlarmLimits, Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.access import AccessRules
from gnomon.ioc.servers.ca.ca_server import CaServer, CaSettings
from system.fake_sink import FakeSink

START_NS = 1_700_000_000_123_456_789
EPOCH_S = 631_152_000
HEADER = struct.Struct(">HHHHII")
VERSION, EVENT_ADD, EVENT_CANCEL, EVENTS_OFF, EVENTS_ON, CLEAR, READ, CREATE, WRITE = 0, 1, 2, 8, 9, 12, 15, 18, 19
ECHO = 23
TIME_DOUBLE, DOUBLE = 20, 6
VALUE, ALARM = 1, 4

SCALARS = (Kind.FLOAT, Kind.INT, Kind.ENUM)
SPECS = (
    PvSpec(
        name="T:current", kind=Kind.FLOAT, source="", description="current of the first family", unit="A", precision=4,
        display=(-20.0, 200.0), drive=(0.0, 150.0), alarm=AlarmLimits(-10.0, -5.0, 5.0, 10.0), writable=True,
    ),
    PvSpec(name="T:count", kind=Kind.INT, source="", description="results so far", display=(0, 1000)),
    PvSpec(name="T:mode", kind=Kind.ENUM, source="", description="mode", states=("off", "on", "ramp"), writable=True),
    PvSpec(name="T:reason", kind=Kind.STRING, source="", description="why there is no beam"),
    PvSpec(name="T:orbit", kind=Kind.FLOATS, source="", description="horizontal orbit", unit="mm", length=4000),
    PvSpec(name="T:names", kind=Kind.STRINGS, source="", description="names of the monitors", length=200),
    PvSpec(name="T:fixed", kind=Kind.FLOAT, source="", description="cannot be written"),
    *(PvSpec(name=f"T:x{i}", kind=Kind.FLOAT, source="", description="position", unit="mm") for i in range(3000)),
)  # fmt: skip


class Served:
    """A running server; its loop runs on a thread, so tests may block."""

    def __init__(self, port: int, access: AccessRules | None = None, specs: Sequence[PvSpec] = SPECS) -> None:
        self.access = access
        self.bank = Bank(specs, START_NS)
        self.sink = FakeSink(self.bank)
        self.port = port
        self.loop = asyncio.new_event_loop()
        self.problems: list[str] = []
        self.loop.set_exception_handler(lambda _, context: self.problems.append(str(context)))
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.server = self.run(self._start())

    async def _start(self) -> CaServer:
        server = CaServer(CaSettings(("127.0.0.1",), self.port), self.access)
        server.add(self.bank, self.sink)
        await server.start()
        return server

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_S)

    def stop(self) -> None:
        self.run(self.server.stop())
        self.run(asyncio.sleep(0.05))
        self.left = [task for task in asyncio.all_tasks(self.loop) if not task.done()]
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def publish(self, values: dict[str, Any], *, time_ns: int = START_NS, invalid: tuple[str, ...] = ()) -> None:
        """Publish in the thread of the loop, in one call."""

        async def publish() -> None:
            self.publish_here(values, time_ns=time_ns, invalid=invalid)

        self.run(publish())

    def publish_here(self, values: dict[str, Any], *, time_ns: int = START_NS, invalid: tuple[str, ...] = ()) -> None:
        index, specs = self.bank.index, self.bank.specs
        scalars = {index[n]: float(v) for n, v in values.items() if specs[index[n]].kind in SCALARS}
        objects = {index[n]: v for n, v in values.items() if specs[index[n]].kind not in SCALARS}
        self.bank.publish(
            (np.array(list(scalars), dtype=np.intp), np.array(list(scalars.values()))),
            objects,
            time_ns=time_ns,
            generation=1,
            invalid=np.array([index[n] for n in invalid], dtype=np.intp),
        )


@dataclass(frozen=True)
class Message:
    command: int
    data_type: int
    count: int
    first: int
    second: int
    payload: bytes

    @property
    def double(self) -> tuple[int, int, int, float]:
        """Status, severity, time stamp [ns since 1970] and value of a DBR_TIME_DOUBLE."""
        status, severity, seconds, nanoseconds, _, value = struct.unpack(">HHIIId", self.payload[:24])
        return status, severity, (seconds + EPOCH_S) * 1_000_000_000 + nanoseconds, value


class RawClient:
    """Speaks the protocol by the byte, so that nothing is reordered or hidden."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._data = b""
        self.sids: dict[str, int] = {}
        self.rights: dict[str, int] = {}
        self.send(VERSION, count=13)

    def close(self) -> None:
        self._socket.close()

    def send(
        self, command: int, data_type: int = 0, count: int = 0, first: int = 0, second: int = 0, payload: bytes = b""
    ) -> None:
        payload += b"\0" * (-len(payload) % 8)
        self._socket.sendall(HEADER.pack(command, len(payload), data_type, count, first, second) + payload)

    def receive(self, timeout_s: float = PATIENCE_S) -> Message | None:
        """The next message, None when none comes in time."""
        self._socket.settimeout(timeout_s)
        try:
            size, count, start = self._head()
            while len(self._data) < start + size:
                self._more()
        except TimeoutError:
            return None
        command, _, data_type, _, first, second = HEADER.unpack_from(self._data)
        message = Message(command, data_type, count, first, second, self._data[start : start + size])
        self._data = self._data[start + size :]
        return message

    def wait(self, command: int) -> Message:
        while (message := self.receive()) is not None:
            if message.command == command:
                return message
        raise AssertionError(f"no message {command}")

    def connect(self, *names: str) -> None:
        for cid, name in enumerate(names, len(self.sids)):
            self.send(CREATE, first=cid, second=13, payload=name.encode() + b"\0")
            self.rights[name] = self.wait(22).second
            self.sids[name] = self.wait(CREATE).second

    def subscribe(self, name: str, number: int, data_type: int = TIME_DOUBLE, mask: int = VALUE | ALARM) -> None:
        payload = struct.pack(">fffHH", 0.0, 0.0, 0.0, mask, 0)
        self.send(EVENT_ADD, data_type, 0, self.sids[name], number, payload)

    def put(self, name: str, value: float, ioid: int) -> None:
        self.send(WRITE, DOUBLE, 1, self.sids[name], ioid, struct.pack(">d", value))

    def _head(self) -> tuple[int, int, int]:
        while len(self._data) < HEADER.size:
            self._more()
        _, size, _, count, _, _ = HEADER.unpack_from(self._data)
        if size != 0xFFFF:
            return size, count, HEADER.size
        while len(self._data) < HEADER.size + 8:
            self._more()
        return (*struct.unpack_from(">II", self._data, HEADER.size), HEADER.size + 8)

    def _more(self) -> None:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionResetError("the server has closed the connection")
        self._data += data
