"""An asynchronous store by plain calls keeps its promises, in a thread without a loop and within a loop."""

import threading
from functools import partial
from pathlib import Path

import pytest

from gnomon.db.blocking_store import BlockingStore
from gnomon.db.sqlite_store import SqliteStore
from gnomon.db.store import NEW, ConflictError, StoreError
from unit.db.store_contract import RING


def test_plain_calls_reach_the_asynchronous_store(tmp_path: Path) -> None:
    with BlockingStore(partial(SqliteStore, tmp_path / "machines.sqlite")) as store:
        assert store.put("machine", "demo", RING, NEW).revision == 1
        with pytest.raises(ConflictError):
            store.put("machine", "demo", RING, NEW)
        assert store.get("machine", "demo").document == RING
        assert [known.revision for known in store.history("machine", "demo")] == [1]
        assert [known.name for known in store.list("machine")] == ["demo"]
        assert store.revisions("machine") == store.history("machine", "demo")


async def test_it_can_be_used_where_a_loop_runs(tmp_path: Path) -> None:
    with BlockingStore(partial(SqliteStore, tmp_path / "machines.sqlite")) as store:
        assert store.list("machine") == ()


def test_closing_ends_the_thread_and_further_calls(tmp_path: Path) -> None:
    before = threading.active_count()
    store = BlockingStore(partial(SqliteStore, tmp_path / "machines.sqlite"))
    assert threading.active_count() == before
    store.list("machine")
    store.close()
    store.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "gnomon-store"]
    with pytest.raises(StoreError, match="closed"):
        store.list("machine")
