"""Search addresses of Channel Access: hosts and ports from the EPICS variables, whatever they hold."""

import pytest

from gnomon.clients.ca import addresses


@pytest.mark.parametrize("port", ["0", "65536", "99999999", "-1", "x", "9" * 5000, ""])
def test_a_port_that_cannot_be_is_the_default(port: str) -> None:
    assert addresses({"EPICS_CA_SERVER_PORT": port}) == [("127.0.0.1", 5064)]
    assert addresses({"EPICS_CA_ADDR_LIST": f"127.0.0.1:{port}", "EPICS_CA_SERVER_PORT": "5070"}) == [
        ("127.0.0.1", 5070)
    ]


def test_an_address_has_a_port_of_its_own() -> None:
    where = {"EPICS_CA_ADDR_LIST": "127.0.0.1:6000 127.0.0.2", "EPICS_CA_SERVER_PORT": "5070"}
    assert addresses(where) == [("127.0.0.1", 6000), ("127.0.0.2", 5070)]
