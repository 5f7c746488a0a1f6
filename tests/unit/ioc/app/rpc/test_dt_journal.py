"""`dt:journal` and `dt:archive`: where the journal is, and what moves to a part."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from patience import PATIENCE_S

from gnomon.ioc.app.rpc.dt_journal import ArchiveProcedure, JournalProcedure, JournalQueryError
from gnomon.ioc.app.twin import Twin
from gnomon.recorder import Reader, rotation
from unit.ioc.rig import CLIENT, RING, Rig, running


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as made:
        yield made


def twin_of(rig: Rig) -> Twin:
    twin = SimpleNamespace(journal=rig.journal, prefix="T:", machine=SimpleNamespace(ring=RING))
    return cast("Twin", twin)


async def archived(rig: Rig, **arguments: Any) -> dict[str, Any]:
    future = ArchiveProcedure(twin_of(rig))(arguments, CLIENT)
    return await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE_S)


async def test_the_answer_has_the_journal_and_its_last_command(rig: Rig, tmp_path: Path) -> None:
    procedure = JournalProcedure(twin_of(rig))
    before = procedure({}, CLIENT).result(timeout=0)
    assert before == {
        "journal": str(tmp_path / "journal"),
        "run": rig.journal.run,
        "last": 0,
        "machine": RING.name,
        "digest": RING.digest,
        "prefix": "T:",
    }
    await rig.put("T:CP:set", 0.1)
    await rig.put("T:CP:set", 0.2)
    assert procedure({}, CLIENT).result(timeout=0) == before | {"last": 2}


async def test_commands_that_are_settled_move_to_a_part_but_for_the_last(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (0.1, 0.2, 0.3):
        await rig.put("T:CP:set", value)
    assert await archived(rig) == {"part": "", "first": 0, "last": 0}  # too young
    monkeypatch.setattr(rotation, "SETTLED_NS", 0)
    answer = await archived(rig)
    assert (answer["first"], answer["last"]) == (1, 2)
    with Reader(Path(answer["part"])) as reader:
        assert [entry.sequence for entry in reader.entries()] == [1, 2]


async def test_arguments_are_refused_by_name(rig: Rig) -> None:
    with pytest.raises(JournalQueryError, match="T:dt:journal: unknown argument a, b; it takes none"):
        JournalProcedure(twin_of(rig))({"b": 1, "a": 2}, CLIENT).result(timeout=0)
    with pytest.raises(JournalQueryError, match="T:dt:archive: unknown argument before; it takes none"):
        await archived(rig, before="monday")
