"""Limits on connections, in total and by address."""

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.servers.connection_limits import Admission


def test_connections_are_limited_for_one_address_and_for_all_together() -> None:
    admission = Admission(GuardConfig(max_connections=3, max_connections_per_address=2))
    assert [bool(admission.enter(a)) for a in ("a", "a", "a", "b", "c")] == [False, False, True, False, True]
    admission.leave("a")
    assert admission.enter("c") == ""
    assert "max_connections allows no more" in admission.enter("d")
