"""The messages of PV Access as bytes: header, sizes and strings.

Source: "pvAccess Protocol Specification", Protocol Messages and Data Encoding.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv6Address, ip_address

MAGIC = 0xCA
VERSION = 2
HEADER_BYTES = 8

CONTROL, FROM_SERVER, BIG_ENDIAN = 0x01, 0x40, 0x80
SEGMENT, FIRST, LAST, MIDDLE = 0x30, 0x10, 0x20, 0x30

_LONG = 254  # a size from here on follows in four bytes
_NULL = 255
_U32 = {">": struct.Struct(">I"), "<": struct.Struct("<I")}


class Command(IntEnum):
    """Application messages."""

    BEACON = 0
    VALIDATION = 1
    ECHO = 2
    SEARCH = 3
    SEARCH_RESPONSE = 4
    AUTHNZ = 5
    ACL_CHANGE = 6
    CREATE_CHANNEL = 7
    DESTROY_CHANNEL = 8
    VALIDATED = 9
    GET = 10
    PUT = 11
    PUT_GET = 12
    MONITOR = 13
    ARRAY = 14
    DESTROY_REQUEST = 15
    PROCESS = 16
    GET_FIELD = 17
    MESSAGE = 18
    MULTIPLE_DATA = 19
    RPC = 20
    CANCEL_REQUEST = 21
    ORIGIN_TAG = 22


class WireError(ValueError):
    """Bytes that are not a message."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first eight bytes of a message; `order` is the byte order of all that follows, as `struct` writes it."""

    version: int
    flags: int
    command: int
    size: int
    order: str


def header(data: bytes, at: int = 0) -> Header:
    """The header in `data` from `at` on. Raises WireError when there is none."""
    if len(data) - at < HEADER_BYTES or data[at] != MAGIC or not data[at + 1]:
        raise WireError("not a header of PV Access")
    flags = data[at + 2]
    order = ">" if flags & BIG_ENDIAN else "<"
    return Header(data[at + 1], flags, data[at + 3], _U32[order].unpack_from(data, at + 4)[0], order)


def message(command: Command, body: bytes, flags: int = 0) -> bytes:
    """A whole message in network byte order."""
    return struct.pack(">BBBBI", MAGIC, VERSION, BIG_ENDIAN | flags, command, len(body)) + body


def string(text: str) -> bytes:
    """A string with its size before it."""
    data = text.encode()
    size = struct.pack(">B", len(data)) if len(data) < _LONG else struct.pack(">BI", _LONG, len(data))
    return size + data


def text_at(body: bytes, at: int, order: str) -> tuple[bytes, int]:
    """The string's bytes from `at` on, and where the next thing starts. Raises WireError when the body ends before."""
    if at >= len(body):
        raise WireError("a string is missing")
    size = body[at]
    at += 1
    if size == _NULL:
        return b"", at
    if size == _LONG:
        if at + 4 > len(body):
            raise WireError("a size is cut off")
        (size,) = _U32[order].unpack_from(body, at)
        at += 4
    if at + size > len(body):
        raise WireError("a string is cut off")
    return body[at : at + size], at + size


def packed_address(host: str) -> bytes:
    """An address as its sixteen bytes."""
    address = ip_address(host)
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def address_of(packed: bytes) -> str:
    """The address in sixteen bytes; empty for the one that means the sender's own."""
    if not any(packed):
        return ""
    v6 = IPv6Address(packed)
    if v6.ipv4_mapped is None:
        return str(v6)
    return "" if int(v6.ipv4_mapped) == 0 else str(v6.ipv4_mapped)
