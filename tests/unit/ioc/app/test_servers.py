"""Both servers as one: a twin is shown over both protocols or over none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gnomon.fault_injection import Injector
from gnomon.ioc.app.injected_connections import InjectedConnections
from gnomon.ioc.app.servers import Servers
from gnomon.ioc.base.protocols import PutFuture
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.ca.ca_server import CaError
from gnomon.ioc.servers.pva.settings import PvaError
from gnomon.lattice import Client
from system.fake_sink import FakeSink
from unit.ioc.app.serving_stage import config_in
from unit.ioc.servers.pva.hosting_stage import Procedure, pv


class SinkOfNotes(FakeSink):
    """One that faults could tell what they do; here are none."""

    def note(self, text: str, client: Client) -> PutFuture:
        raise AssertionError(f"{client}: {text}")


def twin(prefix: str, *names: str) -> Any:
    """As much of a twin as servers use."""
    bank = Bank([pv(f"{prefix}{name}") for name in names], 0)
    sink: Any = SinkOfNotes(bank)
    connections = InjectedConnections(bank, prefix, Injector(), sink)
    return SimpleNamespace(prefix=prefix, bank=bank, dispatcher=sink, connections=connections)


@pytest.fixture
async def servers(tmp_path: Path) -> Servers:
    return Servers(config_in(tmp_path))


async def test_twins_are_shown_in_their_order_and_can_be_taken_away(servers: Servers) -> None:
    first, second = twin("A:", "x"), twin("B:", "x")
    servers.add(first, {})
    servers.add(second, {})
    assert list(servers.prefixes) == ["A:", "B:"]
    servers.remove(first)
    assert list(servers.prefixes) == ["B:"]
    servers.add(first, {})  # over both protocols its names are free again
    assert list(servers.prefixes) == ["B:", "A:"]


async def test_a_name_that_is_served_is_refused_and_nothing_is_shown(servers: Servers) -> None:
    servers.add(twin("A:", "x", "y"), {})
    with pytest.raises(PvaError, match="A:y"):
        servers.add(twin("A:", "y", "z"), {})
    assert list(servers.prefixes) == ["A:"]
    servers.add(twin("A:", "z"), {})


async def test_a_bank_that_channel_access_refuses_is_taken_off_pv_access(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = twin("B:", "x")

    def refuse(*_: object) -> None:
        raise CaError("no room")

    with monkeypatch.context() as refusing:
        refusing.setattr(servers.ca, "add", refuse)
        with pytest.raises(CaError, match="no room"):
            servers.add(other, {"B:call": Procedure()})
    assert list(servers.prefixes) == []
    servers.add(other, {"B:call": Procedure()})  # PV Access would refuse names that it still had


async def test_without_clients_the_figures_are_0(servers: Servers) -> None:
    assert {source.name: figure() for source, figure in servers.clients.items()} == {
        "status.ca.clients": 0, "status.pva.clients": 0, "status.pva.channels": 0,
    }  # fmt: skip
