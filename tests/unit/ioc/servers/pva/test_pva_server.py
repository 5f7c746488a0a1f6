"""The server in this process, with a client in this process: what is added is served, and what is removed is not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from p4p.client.thread import Context, RemoteError

from gnomon.db.pvs import PvSpec
from gnomon.ioc.base.config import AccessConfig, AccessRule
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.access import AccessRules
from gnomon.ioc.servers.pva.pva_server import PvaServer
from gnomon.ioc.servers.pva.settings import Endpoint, PvaError, Settings
from system.fake_sink import FakeSink
from unit.ioc.servers.pva.hosting_stage import Procedure, pv

FREE = Settings(port=0, broadcast_port=0)


def bank_of(*specs: PvSpec) -> Bank:
    return Bank(specs, 0)


class Served:
    """A running server of two banks."""

    def __init__(self) -> None:
        rules = (AccessRule(pvs=("A:secret",), allow="none"), AccessRule(allow="write"))
        self.server = PvaServer(FREE, AccessRules(AccessConfig(rules=rules)), environ={})
        self.first = bank_of(pv("A:x", writable=True), pv("A:secret"))
        self.sink = FakeSink(self.first)
        self.server.add(self.first, self.sink, {"A:call": Procedure()})
        self.endpoint: Endpoint = self.server.start()
        self.client = Context("pva", conf=dict(self.endpoint.client_variables), useenv=False, nt=False)

    async def ask(self, do: str, *arguments: Any, timeout: float = 5.0) -> Any:
        return await asyncio.to_thread(lambda: getattr(self.client, do)(*arguments, timeout=timeout))


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    made = Served()
    yield made
    made.client.close()
    made.server.stop()


@pytest.mark.network
async def test_a_put_reaches_the_sink_with_the_address_behind_the_guard(served: Served) -> None:
    await served.ask("put", "A:x", {"value": 1.5})
    ((name, value, client),) = served.sink.puts
    assert (name, value, client.host, client.protocol) == ("A:x", 1.5, "127.0.0.1", "pva")
    assert (await served.ask("get", "A:x.DESC"))["value"] == "what it is"
    assert served.server.clients == 1


@pytest.mark.network
async def test_banks_come_and_go_while_it_runs(served: Served) -> None:
    second = bank_of(pv("B:y"))
    served.server.add(second, FakeSink(second))
    assert (await served.ask("get", "B:y"))["value"] == 0.0
    served.server.remove(second)
    with pytest.raises((RemoteError, TimeoutError)):
        await served.ask("get", "B:y", timeout=0.1)
    served.server.add(second, FakeSink(second))
    assert (await served.ask("get", "B:y"))["value"] == 0.0


@pytest.mark.network
async def test_a_secret_and_its_fields_are_not_found(served: Served) -> None:
    for name in ("A:secret", "A:secret.DESC"):
        with pytest.raises(TimeoutError):
            await served.ask("get", name, timeout=0.05)


async def test_a_name_is_served_once() -> None:
    server = PvaServer(FREE, environ={})
    first = bank_of(pv("A:x"), pv("A:y"))
    server.add(first, FakeSink(first))
    other = bank_of(pv("A:z"), pv("A:y"))
    with pytest.raises(PvaError, match=r"^1 of these names are served already, the first is A:y: give another prefix"):
        server.add(other, FakeSink(other))
    with pytest.raises(PvaError, match="the first is A:x"):
        server.add(bank_of(), FakeSink(other), {"A:x": Procedure()})
    with pytest.raises(PvaError, match="not served"):
        server.remove(other)  # it was not added in part
    server.remove(first)
    server.add(other, FakeSink(other))


async def test_a_server_starts_once_and_a_stop_without_a_start_does_nothing() -> None:
    server = PvaServer(FREE, environ={})
    server.stop()
    server.start()
    with pytest.raises(PvaError, match="runs already"):
        server.start()
    server.stop()
    assert server.clients == server.connected == 0
    server.start()  # and again
    server.stop()


async def test_an_address_that_is_not_ours_is_an_error_with_the_address() -> None:
    server = PvaServer(Settings(("192.0.2.1",), 0, 0), environ={})
    with pytest.raises(PvaError, match=r"cannot be served on 192\.0\.2\.1: .*Give an address of this host"):
        server.start()
    assert server.clients == 0
