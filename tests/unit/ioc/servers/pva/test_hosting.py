"""A bank behind a PV Access server: what its names are, and who is told of what it publishes."""

from typing import Any

import pytest

from gnomon.db.pvs import Kind
from gnomon.ioc.base.protocols import PutReply
from unit.ioc.servers.pva.fake_operation import FakeOperation
from unit.ioc.servers.pva.hosting_stage import Procedure, Stage, pv

MANY = tuple(f"pv{number}" for number in range(20))


@pytest.fixture
def stage() -> Stage:
    specs = [
        pv("x", writable=True), pv("wave", Kind.FLOATS, length=100), pv("why", Kind.STRING),
        pv("names", Kind.STRINGS, length=3), pv("counts", Kind.INTS, length=4), pv("table", Kind.TABLE, length=2),
    ]  # fmt: skip
    return Stage(*specs, *map(pv, MANY), rpcs={"call": Procedure(), "x": Procedure()})


def test_names_are_pvs_and_procedures_each_with_one_channel(stage: Stage) -> None:
    assert stage.hosted.names == {"x", "wave", "why", "names", "counts", "table", "call", *MANY}
    assert stage.pvs.keys() == stage.hosted.names
    assert stage.hosted.serves("x")
    assert stage.hosted.serves("call")
    assert not stage.hosted.serves("x.DESC")


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("x", "x"), ("call", "call"), ("x.DESC", "x"), ("wave[0:1]", "wave"), ("why$", "why"), ("nobody", None),
        ("call.DESC", None), ("x.NOPE", None), ("x" + " " * 600, None),
    ],
)  # fmt: skip
def test_the_rights_of_a_name_are_those_of_its_record(stage: Stage, name: str, record: str | None) -> None:
    assert stage.hosted.record_of(name) == record


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("x", 0), ("why", 0), ("wave", 800), ("wave[0:9]", 800), ("names", 120), ("counts", 16), ("table", 2 * 2**16),
        ("nobody", 0),
    ],
)  # fmt: skip
def test_the_size_of_a_value_is_known_before_it_is_sent(stage: Stage, name: str, size: int) -> None:
    assert stage.hosted.value_bytes(name) == size


def test_a_pv_opens_with_the_present_reading_and_follows(stage: Stage) -> None:
    stage.put(7, x=1.5)
    shown = stage.open("x")
    assert (shown()["value"], shown()["timeStamp.nanoseconds"]) == (1.5, 7)
    assert shown()["display.description"] == "what it is"
    stage.put(8, x=2.5)
    assert (shown()["value"], shown()["timeStamp.nanoseconds"]) == (2.5, 8)
    assert stage.hosted.connected == 1
    stage.close("x")
    assert stage.hosted.connected == 0
    assert not stage.pvs["x"].isOpen()
    stage.put(9, x=3.5)
    assert stage.open("x")()["value"] == 3.5


def test_a_name_of_the_value_itself_is_the_pv_and_a_field_is_its_own_channel(stage: Stage) -> None:
    assert stage.hosted.field("x.VAL") is stage.pvs["x"]
    described = stage.hosted.field("x.DESC")
    assert described is not stage.pvs["x"]
    assert stage.hosted.field("x.DESC") is described  # all clients of a name share it
    with pytest.raises(KeyError):
        stage.hosted.field("x.NOPE")


def test_fields_that_clients_have_follow_and_are_forgotten_with_their_last_client(stage: Stage) -> None:
    stage.put(1, wave=[1.0, 2.0])
    first, part = stage.open("wave.NORD"), stage.open("wave[0:0]")
    stage.put(2, wave=[3.0, 4.0, 5.0])
    assert first()["value"] == 3
    assert part()["value"] == 3.0
    channel = stage.hosted.field("wave.NORD")
    stage.close("wave.NORD")
    stage.put(3, wave=[6.0])
    assert part()["value"] == 6.0
    assert stage.hosted.field("wave.NORD") is not channel


def test_a_large_batch_rings_before_it_is_posted_and_a_small_one_does_not(stage: Stage) -> None:
    for name in MANY:
        stage.open(name)
    stage.put(1, **dict.fromkeys(MANY[:15], 1.0))
    assert stage.bell.calls == ["close if idle"]
    stage.bell.calls.clear()
    stage.put(2, **dict.fromkeys(MANY[:16], 2.0))
    assert stage.bell.calls == ["ready", "wake"]
    stage.bell.calls.clear()
    stage.bell.open = False
    stage.put(3, **dict.fromkeys(MANY[:16], 3.0))
    assert stage.bell.calls == ["ready", "close if idle"]
    assert [stage.pvs[name].current()["value"] for name in MANY] == [3.0] * 16 + [0.0] * 4


def test_a_put_is_ordered_and_answered_when_it_is_complete(stage: Stage) -> None:
    futures: list[Any] = []
    stage.sink.complete = lambda index, value, future: futures.append(future)
    operation = FakeOperation()
    client = stage.hosted.client_of(operation)
    stage.hosted.put(operation, 0, 1.5, client)
    assert stage.sink.puts == [("x", 1.5, client)]
    assert stage.ordered == [(operation, futures[0])]
    assert operation.ended == ""
    futures[0].set_result(PutReply(False, "too much"))
    assert operation.ended == "too much"


def test_processing_publishes_once_more_with_a_new_stamp(stage: Stage) -> None:
    stage.put(1, x=1.5)
    shown = stage.open("x")
    stage.hosted.process(0)
    assert shown()["timeStamp.secondsPastEpoch"] > 1_700_000_000
    assert shown()["value"] == 1.5


def test_after_the_end_nothing_is_posted(stage: Stage) -> None:
    shown, field = stage.open("x"), stage.open("x.SEVR")
    stage.put(1, x=1.0)
    stage.hosted.stop_posting()
    stage.put(2, x=2.0)
    assert shown()["value"] == 1.0
    assert field()["timeStamp.nanoseconds"] == 1
    assert stage.hosted.connected == 0


def test_a_procedure_shows_what_it_is(stage: Stage) -> None:
    assert "remote procedure" in stage.pvs["call"].current()["display.description"]
