"""A server archives its journal by itself, while clients go on, and when it is asked to."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from patience import PATIENCE_S

from gnomon.ioc.app.rotating import rotate
from gnomon.ioc.app.rpc.dt_journal import ArchiveProcedure, JournalProcedure, JournalQueryError
from gnomon.ioc.app.twin import Twin
from gnomon.ioc.base.config import RotateConfig
from gnomon.recorder import Reader, rotation
from gnomon.recorder.parts import parts_of
from unit.ioc.rig import CLIENT, RING, Rig, running


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(rotation, "SETTLED_NS", -(10**18))
    async with running(tmp_path) as made:
        yield made


async def test_a_journal_that_has_grown_is_archived_while_clients_go_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = asyncio.create_task(rotate(rig.journal, RotateConfig(megabytes=1e-3), period_s=0.01))
    number = 0
    while not parts_of(rig.journal.path) or number < 30:
        number += 1
        assert (await rig.put("T:CP:set", number / 100)).accepted
        assert number < 500
    task.cancel()
    rig.journal.archiving.acquire()  # what is under way
    with Reader(rig.journal.path) as reader:
        assert [entry.sequence for entry in reader.entries()] == list(range(1, number + 1))
        assert [entry.changes[0].new for entry in reader.entries()] == [n / 100 for n in range(1, number + 1)]


async def test_commands_are_not_archived_before_they_are_due(rig: Rig) -> None:
    await rig.put("T:CP:set", 0.1)
    await rig.put("T:CP:set", 0.2)
    for limits in (RotateConfig(), RotateConfig(megabytes=None), RotateConfig(megabytes=None, days=1.0)):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rotate(rig.journal, limits, period_s=0.01), 0.1)
    assert parts_of(rig.journal.path) == ()


async def ask(procedure: Any, **arguments: Any) -> Any:
    return await asyncio.wait_for(asyncio.wrap_future(procedure(arguments, CLIENT)), PATIENCE_S)


async def test_a_server_tells_its_journal_and_archives_it_when_asked(rig: Rig) -> None:
    twin = cast("Twin", SimpleNamespace(journal=rig.journal, machine=SimpleNamespace(ring=RING), prefix="T:"))
    await rig.put("T:CP:set", 0.1)
    await rig.put("T:CP:set", 0.2)
    assert await ask(JournalProcedure(twin)) == {
        "journal": str(rig.journal.path), "run": 1, "last": 2, "machine": RING.name, "digest": RING.digest,
        "prefix": "T:",
    }  # fmt: skip
    assert await ask(ArchiveProcedure(twin)) == {"part": f"{rig.journal.path}.1-1", "first": 1, "last": 1}
    assert await ask(ArchiveProcedure(twin)) == {"part": "", "first": 0, "last": 0}
    for procedure in (JournalProcedure(twin), ArchiveProcedure(twin)):
        with pytest.raises(JournalQueryError, match="unknown argument do; it takes none"):
            await ask(procedure, do="x")
