"""Fields and filters over PV Access: their types, values and limits, what is posted, and what may be written."""

import math

import numpy as np
import pytest
from p4p import Type, Value

from gnomon.db.pvs import AlarmLimits, Kind
from gnomon.ioc.outputs.bank import Severity, Status
from unit.ioc.servers.pva.fake_operation import FakeOperation
from unit.ioc.servers.pva.hosting_stage import Stage, pv

SCALAR, ARRAY, MENU = (f"epics:nt/NT{kind}:1.0" for kind in ("Scalar", "ScalarArray", "Enum"))


@pytest.fixture
def stage() -> Stage:
    made = Stage(
        pv(
            "x", unit="A", precision=3, writable=True, drive=(-10.0, 10.0), display=(-5.0, 5.0),
            alarm=AlarmLimits(high=4.0),
        ),
        pv("n", Kind.INT, drive=(-1e12, 1e12), record_type="longin"),
        pv("why", Kind.STRING, writable=True, record_type="stringin"),
        pv("wave", Kind.FLOATS, length=5, unit="mm", record_type="waveform"),
        pv("names", Kind.STRINGS, length=3, record_type="waveform"),
        pv("mode", Kind.ENUM, states=("off", "on"), writable=True, record_type="bo"),
    )  # fmt: skip
    made.put(7, 3, x=1.5, n=2.0, mode=1.0, why="no beam", wave=np.arange(3.0), names=["a", "b"])
    return made


@pytest.mark.parametrize(
    ("name", "described", "field", "content"),
    [
        ("x.DESC", SCALAR, "value", "what it is"),
        ("x.EGU", SCALAR, "value", "A"),
        ("x.PREC", SCALAR, "value", 3),
        ("x.HIGH", SCALAR, "value", 4.0),
        ("x.HIHI", SCALAR, "value", 0.0),
        ("x.DRVH", SCALAR, "value", 10.0),
        ("x.SEVR", MENU, "value.index", 0),
        ("x.HSV", MENU, "value.index", 1),
        ("n.DRVH", SCALAR, "value", 2**31 - 1),
        ("wave.NORD", SCALAR, "value", 3),
        ("wave[1:1]", SCALAR, "value", 1.0),
        ("wave[4:4]", SCALAR, "value", 0),  # nothing is there
        ("names[1:1]", SCALAR, "value", "b"),
        ("names[2:2]", SCALAR, "value", ""),
        ('x{"dbnd":{"abs":1.0}}', SCALAR, "value", 1.5),
        ('mode{"ts":{}}', MENU, "value.index", 1),
    ],
)
def test_a_name_has_the_type_and_value_of_what_it_stands_for(
    stage: Stage, name: str, described: str, field: str, content: object
) -> None:
    shown = stage.open(name)()
    assert shown.getID() == described
    assert shown[field] == content
    if "ts" not in name:
        assert (shown["timeStamp.nanoseconds"], shown["timeStamp.userTag"]) == (7, 3)


@pytest.mark.parametrize(("name", "text"), [("why$", b"no beam\0"), ("x.DESC$", b"what it is\0")])
def test_a_long_text_is_an_array_of_bytes(stage: Stage, name: str, text: bytes) -> None:
    shown = stage.open(name)()
    assert shown.getID() == ARRAY
    assert shown["value"].tobytes() == text
    assert shown["value"].dtype == np.int8


def test_a_part_of_an_array_is_an_array_with_the_units_of_the_whole(stage: Stage) -> None:
    shown = stage.open("wave[1:2]")()
    assert shown["value"].tolist() == [1.0, 2.0]
    assert shown["display.units"] == "mm"


def test_a_menu_has_the_names_of_its_states(stage: Stage) -> None:
    assert stage.open("x.SEVR")()["value.choices"] == ["NO_ALARM", "MINOR", "MAJOR", "INVALID"]
    assert stage.open("mode.OMSL")()["value.choices"][0] == "supervisory"


@pytest.mark.parametrize(
    ("name", "display", "control"),
    [
        ("x.HIGH", (-5.0, 5.0), (-10.0, 10.0)),  # an alarm limit is as large as the value
        ("x.DRVH", (-1e300, 1e300), (-1e300, 1e300)),
        ("x.PREC", (-(2**15), 2**15 - 1), (-(2**15), 2**15 - 1)),
        ("n.HIGH", (-(2**31), 2**31 - 1), (-(2**31), 2**31 - 1)),
    ],
)
def test_limits_are_those_of_the_value_or_of_the_type(
    stage: Stage, name: str, display: tuple[float, float], control: tuple[float, float]
) -> None:
    shown = stage.open(name)()
    assert (shown["display.limitLow"], shown["display.limitHigh"]) == display
    assert (shown["control.limitLow"], shown["control.limitHigh"]) == control


def test_numbers_have_the_unit_and_the_precision_of_the_record(stage: Stage) -> None:
    shown = stage.open("x.HIGH")()
    assert (shown["display.units"], shown["display.precision"]) == ("A", 3)
    assert math.isnan(shown["valueAlarm.highAlarmLimit"])
    assert stage.open("x.PREC")()["display.units"] == ""


