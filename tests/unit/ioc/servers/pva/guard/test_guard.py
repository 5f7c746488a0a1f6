"""The guard before pvxs: how many clients it joins, who is behind a port, and who has to go."""

import asyncio
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from patience import PATIENCE_S

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.ioc.servers.pva.guard import guard as module
from gnomon.ioc.servers.pva.guard.guard import Guard
from gnomon.ioc.servers.pva.listening import Listening
from gnomon.ioc.servers.pva.pvxs_log import log
from gnomon.ioc.servers.pva.search_messages import answers, search_datagrams
from gnomon.ioc.wire.pva_framing import FROM_SERVER, Command, message, string

pytestmark = pytest.mark.network

HELLO = message(Command.VALIDATION, struct.pack(">IHH", 0x10000, 0x7FFF, 0) + string("anonymous") + b"\xff")
UPDATE = message(Command.MONITOR, bytes(16), FROM_SERVER)
HERE = Listening((("127.0.0.1", 0),), 0, (), ())


class Behind:
    """A guard, the server behind it, and clients before it."""

    def __init__(self, **limits: Any) -> None:
        self.pvxs = socket.create_server(("127.0.0.1", 0))
        self.pvxs.setblocking(False)
        self.asked: list[tuple[str, str, str]] = []
        self.guard = Guard(GuardConfig(**limits), self._may_read)
        self.port, self.udp_port = self.guard.start(HERE, self.pvxs.getsockname())
        self._open: list[socket.socket] = []

    def _may_read(self, name: str, user: str, host: str) -> bool:
        self.asked.append((name, user, host))
        return name.startswith("T:")

    async def connect(self) -> socket.socket:
        client = socket.socket()
        client.setblocking(False)
        self._open.append(client)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self.port))
        return client

    async def accepted(self) -> socket.socket:
        """The guard's connection to pvxs, at pvxs' side."""
        async with asyncio.timeout(PATIENCE_S):
            server, _ = await asyncio.get_running_loop().sock_accept(self.pvxs)
        server.setblocking(False)
        self._open.append(server)
        return server

    async def joined(self) -> tuple[socket.socket, socket.socket]:
        client = await self.connect()
        server = await self.accepted()
        async with asyncio.timeout(PATIENCE_S):
            while not self.guard.relays or not self.guard.peer(peer_of(server)):
                await asyncio.sleep(0.001)
        return client, server

    def close(self) -> None:
        self.guard.stop()
        for sock in (*self._open, self.pvxs):
            sock.close()


def peer_of(server: socket.socket) -> str:
    """A client's address as pvxs sees it."""
    host, port = server.getpeername()
    return f"{host}:{port}"


async def read(sock: socket.socket) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.get_running_loop().sock_recv(sock, 2**16)


async def gone(sock: socket.socket) -> bool:
    with suppress(ConnectionResetError):
        return await read(sock) == b""
    return True


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(log, "_next", 0.0)
    caplog.set_level(logging.WARNING)
    return caplog


@pytest.fixture
async def behind() -> AsyncIterator[Behind]:
    made = Behind()
    yield made
    made.close()


async def test_a_client_is_joined_to_pvxs_and_known_by_its_port_there(behind: Behind) -> None:
    client, server = await behind.joined()
    assert behind.guard.clients == len(behind.guard.relays) == 1
    assert behind.guard.peer(peer_of(server)) == "127.0.0.1"
    assert behind.guard.peer("127.0.0.1:1") == behind.guard.peer("nobody") == ""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(server, UPDATE)
    assert await read(client) == UPDATE
    await loop.sock_sendall(client, HELLO)
    assert await read(server) == HELLO


async def test_a_client_that_goes_is_counted_out_and_remembered_for_what_it_has_sent(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED_S", 0.02)
    client, server = await behind.joined()
    seen = peer_of(server)
    client.close()
    assert await gone(server)
    async with asyncio.timeout(PATIENCE_S):
        while behind.guard.relays:
            await asyncio.sleep(0.001)
    assert behind.guard.clients == 0
    assert behind.guard.peer(seen) == "127.0.0.1"
    await asyncio.sleep(0.04)
    assert behind.guard.peer(seen) == ""


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_connections": 1}, "1 clients are connected"),
        ({"max_connections_per_address": 1}, "1 clients of this address are connected"),
    ],
)
async def test_more_clients_than_allowed_are_refused_until_one_has_gone(
    limits: dict[str, int], words: str, lines: pytest.LogCaptureFixture
) -> None:
    behind = Behind(**limits)
    first, _ = await behind.joined()
    assert await gone(await behind.connect())
    assert words in lines.records[0].message
    first.close()
    async with asyncio.timeout(PATIENCE_S):
        while behind.guard.clients:
            await asyncio.sleep(0.001)
    await behind.joined()
    behind.close()


