"""Searches for PV Access servers that answer our names already."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from gnomon.ioc.servers.pva import pva_name_search
from gnomon.ioc.servers.pva.pva_name_search import find_pva_servers
from gnomon.ioc.servers.pva.search_messages import answer, question, question_of, search_datagrams

GUID = bytes(range(12))


class Server:
    """Answers searches for `names` over UDP, the first `silent` of them excepted, and for `shy` when alone."""

    def __init__(self, names: set[bytes], silent: int = 0) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(60.0)
        self.port = self.sock.getsockname()[1]
        self.names = names
        self.silent = silent
        self.shy = b""
        self.heard: list[list[bytes]] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            datagram, sender = self.sock.recvfrom(65535)
            if (asking := question_of(datagram)) is None:
                return
            asked = question(*asking[1:])
            self.heard.append([name for _, name in asked.names])
            if len(self.heard) <= self.silent:
                continue
            ids = [
                identity
                for identity, name in asked.names
                if name in self.names and (name != self.shy or len(asked.names) == 1)
            ]
            other = question(bytes([255]) * 4 + asking[1][4:], asking[2])  # somebody else's search
            self.sock.sendto(answer(GUID, other, list(range(len(asked.names))), 1), sender)
            self.sock.sendto(answer(GUID, asked, [*ids, 1000], 4711), sender)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"end", ("127.0.0.1", self.port))
        self.thread.join(60.0)
        self.sock.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server({b"a", b"b"})
    yield made
    made.close()


@pytest.mark.network
def test_names_are_found_at_the_address_of_the_server_that_answers(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pva_name_search, "_AGAIN_S", 60.0)
    found = find_pva_servers(["a", "b"], [f"127.0.0.1:{server.port}"], timeout_s=60.0)
    assert found == {"a": "127.0.0.1:4711", "b": "127.0.0.1:4711"}
    assert server.heard == [[b"a", b"b"]]  # all are found: nothing is asked again, and nobody waits


@pytest.mark.network
def test_a_lost_datagram_is_asked_for_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pva_name_search, "_AGAIN_S", 0.01)
    server.silent = 1
    assert find_pva_servers(["a"], [f"127.0.0.1:{server.port}"], timeout_s=60.0) == {"a": "127.0.0.1:4711"}
    assert len(server.heard) >= 2


@pytest.mark.network
def test_a_server_that_hears_only_the_first_datagrams_of_a_search_hears_the_last_names_too(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pva_name_search, "_AGAIN_S", 0.01)
    names = [f"name{number}" for number in range(300)]
    encoded = [name.encode() for name in names]
    datagrams = len(list(search_datagrams(names, 0, 5076, True)))
    server.names, server.silent = set(encoded), 2 * datagrams
    assert set(find_pva_servers(names, [f"127.0.0.1:{server.port}"], timeout_s=60.0)) == set(names)
    assert (encoded[0] in server.heard[0], encoded[-1] in server.heard[0]) == (True, False)
    assert (encoded[0] in server.heard[datagrams], encoded[-1] in server.heard[datagrams]) == (False, True)


@pytest.mark.network
def test_names_that_are_found_are_not_asked_for_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pva_name_search, "_AGAIN_S", 0.01)
    server.shy = b"b"
    found = find_pva_servers(["b", "a"], ["127.0.0.1"], port=server.port, timeout_s=60.0)
    assert found == {"a": "127.0.0.1:4711", "b": "127.0.0.1:4711"}
    assert server.heard[0] == [b"b", b"a"]


@pytest.mark.network
def test_a_name_that_nobody_has_is_not_found_and_the_search_ends_in_time(server: Server) -> None:
    for timeout_s in (0.1, 1.0, 10.0):  # longer ones where other work has the processors
        began = time.monotonic()
        found = find_pva_servers(["nobody", "a"], ["127.0.0.1"], port=server.port, timeout_s=timeout_s)
        assert timeout_s <= time.monotonic() - began < timeout_s + 60.0
        if found:
            break
    assert found == {"a": "127.0.0.1:4711"}


def test_without_names_or_reachable_hosts_nothing_is_asked() -> None:
    assert find_pva_servers([], ["127.0.0.1"], timeout_s=60.0) == {}
    assert find_pva_servers(["a"], [], timeout_s=60.0) == {}
