"""Free ports, and the variables that lead clients there."""

from contextlib import closing
from socket import SOCK_STREAM, socket

from gnomon.testing.ports import PORTS, client_variables, free_ports, reserve, without_epics


def test_free_ports_are_different_and_can_be_had() -> None:
    found = free_ports(9)
    assert len(set(found)) == 9
    for port in found:
        assert port in PORTS
        with closing(socket(type=SOCK_STREAM)) as server:
            server.bind(("127.0.0.1", port))


def test_clients_are_led_to_these_servers_and_to_no_others() -> None:
    first, second = servers = reserve(2)
    variables = client_variables(servers, 5000)
    assert variables["EPICS_CA_ADDR_LIST"].split() == [f"127.0.0.1:{first.ca}", f"127.0.0.1:{second.ca}"]
    assert variables["EPICS_PVA_ADDR_LIST"].split() == [
        f"127.0.0.1:{first.pva_broadcast}", f"127.0.0.1:{second.pva_broadcast}",
    ]  # fmt: skip
    assert variables["EPICS_CA_AUTO_ADDR_LIST"] == variables["EPICS_PVA_AUTO_ADDR_LIST"] == "NO"
    assert variables["EPICS_CA_REPEATER_PORT"] == "5000"


def test_the_user_s_network_and_servers_are_left_out_of_an_environment() -> None:
    environ = {"PATH": "/bin", "EPICS_CA_ADDR_LIST": "192.0.2.1", "GNOMON_PREFIX": "X:"}
    assert without_epics(environ) == {"PATH": "/bin"}
