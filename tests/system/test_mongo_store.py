"""The store in MongoDB keeps the contract: on a real server, where there is one, and over the wire protocol.

The substitute is not MongoDB: one database for all names, no codes of errors, times rounded. docs/how-to/mongodb.md
says what has been tried with which.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from conftest import free_port
from mongo_servers import emptied, own_database, server_of_environment, substitute_server

from gnomon.db.mongo_address import MongoAddress
from gnomon.db.mongo_store import MongoStore
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
