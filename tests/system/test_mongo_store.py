"""The store in MongoDB keeps the contract: on a real server, where there is one, and over the wire protocol.

The substitute is not MongoDB: one database for all names, no codes of errors, times rounded. docs/how-to/mongodb.md
says what has been tried with which.
"""

import asyncio
import json
import math
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import free_port
from mongo_servers import emptied, own_database, server_of_environment, substitute_server
from patience import PATIENCE_S

from gnomon.db import DocumentFile, SqliteStore, StorePlace, shipped_document
from gnomon.db.document_difference import Difference
from gnomon.db.lat2db_collection import lat2db_machine
from gnomon.db.mongo_address import MongoAddress
from gnomon.db.mongo_store import MongoStore, open_client
from gnomon.db.store import NEW, AwayError, NotFoundError, StoreError
from gnomon.db.store_copy import copy_store
from gnomon.ioc.app.document_watch import NEWEST, UNKNOWN, DocumentWatch
from gnomon.ioc.base import snapshot_store
from gnomon.lattice import read_machine
from unit.db.store_contract import StoreContract
from unit.ioc.app.serving_stage import served
from unit.ioc.rig import CLIENT

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


async def test_a_twin_starts_without_its_server_and_keeps_the_document_when_that_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    address = f"mongodb://127.0.0.1:{port}/test?serverSelectionTimeoutMS=300&connectTimeoutMS=300"
    store = {"mongodb": address, "path": str(tmp_path / "documents.sqlite"), "look_s": 0.2}

    def shown(name: str) -> Any:
        return serving.twin.bank.reading(serving.twin.bank.index[f"T:dt:document{name}"]).value

    async with served(tmp_path, monkeypatch, store=store) as serving, asyncio.timeout(3 * PATIENCE_S):
        assert shown("") == UNKNOWN
        assert "no MongoDB server answers" in shown(":reason")
        with substitute_server(tmp_path, port):
            while shown("") != NEWEST:
                await asyncio.sleep(0.05)
            async with MongoStore(MongoAddress("mongodb://", f"127.0.0.1:{port}", "test")) as there:
                assert [each.revision for each in await there.history("machine", "small")] == [1]


async def test_a_machine_that_is_in_the_store_alone_is_not_served_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = {"mongodb": f"mongodb://127.0.0.1:{free_port()}/test?serverSelectionTimeoutMS=300"}
    with pytest.raises(AwayError, match=r"machine 'mine' is neither shipped nor a file, .* is away: mongodb://"):
        async with served(tmp_path, monkeypatch, store=store, machine="mine"):
            pass


def lat2db_ring(name: str, k1: float) -> dict[str, Any]:
    """A small ring as lat2db keeps it."""

    def magnet(index: int, kind: str, name: str, length: float, field: list[float], **more: float) -> dict[str, Any]:
        coefficients = {"normal_coefficients": field, "skew_coefficients": [0.0] * len(field)}
        content = {"magnetic_element": {"coeffs": coefficients}, "kickangle": {"x": 0, "y": 0}}
        return {"type": kind, "name": name, "index": index, "length": length, "element_configuration": content, **more}

    bend = {"bending_angle": math.pi / 8, "entranceangle": math.pi / 16, "exitangle": math.pi / 16}
    cell = [
        ("Quadrupole", 0.5, [0.0, k1], {}), ("Drift", 1.0, None, {}), ("Dipole", 1.0, [0.0, 0.0], bend),
        ("Monitor", 0.0, None, {}), ("Drift", 1.0, None, {}), ("Quadrupole", 0.5, [0.0, -k1], {}),
        ("Drift", 2.0, None, {}),
    ]  # fmt: skip
    elements: list[dict[str, Any]] = []
    for number in range(16):
        for kind, length, field, more in cell:
            index, own = len(elements), f"{kind[0]}{number}_{len(elements)}"
            if field is None:
                elements.append({"type": kind, "name": own, "index": index, "length": length})
            else:
                elements.append(magnet(index, kind, own, length, field, **more))
    cavity = {"frequency": 500e6, "voltage": 1e6}
    elements.append(
        {"type": "RFCavity", "name": "CAV", "index": len(elements), "length": 0.0, "harmonic_number": 160,
         "cavity_configuration": cavity, "Energy": 1.7e9}
    )  # fmt: skip
    return {"id": f"id-of-{name}", "name": name, "sequences": elements[::-1]}


async def test_a_machine_is_imported_from_the_collection_of_lat2db(substitute: MongoAddress, tmp_path: Path) -> None:
    client = open_client(substitute)
    try:
        machines = client[substitute.database]["machines"]
        await machines.insert_many([lat2db_ring("SMALL", 0.6), lat2db_ring("OTHER", 0.7)])
    finally:
        await client.close()

    def imported(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", "from gnomon.cli import main; main()", "machine", "import"]
        return subprocess.run(
            [*command, str(substitute), "-o", str(tmp_path / "small.json"), *arguments],
            capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip

    with pytest.raises(NotFoundError, match=r"there are SMALL \(id id-of-SMALL\); OTHER \(id id-of-OTHER\)"):
        await asyncio.to_thread(lat2db_machine, substitute)
    done = await asyncio.to_thread(imported, "--use", "id-of-SMALL", "--name", "small", "--approximate")
    assert done.returncode == 0, done.stderr
    document = read_machine(tmp_path / "small.json")
    assert (document.name, document.energy_ev, document.harmonic_number) == ("small", 1.7e9, 160)
    assert len(document.monitors) == 16
    assert {e.k1 for e in document.elements if e.type == "quadrupole"} == {0.6, -0.6}


async def test_a_change_is_told_by_the_server_long_before_the_next_look(substitute: MongoAddress) -> None:
    machine = shipped_document("mls")
    document = json.loads(machine.model_dump_json(by_alias=True))
    async with emptied(substitute) as address, MongoStore(address) as store:
        await store.put("machine", "mls", document, NEW)
        watch = DocumentWatch(StorePlace(address), machine, 10 * PATIENCE_S)
        task = asyncio.create_task(watch.run())
        await asyncio.sleep(0.5)  # until it watches
        await store.put("machine", "mls", document | {"title": "changed"}, 1)
        async with asyncio.timeout(PATIENCE_S):
            while watch.waiting is None:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert watch.waiting.revision == 2
    assert watch.differences() == (Difference("title", json.dumps(machine.title), '"changed"'),)


async def test_a_server_keeps_its_documents_there_and_takes_a_changed_one_over(
    substitute: MongoAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with emptied(substitute) as address:
        place = {"store": {"path": str(tmp_path / "unused.sqlite"), "mongodb": address.to_text()}}
        async with served(tmp_path, monkeypatch, **place) as serving, MongoStore(address) as store:
            kept = await store.get("machine", "small")
            await store.put("machine", "small", kept.document | {"title": "changed"}, kept.revision)
            told = await serving.reload(CLIENT)
            assert (told["revision"], serving.twin.machine.document.title) == (2, "changed")
        snapshot = snapshot_store.snapshot_of(
            snapshot_store.read_present_state(serving.recipe.config, tmp_path / "twin.journal", "T:"), ""
        )
        snapshot_store.save(serving.recipe.config, "flat", snapshot, replace=False)
        assert [each.name for each in snapshot_store.list_snapshots(serving.recipe.config)] == ["flat"]
        async with MongoStore(address) as store:
            assert await store.kinds() == ("machine", "snapshot")
    assert not (tmp_path / "unused.sqlite").exists()
