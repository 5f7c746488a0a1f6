"""A copied store has the same revisions, whatever interrupted the copy, and what differs is named."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from gnomon.db import DocumentFile, SqliteStore
from gnomon.db.store import NEW, MachineStore, Revision, StoredDocument, StoreError, TooLargeError
from gnomon.db.store_copy import TOGETHER, copy_store


class InterruptedStore(SqliteStore):
    """A store whose connection breaks at one of the additions."""

    left = 2

    async def adopt(self, documents: Sequence[StoredDocument]) -> None:
        self.left -= 1
        if self.left < 0:
            raise StoreError("the connection was lost")
        await super().adopt(documents)


class SmallStore(SqliteStore):
    """A store that, as MongoDB, takes what comes before a document that is too large, and does not say which it is."""

    async def adopt(self, documents: Sequence[StoredDocument]) -> None:
        for each in documents:
            if len(str(each.document)) > 1000:
                raise TooLargeError("too large for this store")
            await super().adopt([each])


def fill(path: Path, documents: int) -> None:
    with DocumentFile(path) as file:
        for number in range(documents):
            file.put("result", f"orm-{number:05d}", {"number": number, "b": 1, "a": [1.0, -0.0]}, NEW)
        for revision in range(3):
            file.put("machine", "demo", {"version": revision}, revision)
        file.put("reference-orbit", "demo/golden", {"x_m": [1e-6]}, NEW)


async def everything(store: MachineStore) -> list[Revision]:
    return [each for kind in await store.kinds() for each in await store.revisions(kind)]


async def test_a_copy_has_all_revisions_with_their_times_and_hashes(tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", 5)
    told: list[tuple[str, int, int]] = []
    async with SqliteStore(tmp_path / "a.sqlite") as source, SqliteStore(tmp_path / "b.sqlite") as target:
        report = await copy_store(source, target, lambda *now: told.append(now))
        assert (report.copied, report.there, report.verified, report.problems) == (9, 0, 9, [])
        assert report.kinds == {"machine": 3, "reference-orbit": 1, "result": 5}
        assert await everything(target) == await everything(source)
        assert (await target.get("machine", "demo", 2)).document == {"version": 1}
        again = await copy_store(source, target)
    assert (again.copied, again.there, again.verified) == (0, 9, 9)
    assert told == [("copying", 0, 9), ("copying", 9, 9), ("verifying", 0, 9), ("verifying", 9, 9)]


async def test_an_interrupted_copy_goes_on_where_it_ended(tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", 3 * TOGETHER)
    async with SqliteStore(tmp_path / "a.sqlite") as source:
        async with InterruptedStore(tmp_path / "b.sqlite") as target:
            with pytest.raises(StoreError, match="the connection was lost"):
                await copy_store(source, target)
        async with SqliteStore(tmp_path / "b.sqlite") as target:
            report = await copy_store(source, target)
            assert (report.copied, report.there) == (TOGETHER + 4, 2 * TOGETHER)
            assert await everything(target) == await everything(source)


async def test_documents_that_went_different_ways_are_left_and_named(tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", 1)
    with DocumentFile(tmp_path / "b.sqlite") as file:
        file.put("machine", "demo", {"version": "another"}, NEW)
        for revision in range(2):
            file.put("reference-orbit", "demo/golden", {"x_m": [1e-6 + revision]}, revision)
    async with SqliteStore(tmp_path / "a.sqlite") as source, SqliteStore(tmp_path / "b.sqlite") as target:
        report = await copy_store(source, target)
        assert [r.revision for r in await target.history("machine", "demo")] == [1]
    assert report.problems == ["machine 'demo': revision 1 has other content in the target, nothing of it was copied"]
    assert report.ahead == ["reference-orbit 'demo/golden': the target has 2 revisions, the source 1"]
    assert (report.copied, report.there) == (1, 1)


async def test_damaged_revisions_are_named_on_either_side(tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", 2)
    damage(tmp_path / "a.sqlite", "name = 'demo' AND revision = 2")
    async with SqliteStore(tmp_path / "a.sqlite") as source, SqliteStore(tmp_path / "b.sqlite") as target:
        report = await copy_store(source, target)
        assert [r.revision for r in await target.history("machine", "demo")] == [1]
        assert [text.partition(":")[0] for text in report.problems] == ["revision 2 of machine 'demo' is damaged"]
        damage(tmp_path / "b.sqlite", "kind = 'result' AND name = 'orm-00001'")
        again = await copy_store(source, target)
    assert "revision 1 of result 'orm-00001': damaged in the target" in again.problems


async def test_a_document_that_is_too_large_is_named_and_the_others_are_copied(tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", 3)
    with DocumentFile(tmp_path / "a.sqlite") as file:
        file.put("result", "orm-00001", {"data": "x" * 2000}, 1)
        file.put("result", "orm-00001", {"data": ""}, 2)
    async with SqliteStore(tmp_path / "a.sqlite") as source, SmallStore(tmp_path / "b.sqlite") as target:
        report = await copy_store(source, target)
        assert report.problems == [
            "revision 2 of result 'orm-00001': too large for this store: it and what follows it were not copied"
        ]
        assert (report.copied, report.verified) == (7, 7)
        assert [each.revision for each in await target.history("result", "orm-00001")] == [1]
        again = await copy_store(source, target)
    assert (again.copied, again.there, again.problems) == (0, 7, report.problems)


def damage(path: Path, which: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE documents SET document = '{{}}' WHERE {which}")
    db.close()
