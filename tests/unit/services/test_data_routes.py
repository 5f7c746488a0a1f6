"""Data over HTTP: found by words and fields, resolved by identifiers, with what was removed and what cannot be read."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gnomon.services import data_routes
from gnomon.services.catalogue import Catalogue, CataloguePlaces, Removal, remove
from unit.procedures.test_results import orm_run
from unit.services.catalogue.kept_things import FIRST, SECOND, STUDY, keep_all, made_places
from unit.services.conftest import client_of


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CataloguePlaces:
    made = made_places(tmp_path, monkeypatch)
    keep_all(made)
    return made


@pytest.fixture
async def asking(places: CataloguePlaces) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(places.results, config=places.config) as opened:
        yield opened


async def test_data_are_found_by_words_and_fields(asking: httpx.AsyncClient, places: CataloguePlaces) -> None:
    (places.results / "broken.h5").write_bytes(b"junk")
    everything = (await asking.get("/v1/data")).json()
    assert {entry["name"] for entry in everything["entries"]} == {FIRST, SECOND, STUDY, "bump", "flat"}
    assert not everything["more"]
    assert "damaged" in everything["unread"][0]["reason"]
    assert everything["unread_total"] == 1
    asked = {
        "words": "orm",
        "kind": "result",
        "count": "1",
        "since": "2026-11-27T09:00:00",
        "until": "2026-11-28T00:00:00Z",
    }
    first = (await asking.get("/v1/data", params=asked)).json()
    second = (await asking.get("/v1/data", params=asked | {"first": "1"})).json()
    assert first["more"]
    assert {first["entries"][0]["name"], second["entries"][0]["name"]} == {FIRST, SECOND}
    carla = (await asking.get("/v1/data", params={"user": "carla", "proposal": "P7", "machine": "bessy2"})).json()
    assert carla["entries"][0]["sources"] == [str(orm_run(1, FIRST).identifier)]
    for wrong in ({"kind": "orm"}, {"since": "then"}, {"until": "0.5"}):
        assert (await asking.get("/v1/data", params=wrong)).status_code == 422


async def test_all_files_that_cannot_be_read_are_counted_though_not_all_are_named(
    asking: httpx.AsyncClient, places: CataloguePlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_routes, "MAX_UNREAD", 2)
    for number in range(3):
        (places.results / f"broken-{number}.h5").write_bytes(b"junk")
    told = (await asking.get("/v1/data")).json()
    assert (len(told["unread"]), told["unread_total"]) == (2, 3)


async def test_an_identifier_is_resolved_by_its_beginning_and_a_removed_one_tells_why(
    asking: httpx.AsyncClient, places: CataloguePlaces
) -> None:
    identifier = orm_run(1, FIRST).identifier
    for digits in (identifier.digits, identifier.digits[:8]):
        entry = (await asking.get(f"/v1/data/result/{digits}")).json()
        assert (entry["identifier"], entry["name"]) == (str(identifier), FIRST)
    listed = (await asking.get("/v1/results")).json()["results"]
    assert {line["name"]: line["id"] for line in listed}[FIRST] == str(identifier)
    assert (await asking.get(f"/v1/data/study/{identifier.digits}")).status_code == 404
    with Catalogue(places) as catalogue:
        remove(places, [Removal(catalogue.resolve(FIRST), "too old")], "anna")
    gone = await asking.get(f"/v1/data/result/{identifier.digits[:8]}")
    assert gone.status_code == 410
    assert "by anna: too old" in gone.json()["detail"]
