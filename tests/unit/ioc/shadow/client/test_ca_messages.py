"""Channel Access as a reading client speaks it: values, pieces of messages, and what is not to be believed."""

import struct
from typing import Any

import numpy as np
import pytest

from gnomon.ioc.shadow.client import ca_messages as ca

EPICS_EPOCH_S = 631_152_000


def event(kind: int, count: int, payload: bytes) -> bytes:
    return struct.pack(">HHHHII", ca.EVENT_ADD, len(payload), kind, count, 1, 7) + payload


def time_double(*values: float, severity: int = 0) -> bytes:
    return struct.pack(">HHIIxxxx", 0, severity, 10, 500) + np.array(values, dtype=">f8").tobytes()


def test_a_message_is_taken_when_all_of_it_has_come() -> None:
    whole = event(ca.TIME_DOUBLE, 1, time_double(1.5, severity=2)) + ca.echo()
    buffer = bytearray()
    messages: list[Any] = []
    for byte in whole:
        buffer.append(byte)
        messages += ca.parse(buffer)
    assert [m.command for m in messages] == [ca.EVENT_ADD, ca.ECHO]
    assert not buffer
    value, severity, time_ns = ca.reading(messages[0])
    assert (value, severity, time_ns) == (1.5, 2, (EPICS_EPOCH_S + 10) * 10**9 + 500)


def test_a_long_message_has_its_size_in_a_longer_header() -> None:
    payload = time_double(*range(9000))
    header = struct.pack(">HHHHIIII", ca.EVENT_ADD, 0xFFFF, ca.TIME_DOUBLE, 0, 1, 7, len(payload), 9000)
    (message,) = ca.parse(bytearray(header + payload))
    assert ca.reading(message)[0].tolist() == list(range(9000))


def test_an_array_of_one_is_a_number_and_an_empty_one_an_array() -> None:
    (one,) = ca.parse(bytearray(event(ca.TIME_DOUBLE, 1, time_double(3.0))))
    (none,) = ca.parse(bytearray(event(ca.TIME_DOUBLE, 0, time_double())))
    assert ca.reading(one)[0] == 3.0
    assert ca.reading(none)[0].size == 0


def test_a_text_ends_where_it_ends() -> None:
    payload = struct.pack(">HHII", 0, 0, 1, 2) + b"low alpha".ljust(44, b"\0")
    (message,) = ca.parse(bytearray(event(ca.TIME_STRING, 1, payload)))
    assert ca.reading(message)[0] == "low alpha"


@pytest.mark.parametrize(
    ("kind", "count", "payload"),
    [(ca.TIME_DOUBLE, 4, time_double(1.0)), (ca.TIME_DOUBLE, 1, b"\0" * 8), (99, 1, time_double(1.0))],
)
def test_a_value_that_cannot_be_read_is_an_error(kind: int, count: int, payload: bytes) -> None:
    (message,) = ca.parse(bytearray(event(kind, count, payload)))
    with pytest.raises(ca.ProtocolError):
        ca.reading(message)


def test_a_message_that_would_fill_the_memory_is_an_error() -> None:
    header = struct.pack(">HHHHIIII", ca.EVENT_ADD, 0xFFFF, 20, 0, 1, 7, 2**32 - 8, 2**29)
    with pytest.raises(ca.ProtocolError, match="4294967288 bytes"):
        list(ca.parse(bytearray(header)))


def test_searches_fit_into_datagrams_and_forget_no_name() -> None:
    names = [(i, f"SOME:LONG:NAME:{i}:set") for i in range(500)]
    found = []
    for datagram in ca.searches(names):
        assert len(datagram) <= 1024
        version, *asked = ca.parse(bytearray(datagram))
        assert version.command == ca.VERSION
        found += [(m.first, m.payload.rstrip(b"\0").decode()) for m in asked]
    assert found == names
