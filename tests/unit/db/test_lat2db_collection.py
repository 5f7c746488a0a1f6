"""A machine of lat2db is chosen by name or id; system/test_mongo_store.py reads one over the wire protocol."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gnomon.db.lat2db_collection import lat2db_machine
from gnomon.db.mongo_address import parse_mongo_address
from gnomon.db.store import NotFoundError, StoreError

ADDRESS = parse_mongo_address("mongodb://h/bessyii")


class FakeClient(dict[str, Any]):
    """A client whose database has machines in its collection; each is asked for by its key."""

    machines: tuple[dict[str, Any], ...] = ()

    def __init__(self, uri: str, **options: Any) -> None:
        super().__init__()
        assert (uri, options["appname"]) == ("mongodb://h/bessyii", "gnomon")

    def __enter__(self) -> "FakeClient":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def __getitem__(self, name: str) -> Any:
        return self if name in ("bessyii", "machines") else pytest.fail(name)

    def find(self, wanted: Mapping[str, Any], fields: Mapping[str, int]) -> Iterator[dict[str, Any]]:
        return ({key: each[key] for key in ("_id", *fields) if key in each} for each in self.machines)

    def find_one(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        return next(each for each in self.machines if each["_id"] == wanted["_id"])


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    monkeypatch.setattr("pymongo.MongoClient", FakeClient)
    one, other = {"_id": 1, "id": "a-b", "name": "ONE", "sequences": []}, {"_id": 2, "name": "TWO", "sequences": []}
    monkeypatch.setattr(FakeClient, "machines", (one, other))
    return FakeClient


@pytest.mark.parametrize(("wanted", "name"), [("ONE", "ONE"), ("a-b", "ONE"), ("2", "TWO")])
def test_a_machine_is_found_by_name_and_by_either_id(wanted: str, name: str) -> None:
    assert lat2db_machine(ADDRESS, wanted)["name"] == name


def test_the_only_machine_needs_no_name(fake: type[FakeClient], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "machines", fake.machines[:1])
    assert lat2db_machine(ADDRESS)["name"] == "ONE"


@pytest.mark.parametrize(
    ("wanted", "reason"), [(None, "there is not one machine alone"), ("THREE", "0 machines are called 'THREE'")]
)
def test_otherwise_the_machines_that_there_are_are_named(wanted: str | None, reason: str) -> None:
    with pytest.raises(NotFoundError, match=rf"{reason} in the collection 'machines': .*ONE \(id a-b\); TWO \(id 2\)"):
        lat2db_machine(ADDRESS, wanted)


def test_a_server_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from pymongo.errors import OperationFailure

    def refuse(*_: object) -> None:
        raise OperationFailure("not authorized", 13)

    monkeypatch.setattr(FakeClient, "find", refuse)
    with pytest.raises(StoreError, match="mongodb://h/bessyii: the server does not allow this"):
        lat2db_machine(ADDRESS)


def test_an_option_that_is_not_known_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real client
    with pytest.raises(StoreError, match=r"the address cannot be used .Unknown option"):
        lat2db_machine(parse_mongo_address("mongodb://127.0.0.1:1/bessyii?tlsX=true&serverSelectionTimeoutMS=1"))
