"""A server and a client on free ports of their own for each test."""

from collections.abc import Iterator

import pytest
from conftest import EpicsPorts

from system.ca.stage import RawClient, Served


@pytest.fixture
def served(epics_ports: EpicsPorts) -> Iterator[Served]:
    served = Served(epics_ports.ca)
    yield served
    served.stop()
    assert not served.left, f"tasks left behind: {served.left}"
    assert not served.problems, served.problems


@pytest.fixture
def client(served: Served) -> Iterator[RawClient]:
    client = RawClient(served.server.port)
    yield client
    client.close()
