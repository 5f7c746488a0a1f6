"""The server of a test session, in this process, with the small ring."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gnomon.ioc.app import forks, serving
from gnomon.testing.server_process import RenewedServer
from unit.ioc.app.serving_stage import config_in
from unit.ioc.rig import beam

pytestmark = pytest.mark.network


async def test_each_request_has_a_journal_and_a_store_of_its_own_and_earlier_ones_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (serving, forks):
        monkeypatch.setattr(module, "Propagator", lambda *_: beam)
    monkeypatch.setenv("EPICS_CAS_BEACON_ADDR_LIST", "127.0.0.1")
    request = {"file": None, "changes": config_in(tmp_path).model_dump(mode="json")}
    folder = tmp_path / "session"
    folder.mkdir()
    async with AsyncExitStack() as stack:
        server = RenewedServer(folder, stack)
        assert await server.take(request) == {"journal": str(folder / "1.journal")}
        assert await server.take(request) == {"journal": str(folder / "2.journal")}
        assert {path.name.partition(".")[0] for path in folder.iterdir()} == {"2"}
