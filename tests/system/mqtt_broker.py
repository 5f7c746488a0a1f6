"""A real mosquitto on a port of its own, which a test can kill and start again; a relay that can cut; a listener."""

import asyncio
import json
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from debian_programs import debian_program
from patience import PATIENCE_S

#: Anybody may do anything, and nothing is kept: what the broker has acknowledged, it has given to those who listen.
OPEN = ("allow_anonymous true",)
LIMITS = ("persistence false", "max_queued_messages 0", "max_inflight_messages 0", "per_listener_settings false")


class Broker:
    """A broker that is a child of the test; `lines` are those of its configuration besides the address."""

    def __init__(self, folder: Path, port: int, lines: Sequence[str] = OPEN) -> None:
        self.port = port
        self._log = folder / f"mosquitto-{port}.log"
        self._config = folder / f"mosquitto-{port}.conf"
        user = "user root"  # as root, it would become another user, who cannot read a test's files
        self._config.write_text("\n".join([f"listener {port} 127.0.0.1", user, *LIMITS, *lines]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        program = debian_program("mosquitto")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([program, "-c", self._config], stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1.0):
                return
            time.sleep(0.01)
        pytest.fail(f"mosquitto did not start on port {self.port}: {self._log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """End it with `kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> "Broker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Listener:
    """A subscriber to all topics below `gnomon/`: documents in order, and the newest of each other topic."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.times_ns: list[int] = []
        self.newest: dict[str, tuple[bytes, bool]] = {}
        self.properties: list[Any] = []

    async def listen(self, client: aiomqtt.Client) -> None:
        """Keep what comes, until the connection ends."""
        with suppress(aiomqtt.MqttError):
            async for message in client.messages:
                payload = bytes(message.payload or b"")
                if str(message.topic).endswith(("/online", "/state")):
                    self.newest[str(message.topic)] = (payload, message.retain)
                else:
                    self.times_ns.append(time.time_ns())
                    self.documents.append(json.loads(payload) | {"topic": str(message.topic)})

    def numbers(self, kind: str) -> list[int]:
        """Numbers of commands or outcomes, in the order in which each came first."""
        number = {"command": "sequence", "outcome": "order"}[kind]
        return list(dict.fromkeys(each[kind][number] for each in self.documents if each["kind"] == kind))


@asynccontextmanager
async def listening(listener: Listener, port: int, **how: Any) -> AsyncIterator[aiomqtt.Client]:
    """Listen while the context lasts; the subscription is made when it begins."""
    async with aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5, **how) as client:
        # QoS 0: the broker writes at once, and waits for nobody.
        await client.subscribe("gnomon/#", qos=0)
        task = asyncio.create_task(listener.listen(client))
        try:
            yield client
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Relay:
    """A port behind which is another one, as long as `open`; `cut` ends all connections."""

    def __init__(self, to: int) -> None:
        self._to = to
        self.open = True
        self._pairs: set[asyncio.StreamWriter] = set()
        self.port = 0

    @asynccontextmanager
    async def running(self) -> "AsyncIterator[Relay]":
        """Pass on while the context lasts."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.cut()
            server.close()
            await asyncio.sleep(0)

    def cut(self) -> None:
        """End all connections without a good-bye."""
        for writer in self._pairs:
            writer.transport.abort()
        self._pairs.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not self.open:
                raise ConnectionError
            there, onward = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, onward}
        self._pairs |= both
        try:
            await asyncio.wait(
                [asyncio.create_task(_pass(reader, onward)), asyncio.create_task(_pass(there, writer))],
                return_when="FIRST_COMPLETED",
            )
        finally:
            for each in both:
                each.transport.abort()
            self._pairs -= both


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
