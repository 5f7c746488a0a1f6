"""Readings from structures of PV Access."""

from typing import Any

import numpy as np
import pytest
from p4p import Type, Value

from gnomon.clients.pv_values import columns_of, reading_of
from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.servers.pva.structures import type_of


def structure(kind: Kind, content: dict[str, Any], **more: Any) -> Value:
    """A structure as our own server sends it."""
    spec = PvSpec(name="T:PV", kind=kind, source="", description="", **more)
    return Value(type_of(spec), content)


def test_a_number_comes_with_unit_limits_description_and_time() -> None:
    sent = structure(
        Kind.FLOAT,
        {
            "value": 218.5,
            "display": {"units": "A", "description": "current"},
            "control": {"limitLow": -5.0, "limitHigh": 300.0},
            "timeStamp": {"secondsPastEpoch": 1_700_000_000, "nanoseconds": 123_456_789},
        },
    )
    read = reading_of("T:PV", sent)
    assert (read.name, read.value, read.unit, read.description) == ("T:PV", 218.5, "A", "current")
    assert read.limits == (-5.0, 300.0)
    assert read.time_ns == 1_700_000_000_123_456_789
    assert (read.severity, read.alarm, read.states, read.index) == (0, "", (), None)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (7.0, 7.0), (2.0, 1.0)])
def test_limits_without_room_between_them_are_none(low: float, high: float) -> None:
    sent = structure(Kind.FLOAT, {"control": {"limitLow": low, "limitHigh": high}})
    assert reading_of("T:PV", sent).limits is None


def test_the_text_of_an_alarm_is_told_only_while_there_is_one() -> None:
    alarmed = structure(Kind.INT, {"value": 3, "alarm": {"severity": 2, "message": "HIHI"}})
    well = structure(Kind.INT, {"value": 3, "alarm": {"severity": 0, "message": "NO_ALARM"}})
    assert (reading_of("T:PV", alarmed).severity, reading_of("T:PV", alarmed).alarm) == (2, "HIHI")
    assert (reading_of("T:PV", well).severity, reading_of("T:PV", well).alarm) == (0, "")


@pytest.mark.parametrize(("index", "shown"), [(0, "off"), (1, "on"), (2, "2"), (-1, "-1")])
def test_a_state_is_shown_by_name_and_one_without_name_by_number(index: int, shown: str) -> None:
    sent = structure(Kind.ENUM, {"value": {"index": index, "choices": ["off", "on"]}})
    read = reading_of("T:PV", sent)
    assert (read.value, read.index, read.states) == (shown, index, ("off", "on"))
    assert (read.unit, read.limits) == ("", None)


def test_waveforms_keep_their_values() -> None:
    numbers = reading_of("T:PV", structure(Kind.FLOATS, {"value": [1.5, -2.0]}))
    np.testing.assert_array_equal(numbers.value, [1.5, -2.0])
    assert reading_of("T:PV", structure(Kind.STRINGS, {"value": ["a", "b"]})).value == ["a", "b"]


def test_a_table_is_its_columns_by_name() -> None:
    columns = (("name", "", "string"), ("beta", "m", "float"))
    sent = structure(Kind.TABLE, {"value": {"name": ["Q1", "Q2"], "beta": [3.5, 12.0]}}, columns=columns)
    assert columns_of(sent) == {"name": ["Q1", "Q2"], "beta": [3.5, 12.0]}
    assert reading_of("T:PV", sent).value == {"name": ["Q1", "Q2"], "beta": [3.5, 12.0]}


def test_a_structure_of_an_unknown_type_is_read_as_its_fields() -> None:
    sent = Value(Type([("id", "l"), ("device", "s")]), {"id": 4, "device": "HS1"})
    read = reading_of("T:PV", sent)
    assert (read.value, read.time_ns, read.severity) == ({"id": 4, "device": "HS1"}, 0, 0)
