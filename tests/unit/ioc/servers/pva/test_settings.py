"""Environment and settings: what is set wins, what is empty does not count, what is not a port is refused."""

import pytest

from gnomon.ioc.servers.pva.settings import Endpoint, PvaError, Settings, server_conf


def test_by_default_only_this_host_is_served_and_gets_beacons() -> None:
    assert server_conf(Settings(), {}) == {
        "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_PVAS_SERVER_PORT": "5075",
        "EPICS_PVAS_BROADCAST_PORT": "5076",
        "EPICS_PVAS_BEACON_ADDR_LIST": "127.0.0.1",
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
    }


def test_a_network_interface_gets_beacons_by_itself() -> None:
    conf = server_conf(Settings(interfaces=("10.0.0.5",)), {})
    assert conf["EPICS_PVAS_AUTO_BEACON_ADDR_LIST"] == "YES"
    assert "EPICS_PVAS_BEACON_ADDR_LIST" not in conf


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("EPICS_PVAS_INTF_ADDR_LIST", "10.0.0.7", "EPICS_PVAS_INTF_ADDR_LIST"),
        ("EPICS_PVAS_SERVER_PORT", "6001", "EPICS_PVAS_SERVER_PORT"),
        ("EPICS_PVA_SERVER_PORT", "6001", "EPICS_PVAS_SERVER_PORT"),
        ("EPICS_PVA_BROADCAST_PORT", "6002", "EPICS_PVAS_BROADCAST_PORT"),
        ("EPICS_PVA_ADDR_LIST", "10.0.0.255", "EPICS_PVAS_BEACON_ADDR_LIST"),
        ("EPICS_PVA_AUTO_ADDR_LIST", "YES", "EPICS_PVAS_AUTO_BEACON_ADDR_LIST"),
    ],
)
def test_standard_variables_win(variable: str, value: str, name: str) -> None:
    assert server_conf(Settings(), {variable: value})[name] == value


def test_the_servers_own_variable_wins_over_the_clients() -> None:
    both = {"EPICS_PVAS_SERVER_PORT": "6001", "EPICS_PVA_SERVER_PORT": "6002"}
    assert server_conf(Settings(), both)["EPICS_PVAS_SERVER_PORT"] == "6001"


def test_an_empty_variable_is_not_set() -> None:
    assert server_conf(Settings(), {"EPICS_PVAS_INTF_ADDR_LIST": " "})["EPICS_PVAS_INTF_ADDR_LIST"] == "127.0.0.1"


@pytest.mark.parametrize("port", ["abc", "-1", "65536", "5075.0"])
def test_an_invalid_port_is_refused(port: str) -> None:
    with pytest.raises(PvaError, match="is not a port"):
        server_conf(Settings(), {"EPICS_PVAS_SERVER_PORT": port})


@pytest.mark.parametrize(("wanted", "real", "moved"), [(5075, 5075, False), (5075, 40000, True), (0, 40000, False)])
def test_a_port_that_had_to_move_is_reported(wanted: int, real: int, moved: bool) -> None:
    assert Endpoint(("127.0.0.1",), real, wanted, 5076, {}).moved is moved
