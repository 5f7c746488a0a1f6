"""Starting, stopping, finding: ports, environment, other servers, leaks."""

import gc
import socket
import time
import weakref

import numpy as np
import pytest
from p4p.client.thread import Context
from patience import PATIENCE_S

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.address_lists import search_addresses
from gnomon.ioc.servers.pva.pva_name_search import find_pva_servers
from gnomon.ioc.servers.pva.settings import PvaError, Settings
from system.pva.stage import FREE, SPECS, START_NS, LoopServer, Served, server_of


def _server(settings: Settings = FREE, environ: dict[str, str] | None = None) -> LoopServer:
    bank = Bank(SPECS, START_NS)
    return server_of(bank, settings=settings, environ=environ)


def test_three_thousand_pvs_start_at_once_and_stop_at_once() -> None:
    specs = [PvSpec(name=f"T:{i}", kind=Kind.FLOAT, source="", description="") for i in range(3000)]
    bank = Bank(specs, START_NS)
    server = server_of(bank)
    started = time.process_time()  # the machine may have other things to do
    server.start()
    running, stopping = time.process_time(), time.perf_counter()
    server.stop()
    assert running - started < 0.5
    assert time.perf_counter() - stopping < PATIENCE_S


def test_a_taken_port_is_reported_and_the_server_still_found() -> None:
    with socket.socket() as blocker:
        blocker.bind(("127.0.0.1", 0))
        blocker.listen()
        taken = blocker.getsockname()[1]
        server = _server(Settings(port=taken, broadcast_port=0))
        endpoint = server.start()
        try:
            assert endpoint.moved
            assert (endpoint.wanted_port, endpoint.port != taken) == (taken, True)
            with Context("pva", conf=dict(endpoint.client_variables), useenv=False) as context:
                assert context.get("T:current") == 0.0
        finally:
            server.stop()


def test_the_environment_wins_over_the_caller() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    server = _server(
        Settings(("192.0.2.1",), 5075, 0),
        {"EPICS_PVA_SERVER_PORT": str(free), "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1"},
    )
    endpoint = server.start()
    server.stop()
    assert (endpoint.interfaces, endpoint.port, endpoint.moved) == (("127.0.0.1",), free, False)


def test_an_address_that_is_not_ours_is_an_error_with_a_way_out() -> None:
    with pytest.raises(PvaError, match=r"192\.0\.2\.1.*address of this host"):
        _server(Settings(("192.0.2.1",), 0, 0)).start()


def test_stopping_disconnects_clients_and_starting_again_brings_them_back() -> None:
    server = _server()
    endpoint = server.start()
    again = Settings(port=endpoint.port, broadcast_port=endpoint.broadcast_port)
    with Context("pva", conf=dict(endpoint.client_variables), useenv=False) as context:
        assert context.get("T:current") == 0.0
        server.stop()
        server.stop()
        with pytest.raises(TimeoutError):
            context.get("T:current", timeout=0.2)
        second = _server(again)
        second.start()
        try:
            assert context.get("T:current") == 0.0
        finally:
            second.stop()


def test_a_stopped_server_is_gone_though_its_bank_lives() -> None:
    bank = Bank(SPECS, START_NS)
    server = server_of(bank)
    endpoint = server.start()
    with Context("pva", conf=dict(endpoint.client_variables), useenv=False) as context:
        context.get([spec.name for spec in SPECS])
    server.stop()
    gone = weakref.ref(server.server)
    del server
    gc.collect()
    assert gone() is None
    bank.publish((np.array([0]), np.array([1.0])), {}, time_ns=START_NS, generation=1)


def test_a_running_server_is_found_by_name(served: Served) -> None:
    port = served.endpoint.broadcast_port
    started = time.monotonic()
    found = find_pva_servers(["T:current", "T:call"], ["127.0.0.1"], port, timeout_s=60.0)
    assert found == dict.fromkeys(("T:current", "T:call"), f"127.0.0.1:{served.endpoint.port}")
    assert time.monotonic() - started < 30.0  # who is found is not waited for


def test_names_that_exist_are_found_in_time_among_thousands(served: Served) -> None:
    names = [f"X:{i:05}:a-rather-long-name" for i in range(3000)] + ["T:mode"]
    addresses = search_addresses("PVA", ("127.0.0.1",), {})
    for timeout_s in (2.0, 10.0, 30.0):  # longer where other work has the processors
        started = time.monotonic()
        found = find_pva_servers(names, addresses, served.endpoint.broadcast_port, timeout_s)
        assert time.monotonic() - started < timeout_s + PATIENCE_S
        if found:
            break
    assert list(found) == ["T:mode"]


def test_two_servers_on_one_port_are_both_found(served: Served) -> None:
    specs = [PvSpec(name="U:other", kind=Kind.FLOAT, source="", description="")]
    bank = Bank(specs, START_NS)
    port = served.endpoint.broadcast_port
    second = server_of(bank, settings=Settings(port=0, broadcast_port=port))
    second.start()
    try:
        assert set(find_pva_servers(["T:current", "U:other"], ["127.0.0.1"], port, PATIENCE_S)) == {
            "T:current",
            "U:other",
        }
    finally:
        second.stop()


def test_the_absence_of_servers_is_known_within_the_time() -> None:
    started = time.monotonic()
    assert find_pva_servers(["T:current"], ["127.0.0.1:9", "nowhere.invalid"], timeout_s=0.3) == {}
    assert time.monotonic() - started < PATIENCE_S
