"""PV Access search messages as bytes: the question that a client broadcasts and the answer of a server.

Source: "pvAccess Protocol Specification", messages CMD_SEARCH (3) and CMD_SEARCH_RESPONSE (4).
"""

import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address

_MAGIC = 0xCA
_VERSION = 2
_BIG_ENDIAN = 0x80
_SEARCH = 3
_SEARCH_RESPONSE = 4
_UNICAST = 0x80
_HEADER_BYTES = 8
_LARGEST_DATAGRAM = 1400
_LONG_STRING = 254


@dataclass(frozen=True, slots=True)
class Found:
    """A server's answer: the ids of names that it serves and where; no `host` means the sender's address."""

    sequence: int
    ids: tuple[int, ...]
    host: str
    port: int


def search_datagrams(
    names: Sequence[str], sequence: int, reply_port: int, unicast: bool, known: Collection[str] = ()
) -> Iterator[bytes]:
    """Search messages for `names`, many in each, none above the size that every network carries unbroken.

    The id of a name is its place in `names`; those in `known` are not asked for. `unicast` makes a server that shares
    its port hand the question on.
    """
    batch: list[bytes] = []
    size = 0
    for identity, name in enumerate(names):
        if name in known:
            continue
        entry = struct.pack(">I", identity) + _string(name)
        if batch and size + len(entry) > _LARGEST_DATAGRAM:
            yield _search(batch, sequence, reply_port, unicast)
            batch, size = [], 0
        batch.append(entry)
        size += len(entry)
    if batch:
        yield _search(batch, sequence, reply_port, unicast)


def answers(datagram: bytes) -> Iterator[Found]:
    """The search answers in a datagram; anything else in it, or a broken rest, is passed over."""
    while len(datagram) >= _HEADER_BYTES and datagram[0] == _MAGIC:
        order = ">" if datagram[2] & _BIG_ENDIAN else "<"
        (length,) = struct.unpack_from(order + "I", datagram, 4)
        body, command = datagram[_HEADER_BYTES : _HEADER_BYTES + length], datagram[3]
        if len(body) < length:
            return
        if command == _SEARCH_RESPONSE and (found := _answer(body, order)) is not None:
            yield found
        datagram = datagram[_HEADER_BYTES + length :]


def _answer(body: bytes, order: str) -> Found | None:
    try:
        sequence, address, port, size = struct.unpack_from(order + "12xI16sHB", body)
        place = 12 + 4 + 16 + 2 + 1
        protocol = body[place : place + size]
        found, count = struct.unpack_from(order + "?H", body, place + size)
        ids = struct.unpack_from(f"{order}{count}I", body, place + size + 3)
    except struct.error:
        return None
    if not found or protocol != b"tcp":
        return None
    return Found(sequence=sequence, ids=ids, host=_host(address), port=port)


def _search(entries: Sequence[bytes], sequence: int, reply_port: int, unicast: bool) -> bytes:
    any_address = bytes(16)  # answer to where the datagram came from
    body = struct.pack(">IB3x16sH", sequence, _UNICAST if unicast else 0, any_address, reply_port)
    body += b"\x01" + _string("tcp") + struct.pack(">H", len(entries)) + b"".join(entries)
    return struct.pack(">BBBBI", _MAGIC, _VERSION, _BIG_ENDIAN, _SEARCH, len(body)) + body


def _string(text: str) -> bytes:
    data = text.encode()
    size = struct.pack(">B", len(data)) if len(data) < _LONG_STRING else struct.pack(">BI", _LONG_STRING, len(data))
    return size + data


def _host(address: bytes) -> str:
    if not any(address):
        return ""
    v6 = IPv6Address(address)
    if v6.ipv4_mapped is None:
        return str(v6)
    return "" if int(v6.ipv4_mapped) == 0 else str(v6.ipv4_mapped)
