"""Start, search, broken traffic and end of the server."""

import asyncio
import os
import socket
import time

import pytest
from conftest import EpicsPorts
from patience import PATIENCE_S, at_any_pace

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.base.open_files import raise_open_file_limit
from gnomon.ioc.servers.ca.ca_name_search import find_ca_servers
from gnomon.ioc.servers.ca.ca_server import settings
from system.ca.stage import EVENT_ADD, HEADER, RawClient, Served


def test_three_thousand_pvs_are_served_within_a_second(epics_ports: EpicsPorts) -> None:
    begin = time.process_time()  # the machine may have other things to do
    served = Served(epics_ports.ca)
    took = time.process_time() - begin
    served.stop()
    assert took < 1.0


def test_stops_at_once_while_clients_are_connected(epics_ports: EpicsPorts) -> None:
    served = Served(epics_ports.ca)
    client = RawClient(served.server.port)
    client.connect("T:x1")
    client.subscribe("T:x1", 1)
    client.wait(EVENT_ADD)
    begin = time.perf_counter()
    served.stop()
    took = time.perf_counter() - begin
    client.close()
    assert took < PATIENCE_S
    assert not served.left
    assert not served.problems


@at_any_pace
def test_presence_finds_our_names_and_no_others(served: Served, pace: float) -> None:
    names = ["T:x1", *(f"NONE:{i}" for i in range(2000)), "T:x2999"]
    found = asyncio.run(find_ca_servers(names, ["127.0.0.1"], served.port, 0.3 * pace))
    assert found == dict.fromkeys(("T:x1", "T:x2999"), f"127.0.0.1:{served.server.port}")


def test_a_search_is_answered_with_its_sequence_number(served: Served) -> None:
    search = HEADER.pack(0, 0, 1, 13, 4711, 0) + HEADER.pack(6, 8, 5, 13, 99, 99) + b"T:x1".ljust(8, b"\0")
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.sendto(search, ("127.0.0.1", served.port))
        reply = sock.recv(2048)
    assert HEADER.unpack_from(reply) == (0, 0, 1, 13, 4711, 0)
    assert HEADER.unpack_from(reply, HEADER.size) == (6, 8, served.server.port, 0, 0xFFFFFFFF, 99)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        HEADER.pack(1, 16, 20, 1, 77, 5) + b"\0" * 16,  # a subscription to a channel that is not there
        HEADER.pack(2, 0, 20, 0, 0, 5),  # the end of one
        HEADER.pack(12, 0, 0, 0, 5, 5),  # the end of a channel that is not there
        HEADER.pack(19, 8, 99, 1, 0, 5) + b"\0" * 8,
    ],
    ids=["http", "subscription", "cancel", "clear", "type"],
)
def test_broken_traffic_leaves_no_traceback_and_the_server_alive(
    served: Served, capfd: pytest.CaptureFixture[str], garbage: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", served.server.port)) as sock:
        sock.sendall(HEADER.pack(0, 0, 0, 13, 0, 0) + garbage)
        time.sleep(0.1)
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(garbage, ("127.0.0.1", served.port))
    client = RawClient(served.server.port)
    client.connect("T:x1")
    client.close()
    assert "Traceback" not in capfd.readouterr().err


def test_the_standard_variables_win_over_the_caller() -> None:
    environ = {"EPICS_CAS_INTF_ADDR_LIST": "127.0.0.2 127.0.0.3", "EPICS_CA_SERVER_PORT": "6064"}
    assert settings(["127.0.0.1"], 5064, environ).interfaces == ("127.0.0.2", "127.0.0.3")
    assert settings(["127.0.0.1"], 5064, environ).port == 6064
    assert settings(["127.0.0.1"], 5064, environ | {"EPICS_CAS_SERVER_PORT": "7064"}).port == 7064
    assert os.environ.get("EPICS_CA_SERVER_PORT") is None


def test_a_name_server_search_over_tcp_is_answered(served: Served, client: RawClient) -> None:
    client.send(6, 5, 13, 8, 8, b"T:nobody\0")
    client.send(6, 5, 13, 9, 9, b"T:x1\0")
    answer = client.wait(6)
    assert (answer.data_type, answer.first, answer.second) == (served.server.port, 0xFFFFFFFF, 9)


def test_a_thousand_idle_clients_cost_little_and_are_told_of_the_end(epics_ports: EpicsPorts) -> None:
    raise_open_file_limit(GuardConfig())
    served = Served(epics_ports.ca)
    begin = time.perf_counter()
    clients = [RawClient(served.server.port) for _ in range(1000)]
    clients[-1].connect("T:x1")
    took = time.perf_counter() - begin
    served.stop()
    for client in clients:
        client.close()
    assert took < 60.0
    assert not served.left
