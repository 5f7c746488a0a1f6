"""Messages of Channel Access as they go over the wire, and their splitting without trust in what they declare.

A message has a header of 16 bytes (24 for long payloads) and a payload whose length is a multiple of 8. All numbers
are big-endian. Source: Channel Access protocol specification, EPICS.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from caproto import CAStatus

HEADER = struct.Struct(">HHHHII")
EXTENDED = struct.Struct(">HHHHIIII")
#: In the size of a header: the real size and count follow it.
LONG = 0xFFFF

PROTOCOL_VERSION = 13
ANY_ADDRESS = 0xFFFFFFFF
#: Seconds from 1970 to the EPICS epoch of 1990.
EPOCH_S = 631_152_000
#: Longest name of a channel, filters included [bytes].
MAX_NAME_BYTES = 512


class Command(IntEnum):
    """Commands of messages, by the number in the header."""

    VERSION = 0
    EVENT_ADD = 1
    EVENT_CANCEL = 2
    READ = 3
    WRITE = 4
    SEARCH = 6
    EVENTS_OFF = 8
    EVENTS_ON = 9
    READ_SYNC = 10
    ERROR = 11
    CLEAR_CHANNEL = 12
    READ_NOTIFY = 15
    CREATE_CHAN = 18
    WRITE_NOTIFY = 19
    CLIENT_NAME = 20
    HOST_NAME = 21
    ACCESS_RIGHTS = 22
    ECHO = 23
    CREATE_CH_FAIL = 26
    SERVER_DISCONN = 27


def status(code: CAStatus) -> int:
    """The number of a status as messages have it."""
    return int(code.value.code_with_severity)


NORMAL = status(CAStatus.ECA_NORMAL)
NO_READ = status(CAStatus.ECA_NORDACCESS)
NO_WRITE = status(CAStatus.ECA_NOWTACCESS)
PUT_FAILED = status(CAStatus.ECA_PUTFAIL)
PUT_IN_PROGRESS = status(CAStatus.ECA_PUTCBINPROG)
GET_FAILED = status(CAStatus.ECA_GETFAIL)
BAD_TYPE = status(CAStatus.ECA_BADTYPE)
BAD_COUNT = status(CAStatus.ECA_BADCOUNT)
TOO_MANY = status(CAStatus.ECA_ALLOCMEM)


class InvalidMessageError(Exception):
    """A client sent what is not Channel Access, or more than it may send: its connection ends."""


@dataclass(slots=True)
class Message:
    """One message; `first` and `second` are the parameters of its header."""

    command: int
    data_type: int
    count: int
    first: int
    second: int
    payload: bytes


def pack(command: int, data_type: int, count: int, first: int, second: int, payload: bytes = b"") -> bytes:
    """A message; the payload is filled up with zeros to a multiple of 8 bytes."""
    size = len(payload)
    if size % 8:
        payload += bytes(-size % 8)
        size = len(payload)
    if size < LONG and count < LONG:
        return HEADER.pack(command, size, data_type, count, first, second) + payload
    return EXTENDED.pack(command, LONG, data_type, 0, first, second, size, count) + payload


class Stream:
    """Splits what a client sends into messages; a header that declares too much ends it before anything is kept."""

    def __init__(self, known: frozenset[int], max_bytes: int) -> None:
        self._known = known
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._start = 0

    def __len__(self) -> int:
        """Number of bytes that are kept and belong to messages not yet taken."""
        return len(self._data) - self._start

    def feed(self, data: bytes) -> None:
        """Keep what has arrived."""
        if self._start:
            del self._data[: self._start]
            self._start = 0
        self._data += data

    def take(self) -> Message | None:
        """Take the next message; None while it is incomplete.

        Raises InvalidMessageError for bytes after which no server can go on.
        """
        data, start = self._data, self._start
        have = len(data) - start
        if have < HEADER.size:
            # Two bytes tell other protocols from this one: nobody has to wait for a whole header.
            if have >= 2 and int.from_bytes(data[start : start + 2], "big") not in self._known:
                raise InvalidMessageError("sent what is not Channel Access")
            return None
        command, size, data_type, count, first, second = HEADER.unpack_from(data, start)
        if command not in self._known:
            raise InvalidMessageError(f"sent command {command}, which no client has")
        begin = start + HEADER.size
        if size == LONG:
            if have < EXTENDED.size:
                return None
            *_, size, count = EXTENDED.unpack_from(data, start)
            begin = start + EXTENDED.size
        if size > self._max_bytes:
            raise InvalidMessageError(
                f"announced a message of {size} bytes; guard.max_message_bytes is {self._max_bytes}"
            )
        end = begin + size
        if len(data) < end:
            return None
        self._start = end
        return Message(command, data_type, count, first, second, bytes(data[begin:end]))


def text(payload: bytes) -> str:
    """The text before the first zero byte; what is not UTF-8 in it stands as characters that no text has."""
    return payload.split(b"\0", 1)[0].decode(errors="surrogateescape")
