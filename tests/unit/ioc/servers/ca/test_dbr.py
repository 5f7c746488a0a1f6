"""Values as types of the protocol; how whole records look is compared with EPICS's soft IOC in the system tests."""

import math
import struct

import numpy as np
import pytest
from caproto import DBR_TYPES, ChannelType
from hypothesis import given
from hypothesis import strategies as st

from gnomon.ioc.servers.ca import dbr
from gnomon.ioc.servers.ca.dbr import Facts, State, Unconvertible, decode, encode

STAMP_NS = 1_700_000_000_123_456_789
FACTS = Facts("mm", 3, (), (9.0, -9.0, 4.0, 3.0, -3.0, math.nan, 5.0, -5.0), "ai")


def state(value: object) -> State:
    return State(value, 4, 1, STAMP_NS)


def test_a_control_structure_has_its_parts_where_another_library_looks_for_them() -> None:
    payload, count = encode(state(1.5), FACTS, ChannelType.CTRL_DOUBLE, 0)
    head = DBR_TYPES[ChannelType.CTRL_DOUBLE].from_buffer_copy(payload)
    assert count == 1
    assert (head.status, head.severity, head.precision, head.units) == (4, 1, 3, b"mm")
    assert (head.upper_disp_limit, head.lower_ctrl_limit, head.upper_warning_limit) == (9.0, -5.0, 3.0)
    assert math.isnan(head.lower_alarm_limit)
    assert struct.unpack_from(">d", payload, 80) == (1.5,)


def test_a_time_before_the_epoch_of_epics_is_its_beginning() -> None:
    payload, _ = encode(State(1.0, 0, 0, 0), FACTS, dbr.TIME_DOUBLE, 0)
    assert struct.unpack_from(">II", payload, 4) == (0, 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.23456, b"1.235"),
        (-0.0004, b"-0.000"),
        (math.nan, b"nan"),
        (1e9, b"1000000000.000"),
        (1e17, b" 1.000e+17"),
        ("\u00e4" * 30, "\u00e4".encode() * 19),
        (7, b"7"),
        ("x" * 60, b"x" * 39),
    ],
)
def test_numbers_and_texts_as_text(value: object, text: bytes) -> None:
    payload, _ = encode(state(value), FACTS, dbr.STRING, 0)
    assert payload == text.ljust(40, b"\0")


@pytest.mark.parametrize("native", range(7))
@pytest.mark.parametrize(
    "value", [0.5, -1e300, math.nan, math.inf, 2**31, "12", np.array([1.0, math.nan]), np.zeros(0), ["1", "2"], b"12\0"]
)
def test_every_value_is_had_as_every_type_with_something_in_it(native: int, value: object) -> None:
    for form in range(5):
        payload, count = encode(state(value), FACTS, 7 * form + native, 0)
        assert len(payload) >= dbr.SIZES[native] * max(count, 1)


@pytest.mark.parametrize("value", ["no number", ["1", "x"]])
def test_a_text_that_is_not_a_number_is_refused_as_one(value: object) -> None:
    with pytest.raises(Unconvertible, match="is not a number"):
        encode(state(value), FACTS, dbr.DOUBLE, 0)


def test_missing_values_are_zeros_and_others_are_left_out() -> None:
    assert encode(state(np.array([1.0, 2.0])), FACTS, dbr.SHORT, 4) == (b"\0\1\0\2\0\0\0\0", 4)
    assert encode(state(np.array([1.0, 2.0])), FACTS, dbr.SHORT, 1) == (b"\0\1", 1)


@pytest.mark.parametrize(
    ("data_type", "count", "payload"),
    [(6, 1, b"1234"), (6, 2, bytes(8)), (20, 1, bytes(24)), (0, 2, bytes(40)), (35, 1, bytes(8))],
)
def test_an_incomplete_value_is_refused(data_type: int, count: int, payload: bytes) -> None:
    with pytest.raises(Unconvertible):
        decode(data_type, count, payload)


@given(st.floats(allow_nan=False))
def test_a_double_comes_back_as_it_was(value: float) -> None:
    payload, count = encode(state(value), FACTS, dbr.DOUBLE, 0)
    assert decode(dbr.DOUBLE, count, payload) == [value]
