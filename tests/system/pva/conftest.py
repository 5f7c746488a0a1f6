"""A server and a client on free ports of their own for each test."""

from collections.abc import Iterator

import pytest
from p4p.client.thread import Context

from gnomon.ioc.bank import Bank
from gnomon.ioc.pva.server import PvaServer
from system.pva.stage import FREE, SPECS, START_NS, FakeSink, Served, procedure


@pytest.fixture
def served() -> Iterator[Served]:
    bank = Bank(SPECS, START_NS)
    sink = FakeSink(bank)
    server = PvaServer(bank, sink, {"T:call": procedure}, FREE, environ={})
    endpoint = server.start()
    yield Served(bank, sink, server, endpoint)
    server.stop()


@pytest.fixture
def client(served: Served) -> Iterator[Context]:
    with served.context(nt=False) as context:
        yield context
