from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.ioc.base.config import Config
from unit.cli.commands import FakeCall
from unit.cli.running_client import PVS, FakeServer
from unit.cli.served_lattice import FakeClient


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> FakeCall:
    fake = FakeCall()
    monkeypatch.setattr("gnomon.recorder.remote.call_procedure", fake)
    return fake


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """A server that answers over both protocols."""
    fake = FakeServer()

    def pvs(self: EpicsClient, match: str = "*", source: str = "*", timeout_s: float | None = None) -> list[PvInfo]:
        return [PvInfo(*row, "") for row in PVS if fnmatchcase(row[1], source)]

    monkeypatch.setattr("gnomon.clients.epics_client._connect", lambda target, protocol: fake.pvs)
    monkeypatch.setattr(EpicsClient, "find_pvs", pvs)
    monkeypatch.setattr(EpicsClient, "call", lambda self, name, arguments: fake.call(name, arguments))
    return fake


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    monkeypatch.setattr("gnomon.clients.epics_client.EpicsClient", FakeClient)
    return FakeClient


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.model_validate({"machine": "mls", "store": {"path": str(tmp_path / "documents.sqlite")}})
