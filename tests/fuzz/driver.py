"""Sends cases to a server, a few at a time, and stops when the server ends or no longer answers."""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from fuzz.cases import Case, End, Road

HOST = "127.0.0.1"
#: Clients at a time.
AT_ONCE = 32
#: How long a step waits for an answer to the one before, and a polite client for what still comes [s].
PATIENCE_S, GOODBYE_S = 0.004, 0.02
#: After so many cases the server is asked for a sign of life, which it has so long to give [s].
PROBE_EVERY, PROBE_S = 500, 20.0
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Where:
    """The server's ports on this computer."""

    ca: int
    pva_tcp: int
    pva_udp: int

    def port(self, road: Road) -> int:
        """Port that a case goes to."""
        return {
            Road.CA_TCP: self.ca,
            Road.CA_UDP: self.ca,
            Road.PVA_TCP: self.pva_tcp,
            Road.PVA_UDP: self.pva_udp,
        }[road]


class Silence(Exception):
    """The server has ended, or answers no more; `suspects` are the cases under way or just before."""

    def __init__(self, reason: str, suspects: list[Case]) -> None:
        super().__init__(reason)
        self.suspects = suspects


class Driver:
    """Sends cases; `alive` says whether the server's process still runs."""

    def __init__(self, where: Where, alive: Callable[[], bool]) -> None:
        self._where = where
        self._alive = alive
        self._datagrams = socket.socket(type=socket.SOCK_DGRAM)
        self._recent: list[Case] = []
        self.sent = 0

    async def run(self, cases: Iterable[Case]) -> None:
        """Send all cases. Raises Silence."""
        source = iter(cases)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._work(source))
        except* Silence as several:
            raise several.exceptions[0] from None
        await self._probe()

    def close(self) -> None:
        """Let go of the socket for datagrams."""
        self._datagrams.close()

    async def _work(self, source: Iterable[Case]) -> None:
        for case in source:
            self._recent = [*self._recent[-AT_ONCE:], case]
            await self._send(case)
            self.sent += 1
            if not self._alive():
                raise Silence("the server has ended", self._recent)
            if self.sent % PROBE_EVERY == 0:
                await self._probe()

    async def _send(self, case: Case) -> None:
        port = self._where.port(case.road)
        if case.road in (Road.CA_UDP, Road.PVA_UDP):
            with suppress(OSError):  # an answer of ours was refused by a port that has gone
                self._datagrams.sendto(case.steps[0] if case.steps else b"", (HOST, port))
            await asyncio.sleep(0)
            return
        with suppress(OSError, TimeoutError):  # the server hung up, as it may
            await self._converse(case, port)

    async def _converse(self, case: Case, port: int) -> None:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(HOST, port), PROBE_S)
        try:
            for i, step in enumerate(case.steps):
                if i:
                    await _listen(reader, PATIENCE_S)
                writer.write(step)
                await asyncio.wait_for(writer.drain(), 1.0)
            if case.end is End.POLITE:
                writer.write_eof()
                while await _listen(reader, GOODBYE_S):
                    pass
            elif case.end is End.RESET:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        finally:
            writer.transport.abort() if case.end is End.RESET else writer.close()

    async def _probe(self) -> None:
        """A version message gets one back over each protocol, whatever was sent before."""
        for road, hello in ((Road.CA_TCP, struct.pack(">HHHHII", 0, 0, 0, 13, 0, 0)), (Road.PVA_TCP, b"")):
            try:
                async with asyncio.timeout(PROBE_S):
                    reader, writer = await asyncio.open_connection(HOST, self._where.port(road))
                    writer.write(hello)
                    answer = await reader.read(1)
                    writer.close()
            except (OSError, TimeoutError) as error:
                raise Silence(f"no answer over {road} within {PROBE_S:g} s: {error!r}", self._recent) from error
            if not answer:
                raise Silence(f"no answer over {road}: the connection was closed", self._recent)


async def _listen(reader: asyncio.StreamReader, patience_s: float) -> bytes:
    """Receive what comes within a moment; nothing when nothing comes, or the server has hung up."""
    try:
        return await asyncio.wait_for(reader.read(65536), patience_s)
    except TimeoutError:
        return b""
