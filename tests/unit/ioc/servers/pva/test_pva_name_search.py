"""Searches for PV Access servers that answer our names already."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from gnomon.ioc.servers.pva.pva_name_search import find_pva_servers
from gnomon.ioc.servers.pva.search_messages import answer, question, question_of

GUID = bytes(range(12))


class Server:
    """Answers searches for `names` over UDP, the first `silent` of them excepted."""

    def __init__(self, names: set[bytes], silent: int = 0) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(5.0)
        self.port = self.sock.getsockname()[1]
        self.names = names
        self.silent = silent
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
            ids = [identity for identity, name in asked.names if name in self.names]
            other = question(bytes([255]) * 4 + asking[1][4:], asking[2])  # somebody else's search
            self.sock.sendto(answer(GUID, other, list(range(len(asked.names))), 1), sender)
            self.sock.sendto(answer(GUID, asked, [*ids, 1000], 4711), sender)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"end", ("127.0.0.1", self.port))
        self.thread.join(5.0)
        self.sock.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server({b"a", b"b"})
    yield made
    made.close()


@pytest.mark.network
def test_names_are_found_at_the_address_of_the_server_that_answers(server: Server) -> None:
    found = find_pva_servers(["a", "b"], [f"127.0.0.1:{server.port}"], timeout_s=60.0)
    assert found == {"a": "127.0.0.1:4711", "b": "127.0.0.1:4711"}
    assert server.heard == [[b"a", b"b"]]  # all are found: nothing is asked again, and nobody waits


@pytest.mark.network
def test_a_lost_datagram_is_asked_for_again_without_what_is_found(server: Server) -> None:
    server.silent = 1
    assert find_pva_servers(["a"], [f"127.0.0.1:{server.port}"], timeout_s=0.2) == {"a": "127.0.0.1:4711"}
    assert server.heard == [[b"a"]] * 2


@pytest.mark.network
def test_a_name_that_nobody_has_is_not_found_and_the_search_ends_in_time(server: Server) -> None:
    began = time.monotonic()
    found = find_pva_servers(["nobody", "a"], ["127.0.0.1"], port=server.port, timeout_s=0.1)
    assert found == {"a": "127.0.0.1:4711"}
    assert 0.1 <= time.monotonic() - began < 2.0
    assert server.heard == [[b"nobody", b"a"], [b"nobody"]]


def test_without_names_or_reachable_hosts_nothing_is_asked() -> None:
    assert find_pva_servers([], ["127.0.0.1"], timeout_s=60.0) == {}
    assert find_pva_servers(["a"], [], timeout_s=60.0) == {}
