"""Limits on connections, in total and by address."""

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.servers.connection_limits import Admission


def test_connections_are_limited_for_one_address_and_for_all_together() -> None:
    admission = Admission(GuardConfig(max_connections=3, max_connections_per_address=2))
    assert [bool(admission.enter(a)) for a in ("a", "a", "a", "b", "c")] == [False, False, True, False, True]
    admission.leave("a")
    assert admission.enter("c") == ""
    assert "max_connections allows no more" in admission.enter("d")


def test_an_address_has_as_much_room_again_as_it_gave_back() -> None:
    admission = Admission(GuardConfig(max_connections=9, max_connections_per_address=2))
    for _ in range(3):
        assert [bool(admission.enter("a")) for _ in range(3)] == [False, False, True]
        admission.leave("a")
        assert admission.enter("a") == ""
        for _ in range(2):
            admission.leave("a")
    assert (
        "a has 2 connections already, guard.max_connections_per_address" in [admission.enter("a") for _ in range(3)][-1]
    )


def test_addresses_that_have_gone_are_not_remembered() -> None:
    admission = Admission(GuardConfig())
    for number in range(100):
        admission.enter(f"10.0.0.{number}")
        admission.leave(f"10.0.0.{number}")
    admission.enter("here")
    assert dict(admission._by_address) == {"here": 1}
