"""The store in MongoDB keeps the contract: on a real server, where there is one, and over the wire protocol.

The substitute is not MongoDB: one database for all names, no codes of errors, times rounded. docs/how-to/mongodb.md
says what has been tried with which.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import free_port
from mongo_servers import emptied, own_database, server_of_environment, substitute_server

from gnomon.db import DocumentFile, SqliteStore
from gnomon.db.mongo_address import MongoAddress
from gnomon.db.mongo_store import MongoStore
from gnomon.db.store import NEW, StoreError
from gnomon.db.store_copy import copy_store
from unit.db.store_contract import StoreContract

Stores = Callable[[], MongoStore]


async def stores_in(address: MongoAddress, stack: AsyncExitStack) -> Stores:
    """A maker of stores in one database, which are closed at the end."""

    def another() -> MongoStore:
        store = MongoStore(address)
        stack.push_async_callback(store.close)
        return store

    return another


@pytest.fixture(scope="module")
def substitute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoAddress]:
    with substitute_server(tmp_path_factory.mktemp("nx"), free_port()) as address:
        yield address


class TestMongoStoreOnARealServer(StoreContract):
    @pytest.fixture
    async def stores(self) -> AsyncIterator[Stores]:
        async with own_database(server_of_environment()) as address, AsyncExitStack() as stack:
            yield await stores_in(address, stack)


class TestMongoStoreOverTheWireProtocol(StoreContract):
    @pytest.fixture
    async def stores(self, substitute: MongoAddress) -> AsyncIterator[Stores]:
        async with emptied(substitute) as address, AsyncExitStack() as stack:
            yield await stores_in(address, stack)


async def test_a_store_is_copied_to_the_server_and_back(substitute: MongoAddress, tmp_path: Path) -> None:
    with DocumentFile(tmp_path / "a.sqlite") as file:
        for number in range(150):
            file.put("result", f"orm-{number:05d}", {"b": number, "a": [1.0, -0.0]}, NEW)
        for revision in range(3):
            file.put("machine", "demo", {"version": revision}, revision)
    async with emptied(substitute) as address, AsyncExitStack() as stack:
        first = await stack.enter_async_context(SqliteStore(tmp_path / "a.sqlite"))
        there = await stack.enter_async_context(MongoStore(address))
        back = await stack.enter_async_context(SqliteStore(tmp_path / "b.sqlite"))
        assert (await copy_store(first, there)).verified == 153
        assert (await copy_store(first, there)).there == 153
        assert (await copy_store(there, back)).copied == 153
        for kind in ("machine", "result"):
            assert await back.revisions(kind) == await first.revisions(kind)


async def test_a_store_goes_on_when_its_server_was_away(tmp_path: Path) -> None:
    port = free_port()
    with substitute_server(tmp_path, port) as address:
        store = MongoStore(replace(address, options=(("serverSelectionTimeoutMS", "300"),)))
        await store.put("machine", "demo", {"version": 1}, NEW)
    with pytest.raises(StoreError, match=rf"mongodb://127.0.0.1:{port}/test: (no MongoDB server|the connection)"):
        await store.get("machine", "demo")
    with substitute_server(tmp_path, port):
        assert (await store.put("machine", "demo", {"version": 2}, 1)).revision == 2
        await store.close()
