"""Searches for servers that answer our names already."""

import asyncio
import socket
import struct
from collections.abc import Iterator

import pytest

from gnomon.ioc.servers.ca import ca_name_search
from gnomon.ioc.servers.ca.ca_name_search import DATAGRAM, answers, find_ca_servers, search_datagrams
from gnomon.ioc.servers.ca.udp_search import replies


def asked(datagram: bytes) -> list[tuple[int, str]]:
    """Number and name of each search in a datagram that begins with a version."""
    assert struct.unpack_from(">HHHHII", datagram) == (0, 0, 0, 13, 0, 0)
    at, found = 16, []
    while at < len(datagram):
        command, size, reply, version, first, second = struct.unpack_from(">HHHHII", datagram, at)
        assert (command, size % 8, reply, version, first) == (6, 0, 5, 13, second)
        found.append((first, datagram[at + 16 : at + 16 + size].split(b"\0", 1)[0].decode()))
        at += 16 + size
    return found


def test_many_names_share_datagrams_that_no_network_breaks() -> None:
    names = [f"T:pv{number}" for number in range(500)]
    datagrams = search_datagrams(names, 1000, set())
    assert max(map(len, datagrams)) <= DATAGRAM
    assert len(datagrams) < 25
    assert [one for datagram in datagrams for one in asked(datagram)] == [
        (1000 + number, name) for number, name in enumerate(names)
    ]


def test_known_names_are_not_asked_for_and_numbers_stay() -> None:
    (datagram,) = search_datagrams(["a", "b", "c"], 7, {"b"})
    assert asked(datagram) == [(7, "a"), (9, "c")]
    assert search_datagrams(["a"], 7, {"a"}) == []


def test_a_server_of_ours_understands_the_search_and_its_answer_is_understood() -> None:
    (datagram,) = search_datagrams(["a", "b", "c"], 7, set())
    ((reply, _),) = replies(datagram, {"a": 0.0, "c": 0.0}.get, 4711)
    assert answers(reply) == [(7, 4711), (9, 4711)]


@pytest.mark.parametrize("cut", [0, 1, 15, 17, 31])
def test_a_datagram_that_is_cut_has_the_answers_before_the_cut(cut: int) -> None:
    one = struct.pack(">HHHHII", 6, 0, 5064, 0, 0xFFFFFFFF, 3)
    other = struct.pack(">HHHHII", 11, 0, 0, 0, 0, 0)
    assert answers(one + other + one[:cut]) == [(3, 5064)] * (1 + (cut >= 16))


class Server:
    """Answers searches for `names` over UDP, `silent` of the first of them excepted."""

    def __init__(self, names: set[str], silent: int = 0) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.names = names
        self.silent = silent
        self.heard: list[list[str]] = []
        self.port = self.sock.getsockname()[1]

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            datagram, sender = await loop.sock_recvfrom(self.sock, 65535)
            self.heard.append([name for _, name in asked(datagram)])
            if len(self.heard) > self.silent:
                stray = struct.pack(">HHHHII", 6, 0, 1, 0, 0, 1)  # an answer to nothing that was asked
                for reply, _ in replies(datagram, dict.fromkeys(self.names, 0.0).get, 4711):
                    self.sock.sendto(stray + reply, sender)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server({"a", "b"})
    yield made
    made.sock.close()


async def search(server: Server, *names: str, timeout_s: float = 0.2) -> dict[str, str]:
    serving = asyncio.create_task(server.serve())
    try:
        return await find_ca_servers(names, [f"127.0.0.1:{server.port}"], 5064, timeout_s)
    finally:
        serving.cancel()


@pytest.mark.network
async def test_names_are_found_at_the_address_of_the_server_that_answers(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ca_name_search, "_AGAIN_S", 60.0)
    assert await search(server, "a", "b", timeout_s=60.0) == {"a": "127.0.0.1:4711", "b": "127.0.0.1:4711"}
    assert server.heard == [["a", "b"]]  # all are found: nothing is asked again, and nobody waits


@pytest.mark.network
async def test_a_lost_datagram_is_asked_for_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca_name_search, "_AGAIN_S", 0.01)
    server.silent = 1
    assert await search(server, "a", timeout_s=60.0) == {"a": "127.0.0.1:4711"}
    assert len(server.heard) >= 2


@pytest.mark.network
async def test_a_server_that_hears_only_the_first_datagrams_of_a_search_hears_the_last_names_too(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ca_name_search, "_AGAIN_S", 0.01)
    names = [f"name{number}" for number in range(300)]
    datagrams = len(search_datagrams(names, 0, set()))
    server.names, server.silent = set(names), 2 * datagrams
    assert set(await search(server, *names, timeout_s=60.0)) == set(names)
    assert (names[0] in server.heard[0], names[-1] in server.heard[0]) == (True, False)
    assert (names[0] in server.heard[datagrams], names[-1] in server.heard[datagrams]) == (False, True)


@pytest.mark.network
async def test_a_name_that_nobody_has_is_not_found_and_the_search_ends_in_time(server: Server) -> None:
    loop = asyncio.get_running_loop()
    for timeout_s in (0.1, 1.0, 10.0):  # longer ones where other work has the processors
        began = loop.time()
        found = await search(server, "a", "nobody", timeout_s=timeout_s)
        assert timeout_s <= loop.time() - began < timeout_s + 60.0
        if found:
            break
    assert found == {"a": "127.0.0.1:4711"}


async def test_without_names_or_reachable_hosts_nothing_is_asked() -> None:
    assert await find_ca_servers([], ["127.0.0.1"], 5064, 60.0) == {}
    assert await find_ca_servers(["a"], [], 5064, 60.0) == {}
