"""The Channel Access messages of a client that only reads: search, open, watch, ask whether the other is there.

Messages that write (WRITE, WRITE_NOTIFY) are not among them. Layouts are those of the Channel Access protocol
specification, version 4.13; numbers are big-endian.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

VERSION, EVENT_ADD, SEARCH, ERROR, CREATE_CHAN = 0, 1, 6, 11, 18
CLIENT_NAME, HOST_NAME, ACCESS_RIGHTS, ECHO, CREATE_FAILED, SERVER_DISCONNECTS = 20, 21, 22, 23, 26, 27

MINOR_VERSION = 13
NORMAL = 1  # ECA_NORMAL
NO_READ = 368  # ECA_NORDACCESS
STRING = 0  # DBR_STRING
TIME_STRING, TIME_DOUBLE = 14, 20
#: Longest message that a machine may send: a larger one is not a reading of ours.
MAX_LENGTH = 2**22

_HEADER = struct.Struct(">HHHHII")
_LONG = struct.Struct(">II")
_STAMP = struct.Struct(">HHII")
_MASK = struct.Struct(">fffHH")
_VALUE_AND_ALARM = 1 | 4
#: 1990-01-01, where the time of EPICS begins, in seconds of Unix time.
_EPOCH_S = 631_152_000
#: Searches are sent in datagrams that pass every network undivided.
_DATAGRAM = 1_024


class ProtocolError(Exception):
    """The other side does not speak Channel Access as we know it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came: what its fields mean depends on the command."""

    command: int
    kind: int
    count: int
    first: int
    second: int
    payload: bytes


def greeting(user: str, host: str) -> bytes:
    """Messages that a client sends first on a connection."""
    return (
        _message(VERSION, kind=0, count=MINOR_VERSION)
        + _message(HOST_NAME, payload=_text(host))
        + _message(CLIENT_NAME, payload=_text(user))
    )


def create(channel: int, name: str) -> bytes:
    """Ask to open a channel."""
    return _message(CREATE_CHAN, first=channel, second=MINOR_VERSION, payload=_text(name))


def watch(channel: int, sid: int, kind: int, count: int) -> bytes:
    """Ask for a channel's values, now and whenever value or alarm change."""
    payload = _MASK.pack(0.0, 0.0, 0.0, _VALUE_AND_ALARM, 0)
    return _message(EVENT_ADD, kind=kind, count=count, first=sid, second=channel, payload=payload)


def echo() -> bytes:
    """Ask whether the other side is there."""
    return _message(ECHO)


def searches(names: Sequence[tuple[int, str]]) -> Iterator[bytes]:
    """Datagrams that ask who has these (channel, name)."""
    start = _message(VERSION, kind=0, count=MINOR_VERSION)
    datagram = start
    for channel, name in names:
        one = _message(SEARCH, kind=5, count=MINOR_VERSION, first=channel, second=channel, payload=_text(name))
        if len(datagram) + len(one) > _DATAGRAM:
            yield datagram
            datagram = start
        datagram += one
    if datagram != start:
        yield datagram


def parse(buffer: bytearray) -> Iterator[Message]:
    """Take whole messages off the front of what was received. Raises ProtocolError."""
    at = 0
    try:
        while len(buffer) - at >= _HEADER.size:
            command, size, kind, count, first, second = _HEADER.unpack_from(buffer, at)
            start = at + _HEADER.size
            if size == 0xFFFF and count == 0:
                if len(buffer) - start < _LONG.size:
                    return
                size, count = _LONG.unpack_from(buffer, start)
                start += _LONG.size
            if size > MAX_LENGTH:
                raise ProtocolError(f"a message of {size} bytes was announced; the limit is {MAX_LENGTH}")
            if len(buffer) - start < size:
                return
            at = start + size
            yield Message(command, kind, count, first, second, bytes(buffer[start:at]))
    finally:
        del buffer[:at]


def reading(message: Message) -> tuple[Any, int, int]:
    """Value, severity and time [ns] of an EVENT_ADD that has a value. Raises ProtocolError."""
    try:
        _, severity, seconds, nanoseconds = _STAMP.unpack_from(message.payload)
        time_ns = (seconds + _EPOCH_S) * 1_000_000_000 + nanoseconds
        if message.kind == TIME_DOUBLE:
            values = np.frombuffer(message.payload, dtype=">f8", count=message.count, offset=_STAMP.size + 4)
            return float(values[0]) if message.count == 1 else values.astype(float), severity, time_ns
        if message.kind == TIME_STRING:
            text = message.payload[_STAMP.size : _STAMP.size + 40].split(b"\0", 1)[0]
            return text.decode("utf-8", "replace"), severity, time_ns
    except (struct.error, ValueError, IndexError) as error:
        raise ProtocolError(f"a value that cannot be read: {error}") from error
    raise ProtocolError(f"a value of type {message.kind}, which was not asked for")


def _message(
    command: int, *, kind: int = 0, count: int = 0, first: int = 0, second: int = 0, payload: bytes = b""
) -> bytes:
    return _HEADER.pack(command, len(payload), kind, count, first, second) + payload


def _text(text: str) -> bytes:
    """A text with its end, filled up to whole groups of eight bytes."""
    data = text.encode("utf-8", "replace") + b"\0"
    return data + b"\0" * (-len(data) % 8)
