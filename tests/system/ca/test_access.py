"""Access rights over Channel Access, by rules."""

from collections.abc import Iterator

import pytest
from conftest import EpicsPorts

from gnomon.ioc.base.config import AccessConfig, AccessRule
from gnomon.ioc.servers.access import AccessRules
from system.ca.stage import DOUBLE, EVENT_ADD, READ, WRITE, RawClient, Served

NORMAL, NO_READ, NO_WRITE = 1, 368, 376
RULES = AccessConfig(
    user_groups={"experts": ("anna",)},
    rules=(
        AccessRule(pvs=("T:mode",), users=("experts",), hosts=("loopback",), allow="write"),
        AccessRule(pvs=("T:mode", "T:current"), allow="read"),
        AccessRule(pvs=("T:reason",), allow="none"),
        AccessRule(allow="write"),
    ),
)


@pytest.fixture
def served(epics_ports: EpicsPorts) -> Iterator[Served]:
    served = Served(epics_ports.ca, AccessRules(RULES))
    yield served
    served.stop()


def test_rights_are_those_of_the_rules_for_user_and_pv(served: Served) -> None:
    shown = {}
    for user in ("anna", "carl"):
        client = RawClient(served.server.port)
        client.send(20, payload=user.encode() + b"\0")
        client.connect("T:mode", "T:current", "T:reason", "T:mode.DESC", "T:reason.DESC")
        shown[user] = list(client.rights.values())
        client.close()
    assert shown == {"anna": [3, 1, 0, 1, 0], "carl": [1, 1, 0, 1, 0]}


def test_a_put_against_the_rules_is_refused_and_logged_once(
    served: Served, client: RawClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.send(20, payload=b"carl\0")
    client.connect("T:current")
    for ioid in range(5):
        client.put("T:current", 3.0, ioid)
    assert {client.wait(WRITE).first for _ in range(5)} == {NO_WRITE}
    assert not served.sink.puts
    lines = [record.getMessage() for record in caplog.records if "may not write" in record.getMessage()]
    assert len(lines) <= 1
    assert all("carl" in line and "T:current" in line for line in lines)


def test_a_put_without_notice_is_refused_with_an_exception_message(served: Served, client: RawClient) -> None:
    client.connect("T:current")
    client.send(4, DOUBLE, 1, client.sids["T:current"], 5, b"\0" * 8)
    error = client.wait(11)
    assert (error.second, b"T:current" in error.payload) == (NO_WRITE, True)


def test_a_pv_that_may_not_be_read_is_neither_read_nor_watched(served: Served, client: RawClient) -> None:
    client.connect("T:reason")
    client.send(READ, 0, 0, client.sids["T:reason"], 9)
    assert client.wait(READ).first == NO_READ
    client.subscribe("T:reason", 4)
    refused = client.wait(EVENT_ADD)
    assert (refused.first, refused.second) == (NO_READ, 4)
    served.publish({"T:reason": "secret"})
    assert client.receive(0.2) is None


def test_a_name_that_is_claimed_later_gives_no_rights(served: Served, client: RawClient) -> None:
    client.connect("T:current")
    client.send(20, payload=b"anna\0")
    client.connect("T:mode")
    assert client.rights["T:mode"] == 1
