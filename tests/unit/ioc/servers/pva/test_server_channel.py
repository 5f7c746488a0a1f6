"""The channel that lists PVs: each client gets the names that it may read."""

import pytest
from p4p import Type, Value

from gnomon import __version__
from gnomon.ioc.servers.pva.server_channel import MAX_KEPT, Listing
from gnomon.lattice import Client
from unit.ioc.servers.pva.fake_operation import FakeOperation, NotText, client_of


class Lists:
    """A listing, and who asked for the names."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.listing = Listing(self._names, client_of)

    def _names(self, client: Client) -> list[str]:
        self.asked.append(client.user)
        return ["T:a", f"T:{client.user}"]

    def call(self, user: str = "op", **arguments: str) -> FakeOperation:
        structure = Type([(name, "s") for name in arguments])
        operation = FakeOperation(Value(structure, arguments), "server", user)
        self.listing.rpc(None, operation)
        return operation


@pytest.fixture
def lists() -> Lists:
    return Lists()


def test_a_client_gets_the_names_that_it_may_read_in_their_order(lists: Lists) -> None:
    (answer,) = lists.call("op", op="channels").answers
    assert answer.getID() == "epics:nt/NTScalarArray:1.0"
    assert answer["value"] == ["T:a", "T:op"]
    (answer,) = lists.call("eve", op="channels").answers
    assert answer["value"] == ["T:a", "T:eve"]


def test_a_list_is_kept_for_each_client_until_pvs_come_or_go(lists: Lists) -> None:
    for user in ("op", "eve", "op", "op"):
        lists.call(user, op="channels")
    assert lists.asked == ["op", "eve"]
    lists.listing.forget()
    lists.call("op", op="channels")
    assert lists.asked == ["op", "eve", "op"]


def test_clients_that_change_their_names_cannot_make_it_grow(lists: Lists) -> None:
    for number in range(3 * MAX_KEPT):
        lists.call(f"user{number}", op="channels")
    assert len(lists.listing._kept) == MAX_KEPT


def test_info_has_the_version_and_help_the_operations(lists: Lists) -> None:
    (info,) = lists.call(op="info").answers
    assert (info["implLang"], info["version"]) == ("Python", f"gnomon {__version__}")
    (told,) = lists.call(op="help").answers
    assert "op=channels" in told["value"]
    assert "op=info" in told["value"]


@pytest.mark.parametrize("arguments", [{}, {"op": "format"}, {"other": "channels"}])
def test_an_unknown_request_is_refused_with_the_known_ones(lists: Lists, arguments: dict[str, str]) -> None:
    (error,) = lists.call(**arguments).errors
    assert error.startswith("unknown operation. op=channels")


def test_a_put_and_what_is_not_text_are_refused(lists: Lists) -> None:
    operation = FakeOperation()
    lists.listing.put(None, operation)
    assert "cannot be written" in operation.ended

    class Undecodable(NotText, FakeOperation):
        pass

    broken = Undecodable()
    lists.listing.rpc(None, broken)
    assert broken.ended == "a text that is not UTF-8"
