"""The embedded store keeps the contract, and what only a file can promise."""

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gnomon.db.sqlite_store import SqliteStore
from gnomon.db.store import NEW, NotFoundError, StoreError
from programs.running import command, environment
from unit.db.store_contract import RING, StoreContract


class TestSqliteStoreInAFile(StoreContract):
    @pytest.fixture
    async def stores(self, tmp_path: Path) -> AsyncIterator[Callable[[], SqliteStore]]:
        opened: list[SqliteStore] = []

        def another() -> SqliteStore:
            opened.append(SqliteStore(tmp_path / "machines.sqlite"))
            return opened[-1]

        yield another
        for store in opened:
            await store.close()


class TestSqliteStoreInMemory(StoreContract):
    @pytest.fixture
    async def stores(self) -> AsyncIterator[Callable[[], SqliteStore]]:
        store = SqliteStore(":memory:")
        yield lambda: store
        await store.close()


async def test_documents_outlive_the_store(tmp_path: Path) -> None:
    path = tmp_path / "made" / "on the way" / "machines.sqlite"
    async with SqliteStore(path, clock_ns=lambda: 1_000) as store:
        await store.put("machine", "demo", RING, NEW)
    async with SqliteStore(path) as store:
        got = await store.get("machine", "demo")
    assert (got.document, got.time_ns) == (RING, 1_000)


async def test_two_memory_stores_share_nothing() -> None:
    async with SqliteStore(":memory:") as one, SqliteStore(":memory:") as other:
        await one.put("machine", "demo", RING, NEW)
        with pytest.raises(NotFoundError):
            await other.get("machine", "demo")


async def test_processes_that_write_at_the_same_time_lose_no_revision(tmp_path: Path) -> None:
    path = tmp_path / "machines.sqlite"
    async with SqliteStore(path) as store:
        await store.put("counter", "n", {"value": 0}, NEW)
        writers = [subprocess.Popen(command("store_writer", str(path), "25"), env=environment()) for _ in range(3)]
        assert [await asyncio.to_thread(writer.wait, 60) for writer in writers] == [0, 0, 0]
        last = await store.get("counter", "n")
    assert (last.document, last.revision) == ({"value": 75}, 76)


async def test_stores_opened_at_the_same_time_on_a_new_file_agree_on_its_schema(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / "new.sqlite") for _ in range(4)]
    assert await asyncio.gather(*(store.list("machine") for store in stores)) == [()] * 4
    for store in stores:
        await store.close()


async def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    text, database, journal = tmp_path / "notes.txt", tmp_path / "other.sqlite", tmp_path / "journal.sqlite"
    text.write_text("no database at all, only some text that is long enough to be read as a header" * 10)
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    with sqlite3.connect(journal) as db:
        db.execute("PRAGMA application_id = 1234")
    db.close()
    for path, reason in (
        (text, "not a database"),
        (database, "no document store of gnomon"),
        (journal, "no document store of gnomon"),
    ):
        before = path.read_bytes()
        async with SqliteStore(path) as store:
            with pytest.raises(StoreError, match=rf"{path.name}.*{reason}"):
                await store.list("machine")
        assert path.read_bytes() == before


async def test_a_store_of_a_later_gnomon_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "machines.sqlite"
    async with SqliteStore(path) as store:
        await store.list("machine")
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 2")
    db.close()
    async with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="schema 2, this one reads 1"):
            await store.list("machine")


async def test_a_damaged_document_is_not_handed_out(tmp_path: Path) -> None:
    path = tmp_path / "machines.sqlite"
    async with SqliteStore(path) as store:
        await store.put("machine", "demo", {"k1": 2.5}, NEW)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE documents SET document = '{\"k1\":3.5}'")
    db.close()
    async with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="revision 1 of machine 'demo' is damaged"):
            await store.get("machine", "demo")


async def test_a_place_that_cannot_be_written_fails_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with SqliteStore(tmp_path / "file" / "machines.sqlite") as store:
        with pytest.raises(StoreError, match=r"machines\.sqlite: the document store failed"):
            await store.put("machine", "demo", RING, NEW)
