"""A listening socket hands over its connections, and stays quiet when the system has no descriptor for another."""

import asyncio
import errno
import logging
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from patience import PATIENCE_S

from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.servers import acceptor
from gnomon.ioc.servers.acceptor import Acceptor

pytestmark = pytest.mark.network


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=32) as sock:
        yield sock


class Taken:
    """Clients that were handed over."""

    def __init__(self) -> None:
        self.clients: list[tuple[socket.socket, str]] = []

    def __call__(self, client: socket.socket, address: str) -> None:
        self.clients.append((client, address))

    async def wait_for(self, number: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.clients) < number:
                await asyncio.sleep(0.001)

    def close(self) -> None:
        for client, _ in self.clients:
            client.close()


def log() -> SparingLog:
    return SparingLog(logging.getLogger("gnomon.test"))


async def test_each_connection_is_handed_over_once_with_its_address(listening: socket.socket) -> None:
    taken = Taken()
    clients = [socket.create_connection(listening.getsockname()) for _ in range(10)]
    ours = Acceptor(listening, taken, log())
    await taken.wait_for(10)
    assert {address for _, address in taken.clients} == {"127.0.0.1"}
    ends = {client.getpeername() for client, _ in taken.clients}
    assert ends == {client.getsockname() for client in clients}
    ours.close()
    for client in clients:
        client.close()
    taken.close()


async def test_a_closed_listener_takes_nobody(listening: socket.socket) -> None:
    taken = Taken()
    ours = Acceptor(listening, taken, log())
    address, descriptor = listening.getsockname(), listening.fileno()
    ours.close()
    assert not asyncio.get_running_loop().remove_reader(descriptor)  # the number may soon be another connection's
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    assert taken.clients == []


class Exhausted:
    """A listening socket for which the system has no descriptor at first."""

    def __init__(self, sock: socket.socket, failures: int) -> None:
        self._sock = sock
        self.failures = failures
        self.calls = 0

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self._sock.accept()

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


async def test_a_listener_without_a_free_descriptor_waits_says_so_and_takes_clients_later(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceptor, "_RETRY_S", 0.05)
    taken, exhausted = Taken(), Exhausted(listening, failures=1)
    with socket.create_connection(listening.getsockname()), caplog.at_level(logging.WARNING):
        ours = Acceptor(exhausted, taken, log())  # type: ignore[arg-type]
        await asyncio.sleep(0.02)
        assert exhausted.calls == 1  # it does not try a thousand times a second
        assert taken.clients == []
        await taken.wait_for(1)
        ours.close()
    taken.close()
    assert listening.fileno() == -1
    (line,) = [record.message for record in caplog.records]
    assert "no connection can be accepted on port" in line
    assert line.endswith("Too many open files")


async def test_clients_do_not_get_the_last_descriptors(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceptor, "_RETRY_S", 0.01)
    free, dup, refused = 5, os.dup, 0

    def scarce(descriptor: int, held: list[int] = []) -> int:  # noqa: B006 - those of the present look
        nonlocal refused
        if len(held) >= free:
            held.clear()
            refused += 1
            raise OSError(errno.EMFILE, "Too many open files")
        held.append(dup(descriptor))
        return held[-1]

    monkeypatch.setattr(os, "dup", scarce)
    taken = Taken()
    with socket.create_connection(listening.getsockname()), caplog.at_level(logging.WARNING):
        ours = Acceptor(listening, taken, log())
        async with asyncio.timeout(PATIENCE_S):
            while refused < 3:
                await asyncio.sleep(0.001)
        assert taken.clients == []  # it waits, and was not hung up on
        free = 100
        await taken.wait_for(1)
        ours.close()
    taken.close()
    assert "Too many open files" in caplog.records[0].message


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
async def test_clients_that_went_while_they_waited_are_not_handed_over(listening: socket.socket) -> None:
    taken = Taken()
    for _ in range(10):
        with socket.create_connection(listening.getsockname()) as client:
            client.sendall(b"hello")
    with socket.create_connection(listening.getsockname()) as client:
        ours = Acceptor(listening, taken, log())
        await taken.wait_for(1)
        assert [taken_client.getpeername() for taken_client, _ in taken.clients] == [client.getsockname()]
        ours.close()
    taken.close()


async def test_a_listener_closed_while_it_waits_does_not_come_back(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "_RETRY_S", 0.01)
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    exhausted = Exhausted(listening, failures=1)
    with socket.create_connection(listening.getsockname()):
        ours = Acceptor(exhausted, Taken(), log())  # type: ignore[arg-type]
        await asyncio.sleep(0.005)
        ours.close()
        await asyncio.sleep(0.03)
    assert exhausted.calls == 1
    assert errors == []


async def test_an_ipv6_address_comes_without_its_zone(listening: socket.socket) -> None:
    taken = Taken()

    class Zoned(Exhausted):
        def accept(self) -> tuple[socket.socket, tuple[str, int]]:
            client, (_, port) = super().accept()
            return client, ("fe80::1%eth0", port)

    with socket.create_connection(listening.getsockname()):
        ours = Acceptor(Zoned(listening, 0), taken, log())  # type: ignore[arg-type]
        await taken.wait_for(1)
    assert [address for _, address in taken.clients] == ["fe80::1"]
    ours.close()
    taken.close()
