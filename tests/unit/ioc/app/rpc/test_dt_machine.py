"""`dt:machine` tells what waits in the store, and `dt:reload` takes it over; ioc/app/test_machine_reload.py does so."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from gnomon.db import DocumentFile, StorePlace
from gnomon.db.store import NEW
from gnomon.ioc.app.document_watch import DocumentWatch
from gnomon.ioc.app.rpc.dt_machine import MachineQueryError, machine_procedures
from gnomon.ioc.base.protocols import Query
from gnomon.lattice import Client
from unit.ioc.rig import CLIENT, RING


class FakeServer:
    """A server that has a watch, and notes how it was asked to reload."""

    def __init__(self, store: Path) -> None:
        self.watch = DocumentWatch(StorePlace(store), RING.document, 3600.0)
        self.document_facts: Mapping[str, Any] = {"machine": "small"}
        self.asked: list[tuple[Client, bool]] = []

    async def reload(self, client: Client, *, reconnect: bool = False) -> Mapping[str, Any]:
        self.asked.append((client, reconnect))
        return {"revision": 2}


@pytest.fixture
async def server(tmp_path: Path) -> FakeServer:
    document = json.loads(RING.document.model_dump_json(by_alias=True))
    with DocumentFile(tmp_path / "documents.sqlite") as store:
        store.put("machine", RING.name, document, NEW)
        store.put("machine", RING.name, document | {"title": "changed"}, 1)
    return FakeServer(tmp_path / "documents.sqlite")


async def call(server: FakeServer, name: str, **arguments: str) -> Any:
    future = machine_procedures("T:", server)[f"T:{name}"](arguments, CLIENT)
    return await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE_S)


async def test_a_waiting_revision_is_told_after_a_look(server: FakeServer) -> None:
    assert (await call(server, "dt:machine"))["waiting"] == 0  # the watch has not looked yet
    told = await call(server, "dt:machine", do="look")
    assert (told["machine"], told["waiting"], told["problem"]) == ("small", 2, "")
    assert await call(server, "dt:machine") == told
    assert [row["place"] for row in await call(server, "dt:machine", do="diff")] == ["title"]


async def test_a_reload_passes_on_who_asks_and_whether_clients_may_connect_again(server: FakeServer) -> None:
    assert await call(server, "dt:reload") == {"revision": 2}
    await call(server, "dt:reload", reconnect="yes")
    assert server.asked == [(CLIENT, False), (CLIENT, True)]


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("dt:machine", {"do": "drop"}, "do = 'drop': it must be show, look or diff"),
        ("dt:machine", {"more": "1"}, "without other arguments"),
        ("dt:reload", {"reconnect": "perhaps"}, "reconnect = yes or no"),
        ("dt:reload", {"more": "1"}, "no other argument"),
    ],
)
async def test_other_arguments_are_refused(
    server: FakeServer, name: str, arguments: dict[str, str], reason: str
) -> None:
    with pytest.raises(MachineQueryError, match=reason):
        await call(server, name, **arguments)
    assert server.asked == []


async def test_readers_may_ask_and_only_writers_may_reload(server: FakeServer) -> None:
    procedures = machine_procedures("T:", server)
    assert isinstance(procedures["T:dt:machine"], Query)
    assert not isinstance(procedures["T:dt:reload"], Query)
