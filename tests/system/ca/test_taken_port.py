"""Two servers that want the same port: both are found where they say, and the first one always."""

import asyncio
import gc
import socket
import warnings
from collections.abc import Iterator

import pytest
from conftest import EpicsPorts
from patience import PATIENCE_S

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.servers.ca.ca_name_search import find_ca_servers
from gnomon.ioc.servers.interfaces import LOOPBACK_BROADCAST
from system.ca.stage import HEADER, Served


def one_pv(name: str) -> tuple[PvSpec, ...]:
    return (PvSpec(name=name, kind=Kind.FLOAT, source="", description="a value"),)


@pytest.fixture
def pair(epics_ports: EpicsPorts) -> Iterator[tuple[Served, Served]]:
    first = Served(epics_ports.ca, specs=one_pv("FIRST:x"))
    second = Served(epics_ports.ca, specs=one_pv("SECOND:x"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # the socket that caproto tried in vain to bind, and left open
    yield first, second
    second.stop()
    first.stop()


def test_a_second_server_does_not_take_searches_from_the_first(pair: tuple[Served, Served]) -> None:
    first, _ = pair
    for _ in range(20):  # each search comes from another port, by which a system would choose
        found = asyncio.run(find_ca_servers(["FIRST:x"], ["127.0.0.1"], first.port, PATIENCE_S))
        assert found == {"FIRST:x": f"127.0.0.1:{first.server.port}"}


def test_a_second_server_is_found_where_it_says(pair: tuple[Served, Served]) -> None:
    first, second = pair
    assert first.server.client_variables["EPICS_CA_ADDR_LIST"] == "127.0.0.1"
    assert second.server.client_variables == {
        "EPICS_CA_ADDR_LIST": f"127.0.0.1:{second.server.port}",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
    }
    where = second.server.client_variables["EPICS_CA_ADDR_LIST"]
    assert asyncio.run(find_ca_servers(["SECOND:x"], [where], first.port, PATIENCE_S)) == {"SECOND:x": where}
    assert asyncio.run(find_ca_servers(["FIRST:x"], [where], first.port, 0.3)) == {}


def test_a_search_to_all_of_this_host_finds_both(pair: tuple[Served, Served]) -> None:
    answers: dict[int, int] = {}
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for number, name in enumerate((b"FIRST:x", b"SECOND:x")):
            search = HEADER.pack(6, 16, 5, 13, number, number) + name.ljust(16, b"\0")
            sock.sendto(search, (LOOPBACK_BROADCAST, pair[0].port))
            reply = sock.recv(2048)
            start = HEADER.size if HEADER.unpack_from(reply)[0] == 0 else 0
            _, _, port, _, _, cid = HEADER.unpack_from(reply, start)
            answers[cid] = port
    assert answers == {number: served.server.port for number, served in enumerate(pair)}
