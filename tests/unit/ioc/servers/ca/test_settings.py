"""Addresses where the Channel Access server listens, and those of its beacons."""

import pytest

from gnomon.ioc.servers.ca.ca_server import CaError, CaSettings, beacon_variables, settings


def test_the_environment_wins_over_the_configuration() -> None:
    environ = {"EPICS_CAS_INTF_ADDR_LIST": "127.0.0.2 127.0.0.3", "EPICS_CA_SERVER_PORT": "6064"}
    assert settings(("127.0.0.1",), 5064, environ) == CaSettings(("127.0.0.2", "127.0.0.3"), 6064)
    assert settings(("127.0.0.1",), 5064, environ | {"EPICS_CAS_SERVER_PORT": "7064"}).port == 7064
    assert settings(("127.0.0.1",), 5064, {}) == CaSettings(("127.0.0.1",), 5064)


def test_invalid_ports_and_addresses_are_refused() -> None:
    with pytest.raises(CaError, match="EPICS_CA_SERVER_PORT is 'many'"):
        settings(("127.0.0.1",), 5064, {"EPICS_CA_SERVER_PORT": "many"})
    with pytest.raises(CaError, match="interface 'localhost' is not an IP address"):
        settings(("localhost",), 5064, {})


def test_beacons_of_a_local_server_stay_on_this_host() -> None:
    local = {"EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1", "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO"}
    assert beacon_variables(CaSettings(), {}) == local
    assert beacon_variables(CaSettings(("0.0.0.0",)), {}) == {}
    assert beacon_variables(CaSettings(), {"EPICS_CAS_BEACON_ADDR_LIST": "10.1.1.1"}) == {}
