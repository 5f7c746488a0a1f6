"""Addresses where clients search: from the environment, the networks, and our own."""

from gnomon.ioc.servers.address_lists import resolve, search_addresses, search_port
from gnomon.ioc.servers.interfaces import broadcast_addresses


def test_searches_go_where_clients_search_and_where_the_server_listens() -> None:
    environ = {"EPICS_PVA_ADDR_LIST": "10.0.0.1 10.0.0.2:6000 224.0.0.9,8@eth0", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
    expected = ("10.0.0.1", "10.0.0.2:6000", "224.0.0.9", "127.0.0.1")
    assert search_addresses("PVA", ("127.0.0.1",), environ) == expected
    assert search_addresses("PVA", ("0.0.0.0",), environ) == expected


def test_the_servers_own_interfaces_are_those_of_its_variable_if_it_is_set() -> None:
    alone = {"EPICS_PVA_AUTO_ADDR_LIST": "NO"}
    assert search_addresses("PVA", ("10.0.0.9",), alone) == ("10.0.0.9",)
    assert search_addresses("PVA", ("10.0.0.9",), alone | {"EPICS_PVAS_INTF_ADDR_LIST": "10.0.0.7"}) == ("10.0.0.7",)


def test_networks_are_searched_unless_the_user_says_no() -> None:
    assert set(search_addresses("PVA", (), {})) == {*broadcast_addresses(), "127.0.0.1"}


def test_the_search_port_is_the_clients() -> None:
    assert (search_port("PVA", 5076, {}), search_port("PVA", 5076, {"EPICS_PVA_BROADCAST_PORT": "6002"})) == (
        5076,
        6002,
    )


def test_channel_access_has_variables_of_its_own() -> None:
    environ = {"EPICS_CA_ADDR_LIST": "10.0.0.5", "EPICS_CA_AUTO_ADDR_LIST": "NO", "EPICS_CA_SERVER_PORT": "6064"}
    assert search_addresses("CA", ("127.0.0.1",), environ) == ("10.0.0.5", "127.0.0.1")
    assert search_port("CA", 5064, environ) == 6064
    assert search_port("CA", 5064, {"EPICS_CA_SERVER_PORT": "none"}) == 5064


def test_an_address_may_carry_its_own_port() -> None:
    assert resolve("127.0.0.1", 5064) == ("127.0.0.1", 5064)
    assert resolve("127.0.0.1:6000", 5064) == ("127.0.0.1", 6000)
    assert resolve("::1", 5064) is None


def test_an_impossible_address_is_left_out() -> None:
    assert resolve("127.0.0.1:65536", 5064) is None
    assert resolve("127.0.0.1:0", 5064) is None
    assert resolve("machine..room", 5064) is None
