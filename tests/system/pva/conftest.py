"""A server and a client on free ports of their own for each test."""

from collections.abc import Iterator

import pytest
from p4p.client.thread import Context

from gnomon.ioc.outputs.bank import Bank
from system.pva.stage import SPECS, START_NS, FakeSink, Served, procedure, server_of


@pytest.fixture
def served() -> Iterator[Served]:
    bank = Bank(SPECS, START_NS)
    sink = FakeSink(bank)
    server = server_of(bank, sink, rpcs={"T:call": procedure})
    endpoint = server.start()
    yield Served(bank, sink, server, endpoint)
    server.stop()


@pytest.fixture
def client(served: Served) -> Iterator[Context]:
    with served.context(nt=False) as context:
        yield context
