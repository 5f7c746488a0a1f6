"""The core of the embedded store works without an event loop and within one; test_sqlite_store has its promises."""

import threading
from pathlib import Path

import pytest

from gnomon.db.document_file import DocumentFile
from gnomon.db.sqlite_store import SqliteStore
from gnomon.db.store import NEW, ConflictError, NotFoundError, Revision
from unit.db.store_contract import RING


def test_documents_are_read_and_written_by_plain_calls(tmp_path: Path) -> None:
    path = tmp_path / "machines.sqlite"
    with DocumentFile(path, clock_ns=lambda: 1_000) as file:
        assert file.put("machine", "demo", RING, NEW).revision == 1
        assert file.put("machine", "demo", {"name": "demo"}, 1).revision == 2
        with pytest.raises(ConflictError):
            file.put("machine", "demo", RING, 1)
        assert [known.revision for known in file.history("machine", "demo")] == [1, 2]
    with DocumentFile(path) as file:
        assert [(known.name, known.revision, known.time_ns) for known in file.list("machine")] == [("demo", 2, 1_000)]
        assert file.get("machine", "demo", 1).document == RING
        with pytest.raises(NotFoundError, match="it has demo"):
            file.get("machine", "other")
        file.close()
        file.close()


async def test_both_faces_of_a_file_see_the_same_documents_inside_an_event_loop(tmp_path: Path) -> None:
    path = tmp_path / "machines.sqlite"
    async with SqliteStore(path) as store:
        await store.put("machine", "demo", RING, NEW)
        with DocumentFile(path) as file:
            file.put("machine", "demo", {"name": "changed"}, 1)
        assert (await store.get("machine", "demo")).document == {"name": "changed"}


async def test_the_asynchronous_face_works_in_a_thread_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def get_nothing(self: DocumentFile, kind: str) -> tuple[Revision, ...]:
        threads.append(threading.current_thread().name)
        return ()

    monkeypatch.setattr(DocumentFile, "list", get_nothing)
    async with SqliteStore(tmp_path / "machines.sqlite") as store:
        assert await store.list("machine") == ()
    assert [name.startswith("gnomon-store") for name in threads] == [True]
