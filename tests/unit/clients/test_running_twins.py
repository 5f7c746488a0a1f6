"""Clients of running twins are kept, the one that was not used for the longest time goes, and none while it is used."""

import pytest

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.errors import SeveralServersError
from gnomon.clients.running_twins import ClientPool, choose_one, server_document
from gnomon.clients.server_choice import Target
from gnomon.ioc.base.running_servers import RunningServer


class FakeClient(EpicsClient):
    def __init__(self, target: Target, timeout_s: float) -> None:
        self.target, self.timeout_s, self.closed = target, timeout_s, False

    def close(self) -> None:
        self.closed = True


def target(prefix: str, started_ns: int = 1) -> Target:
    server = RunningServer(
        pid=1, prefix=prefix, machine="mls", role="twin", ca_address="", pva_address="", started_ns=started_ns
    )
    return Target(prefix, {}, server)


def test_a_client_is_kept_until_its_server_starts_again() -> None:
    pool = ClientPool(2, make=FakeClient)
    with pool.client(target("A:")) as first, pool.client(target("A:")) as again:
        assert first is again
    with pool.client(target("A:", started_ns=2)) as restarted:
        assert restarted is not first


def test_the_client_that_was_not_used_for_the_longest_time_is_closed() -> None:
    pool = ClientPool(2, make=FakeClient)
    kept = []
    for prefix in ("A:", "B:", "A:", "C:"):
        with pool.client(target(prefix)) as client:
            kept.append(client)
    assert [getattr(client, "closed") for client in kept] == [False, True, False, False]  # noqa: B009
    pool.close()
    assert all(getattr(client, "closed") for client in kept)  # noqa: B009


def test_a_client_is_not_closed_while_it_is_used() -> None:
    pool = ClientPool(1, make=FakeClient)
    with pool.client(target("A:")) as first:
        with pool.client(target("B:")):
            pass
        assert not getattr(first, "closed")  # noqa: B009
    assert getattr(first, "closed")  # noqa: B009


def test_one_server_is_chosen_or_all_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    running = [target("A:"), target("B:")]
    monkeypatch.setattr("gnomon.clients.running_twins.choose_servers", lambda prefix, server: tuple(running))
    with pytest.raises(SeveralServersError, match=r"'A:'.*'B:'"):
        choose_one(None)
    del running[1]
    chosen = choose_one(None)
    assert chosen.server is not None
    assert server_document(chosen.server)["prefix"] == chosen.prefix == "A:"
