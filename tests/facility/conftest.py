"""Both rings as their facilities' clients find them: real servers, shared by the tests of one process."""

from collections.abc import Iterator

import pytest
from conftest import EpicsPorts, free_port

from facility.serving import Server
from system.twin_process import TwinProcess


@pytest.fixture(scope="session")
def bessy2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """BESSY II under the prefix T:."""
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("bessy2"), "--prefix", "T:") as twin:
        yield Server(twin)


@pytest.fixture(scope="session")
def mls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The MLS under the prefix T:."""
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("mls"), "--machine", "mls", "--prefix", "T:") as twin:
        yield Server(twin)