async def test_without_pvxs_a_client_is_sent_away_and_not_counted(
    behind: Behind, lines: pytest.LogCaptureFixture
) -> None:
    behind.pvxs.close()
    assert await gone(await behind.connect())
    assert behind.guard.clients == 0
    assert "127.0.0.1 was not connected" in lines.records[0].message


@pytest.mark.parametrize(
    ("sent", "limits", "words"),
    [
        (b"", {"handshake_s": 0.05}, "has not said within 0.05 s who it is"),
        (HELLO + HELLO[:9], {"handshake_s": 0.05}, "has not finished a message within 0.05 s"),
    ],
)
async def test_a_client_that_takes_too_long_has_to_go(
    sent: bytes, limits: dict[str, float], words: str, lines: pytest.LogCaptureFixture
) -> None:
    behind = Behind(**limits)
    client, _ = await behind.joined()
    await asyncio.get_running_loop().sock_sendall(client, sent)
    assert await gone(client)
    assert f"127.0.0.1 was disconnected: it {words}" in lines.records[0].message
    behind.close()


async def test_a_client_that_reads_nothing_has_to_go(lines: pytest.LogCaptureFixture) -> None:
    behind = Behind(stalled_s=0.05)
    client, server = await behind.joined()
    await asyncio.get_running_loop().sock_sendall(client, HELLO)
    await read(server)
    (relay,) = behind.guard.relays
    relay.stuck_s = time.monotonic()
    assert await gone(client)
    assert "has read nothing for 0.05 s" in lines.records[0].message
    behind.close()


async def test_a_client_that_speaks_and_reads_stays(behind: Behind) -> None:
    client, server = await behind.joined()
    await asyncio.get_running_loop().sock_sendall(client, HELLO)
    await read(server)
    (relay,) = behind.guard.relays
    relay.began_s -= 1000.0
    behind.guard._sweep()
    assert behind.guard.relays == (relay,)


async def test_a_search_over_the_connection_is_answered_with_the_names_of_this_server(behind: Behind) -> None:
    client, server = await behind.joined()
    (search,) = search_datagrams(["T:a", "other"], 77, 0, unicast=True)
    await asyncio.get_running_loop().sock_sendall(client, HELLO + search)
    assert await read(server) == HELLO  # pvxs does not hear of it
    (found,) = answers(await read(client))
    assert (found.sequence, found.ids, found.port) == (77, (0,), behind.port)
    assert ("T:a", "", "127.0.0.1") in behind.asked


async def test_a_search_over_udp_is_answered(behind: Behind) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.setblocking(False)
        (search,) = search_datagrams(["T:a"], 77, client.getsockname()[1], unicast=False)
        client.sendto(search, ("127.0.0.1", behind.udp_port))
        (found,) = answers(await read(client))
    assert (found.ids, found.port) == ((0,), behind.port)


async def test_reads_of_a_client_wait_for_its_own_puts_alone(behind: Behind) -> None:
    _, server = await behind.joined()
    _, other = await behind.joined()
    future = PutFuture()
    behind.guard.order(peer_of(server), future)
    behind.guard.order("127.0.0.1:1", PutFuture())  # nobody's
    known = {port: peer.pending_puts.count for port, peer in behind.guard._peers.items()}
    assert known == {server.getpeername()[1]: 1, other.getpeername()[1]: 0}
    future.set_result(PutReply(True))
    assert behind.guard._peers[server.getpeername()[1]].pending_puts.count == 0


async def test_an_address_that_is_not_ours_is_an_error_and_leaves_nothing_open() -> None:
    guard = Guard(GuardConfig(), lambda *_: True)
    with pytest.raises(OSError, match=r"."):
        guard.start(Listening((("192.0.2.1", 0),), 0, (), ()), ("127.0.0.1", 1))
    guard.stop()


async def test_stopping_disconnects_all_and_listens_no_more(behind: Behind) -> None:
    client, server = await behind.joined()
    behind.guard.stop()
    assert await gone(client)
    assert await gone(server)
    with pytest.raises(ConnectionRefusedError):
        await behind.connect()
