"""The copy in MongoDB: a document for each command, the newest of it, under its key; and what refusals mean."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import BulkWriteError

from gnomon.ioc.base.forward_config import MongodbConfig
from gnomon.recorder.journal_feed import JournalFeed, Position
from gnomon.services.forward import mongodb_downstream
from gnomon.services.forward.downstream import DeliveryError, Parcel, RefusedItemError
from gnomon.services.forward.forward_messages import kind_of, of_journal, of_result
from gnomon.services.forward.mongodb_downstream import COMMANDS, RESULTS, MongodbDownstream, MongodbSession
from unit.recorder.records import small_journal
from unit.services.dashboard.sample_runs import tune_response_run


class FakeCollection:
    """Keeps documents by `_id`, as replacing with `upsert` does."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.refuses = False

    async def bulk_write(self, writes: list[Any], *, ordered: bool) -> None:
        assert ordered
        if self.refuses:
            raise BulkWriteError({"writeErrors": [{"errmsg": "no"}]})
        for write in writes:
            assert write._upsert
            self.documents[write._filter["_id"]] = write._doc


@pytest.fixture
def parcels(tmp_path: Path) -> list[Parcel]:
    items, _ = JournalFeed(small_journal(tmp_path / "journal")).read(Position(), 100)
    return [Parcel(kind_of(item), of_journal(item, "j"), item) for item in items]


async def test_pieces_that_come_again_leave_each_command_once_with_its_outcomes(
    parcels: list[Parcel],
) -> None:
    database = {COMMANDS: FakeCollection(), RESULTS: FakeCollection()}
    session = MongodbSession(database)
    for cut in (parcels[:3], parcels, parcels[2:3], parcels):
        await session.deliver(cut)
    documents = database[COMMANDS].documents
    assert list(documents) == ["j:1", "j:2", "j:3", "j:4"]
    assert [each["outcome"] for each in documents.values()] == ["applied", "applied", "rejected", "applied"]
    assert [len(each["outcomes"]) for each in documents.values()] == [1, 1, 1, 1]
    assert documents["j:1"]["schema"] == "gnomon.command/1"


async def test_a_result_is_a_document_without_data() -> None:
    database = {COMMANDS: FakeCollection(), RESULTS: FakeCollection()}
    message = of_result(tune_response_run(), "ab" * 32)
    await MongodbSession(database).deliver([Parcel("results", message)])
    assert database[RESULTS].documents[message.key]["procedure"] == "tune-response"


async def test_a_document_that_is_refused_stops_the_copy(parcels: list[Parcel]) -> None:
    database = {COMMANDS: FakeCollection(), RESULTS: FakeCollection()}
    database[COMMANDS].refuses = True
    with pytest.raises(RefusedItemError, match="refuses a document"):
        await MongodbSession(database).deliver(parcels)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"uri": "mongodb://127.0.0.1:9/?tsl=true"}, "tsl"),
        ({"uri": "mongodb://127.0.0.1:9/", "ca_file": Path("/none/ca.pem")}, "ca.pem"),
        ({"uri": "mongodb://127.0.0.1:9/?tls=maybe"}, "tls"),
    ],
    ids=["an option that is not known", "certificates that are not there", "a value that is none"],
)
async def test_an_address_that_cannot_be_used_stops_the_copy(more: dict[str, Any], reason: str) -> None:
    with pytest.raises(RefusedItemError, match=reason):
        async with MongodbDownstream(MongodbConfig(**more)).session("TWIN:", "j"):
            pass


def test_the_configuration_completes_the_address() -> None:
    config = MongodbConfig(uri="mongodb://host/?timeoutMS=5", user="anna", database="ring", ca_file=Path("/ca.pem"))
    address = MongodbDownstream(config, "secret")._address()
    assert (address.database, address.user, address.secret()) == ("ring", "anna", "secret")
    options = dict(address.options)
    assert (options["timeoutMS"], options["tls"], options["tlsCAFile"]) == ("5", "true", "/ca.pem")
    assert "secret" not in address.uri()


async def test_an_end_during_a_delivery_is_an_end(parcels: list[Parcel]) -> None:
    class Swallows(FakeCollection):
        """As the driver, which takes a task that was cancelled for a lost connection and tries once more."""

        async def bulk_write(self, writes: list[Any], *, ordered: bool) -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600.0)
            await super().bulk_write(writes, ordered=ordered)

    delivering = asyncio.create_task(MongodbSession({COMMANDS: Swallows()}).deliver(parcels))
    await asyncio.sleep(0.01)
    delivering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivering


async def test_nobody_there_is_told_and_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongodb_downstream, "FIND_MS", 50)
    monkeypatch.setattr(mongodb_downstream, "ANSWER_MS", 200)  # finding it is tried again until then
    downstream = MongodbDownstream(MongodbConfig(uri="mongodb://127.0.0.1:9"))
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1:9") as caught:
        async with downstream.session("TWIN:", "j"):
            pass
    assert not isinstance(caught.value, RefusedItemError)
    assert len(str(caught.value)) < 350