def test_a_field_is_posted_when_it_is_another_or_its_alarm_is(stage: Stage) -> None:
    described, severity = stage.open("x.DESC"), stage.open("x.SEVR")
    stage.put(8, x=1.6)
    assert described()["timeStamp.nanoseconds"] == severity()["timeStamp.nanoseconds"] == 7
    stage.put(9, x=4.5)
    assert (severity()["value.index"], severity()["timeStamp.nanoseconds"]) == (1, 9)
    assert (described()["alarm.severity"], described()["alarm.message"]) == (1, "HIGH")
    stage.bank.alarm(np.array([0]), Severity.INVALID, Status.COMM)
    assert severity()["value.index"] == 3


def test_a_deadband_holds_small_changes_back(stage: Stage) -> None:
    shown = stage.open('x{"dbnd":{"abs":1.0}}')
    for stamp, value in enumerate((2.0, 2.4, 2.6, 3.5)):
        stage.put(10 + stamp, x=value)
    assert (shown()["value"], shown()["timeStamp.nanoseconds"]) == (2.6, 12)


def test_a_filter_without_a_deadband_posts_each_value(stage: Stage) -> None:
    shown = stage.open("wave[0:0]")
    stage.put(8, wave=np.arange(3.0))
    assert shown()["timeStamp.nanoseconds"] == 8


def test_an_opened_channel_is_forgotten_with_its_last_client(stage: Stage) -> None:
    shown = stage.open("x.SEVR")
    stage.close("x.SEVR")
    stage.put(9, x=4.5)
    assert stage.open("x.SEVR")()["value.index"] == 1
    with pytest.raises(RuntimeError):
        shown()


def put(stage: Stage, name: str, content: object, user: str = "op") -> FakeOperation:
    stage.open(name)
    channel = stage.hosted.field(name)
    structure = channel.current().type()
    field = "value.index" if structure.getID() == MENU else "value"
    value = Value(structure)
    value[field] = content
    operation = FakeOperation(value, name, user)
    stage.handler(name).put(None, operation)
    return operation


@pytest.mark.parametrize(
    ("name", "content", "reached"),
    [
        ('x{"dbnd":{"abs":1.0}}', 2.5, 2.5),
        ('mode{"ts":{}}', 0, 0),
        ("why$", np.frombuffer(b"better\0", dtype=np.int8), "better"),
        ("why$", np.frombuffer("β-Schlag".encode(), dtype=np.int8), "β-Schlag"),
    ],
)
def test_a_put_behind_a_filter_or_to_a_long_text_is_a_put_to_the_value(
    stage: Stage, name: str, content: object, reached: object
) -> None:
    operation = put(stage, name, content)
    ((_, value, client),) = stage.sink.puts
    assert (value, client.user, operation.ended) == (reached, "op", "done")


def test_a_field_is_read_only_unless_it_processes(stage: Stage) -> None:
    assert put(stage, "x.DESC", "mine").ended == "x.DESC is read-only; nothing was changed"
    stamp = stage.bank.reading(0).time_ns
    assert put(stage, "x.PROC", 1).ended == "done"
    assert stage.bank.reading(0).time_ns > stamp
    assert stage.sink.puts == []


def test_a_reader_may_not_write_behind_a_filter(stage: Stage) -> None:
    operation = put(stage, 'x{"dbnd":{"abs":1.0}}', 2.5, "guest")
    assert operation.ended.startswith("guest@10.0.0.7 may not write x:")
    assert put(stage, "x.PROC", 1, "guest").ended.startswith("guest@10.0.0.7 may not write x:")
    assert stage.sink.puts == []


@pytest.mark.parametrize(
    ("content", "words"), [(b"\xff\xfe", "not UTF-8"), (b"", "an empty text"), (b"\0", "an empty text")]
)
def test_a_put_that_is_not_a_valid_long_text_is_refused(stage: Stage, content: bytes, words: str) -> None:
    operation = put(stage, "why$", np.frombuffer(content, dtype=np.int8))
    assert operation.ended.startswith("why$: ")
    assert words in operation.ended
    assert "nothing was changed" in operation.ended
    assert stage.sink.puts == []


def test_a_put_without_a_value_behind_a_long_text_reaches_the_sink_as_what_it_names(stage: Stage) -> None:
    structure = stage.open("why$")().type()
    operation = FakeOperation(Value(structure, {"alarm": {"severity": 2}}), "why$")
    stage.handler("why$").put(None, operation)
    assert [value for _, value, _ in stage.sink.puts] == [{"alarm.severity": 2}]
    assert operation.ended == "why got no value."


def test_a_field_is_not_called(stage: Stage) -> None:
    operation = FakeOperation(Value(Type([("do", "s")]), {"do": "list"}), "x.DESC")
    stage.open("x.DESC")
    stage.handler("x.DESC").rpc(None, operation)
    assert operation.ended == "x.DESC is not a remote procedure: read, monitor or write it."
