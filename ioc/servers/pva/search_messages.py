"""PV Access search messages as bytes: the question that a client sends, the answer of a server, and its beacon.

Source: "pvAccess Protocol Specification", messages CMD_BEACON (0), CMD_SEARCH (3), CMD_SEARCH_RESPONSE (4) and
CMD_ORIGIN_TAG (22).
"""

import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from gnomon.ioc.wire.pva_framing import (
    CONTROL,
    FROM_SERVER,
    HEADER_BYTES,
    SEGMENT,
    Command,
    WireError,
    address_of,
    header,
    message,
    packed_address,
    string,
    text_at,
)

_MUST_REPLY, _UNICAST = 0x01, 0x80
_MAX_DATAGRAM = 1400
_ANY_ADDRESS = bytes(16)  # the sender's own
_NO_STATUS = b"\xff"
_QUESTION = {order: struct.Struct(order + "IB3x16sH") for order in "<>"}
_U16 = {order: struct.Struct(order + "H") for order in "<>"}
_U32 = {order: struct.Struct(order + "I") for order in "<>"}


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """A server's answer: the ids of names that it serves and where; no `host` means the sender's address."""

    sequence: int
    ids: tuple[int, ...]
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Question:
    """A client's search: names by id, and where the answer goes; no `host` means the sender's address."""

    sequence: int
    names: tuple[tuple[int, bytes], ...]
    must_reply: bool
    unicast: bool
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
        entry = struct.pack(">I", identity) + string(name)
        if batch and size + len(entry) > _MAX_DATAGRAM:
            yield _search(batch, sequence, reply_port, unicast)
            batch, size = [], 0
        batch.append(entry)
        size += len(entry)
    if batch:
        yield _search(batch, sequence, reply_port, unicast)


def answers(datagram: bytes) -> Iterator[SearchAnswer]:
    """The search answers in a datagram; anything else in it, or a broken rest, is passed over."""
    while len(datagram) >= HEADER_BYTES:
        try:
            head = header(datagram)
        except WireError:
            return
        body = datagram[HEADER_BYTES : HEADER_BYTES + head.size]
        if len(body) < head.size:
            return
        if head.command == Command.SEARCH_RESPONSE and (found := _answer(body, head.order)) is not None:
            yield found
        datagram = datagram[HEADER_BYTES + head.size :]


def question(body: bytes, order: str) -> Question:
    """The search in a message's body. Raises WireError when it is broken."""
    layout = _QUESTION[order]
    if len(body) < layout.size + 3:
        raise WireError("a search is cut off")
    sequence, flags, address, port = layout.unpack_from(body)
    at = layout.size + 1
    over_tcp = False
    for _ in range(body[layout.size]):
        protocol, at = text_at(body, at, order)
        over_tcp |= protocol == b"tcp"
    if at + 2 > len(body):
        raise WireError("the number of names is missing")
    (count,) = _U16[order].unpack_from(body, at)
    at += 2
    names: list[tuple[int, bytes]] = []
    for _ in range(count):
        name, after = text_at(body, at + 4, order)
        names.append((_U32[order].unpack_from(body, at)[0], name))
        at = after
    return Question(
        sequence=sequence,
        names=tuple(names) if over_tcp else (),
        must_reply=bool(flags & _MUST_REPLY),
        unicast=bool(flags & _UNICAST),
        host=address_of(address),
        port=port,
    )


def question_of(datagram: bytes) -> tuple[str, bytes, str] | None:
    """The message in a datagram that asks: ("", body, order), or, handed on by another server, ("address", ...).

    The address is the one at which the other server was asked. None for all else, broken messages included.
    """
    try:
        asked_at, datagram = _origin(datagram)
        head = header(datagram)
    except WireError:
        return None
    if head.command != Command.SEARCH or head.flags & (CONTROL | SEGMENT) or head.size > len(datagram) - HEADER_BYTES:
        return None
    return asked_at, datagram[HEADER_BYTES : HEADER_BYTES + head.size], head.order


def handed_on(body: bytes, order: str, asked_at: str, sender: str) -> bytes:
    """A question, as it is handed on to the other servers on this computer that share the port."""
    layout = _QUESTION[order]
    sequence, flags, address, port = layout.unpack_from(body)
    if not address_of(address):
        address = packed_address(sender)
    body = layout.pack(sequence, flags & ~_UNICAST, address, port) + body[layout.size :]
    flags_of_order = 0x80 if order == ">" else 0
    head = struct.pack(order + "BBBBI", 0xCA, 2, flags_of_order, Command.SEARCH, len(body))
    return message(Command.ORIGIN_TAG, packed_address(asked_at)) + head + body


def answer(guid: bytes, asked: Question, ids: Sequence[int], port: int) -> bytes:
    """The answer to a question: the names with these ids are served here, at `port`."""
    body = guid + struct.pack(">I16sH", asked.sequence, _ANY_ADDRESS, port) + string("tcp")
    body += struct.pack(f">?H{len(ids)}I", bool(ids), len(ids), *ids)
    return message(Command.SEARCH_RESPONSE, body, FROM_SERVER)


def beacon(guid: bytes, number: int, port: int) -> bytes:
    """Beacon of a server: here I am. Clients that miss PVs search at once when a new server begins to send them."""
    body = guid + struct.pack(">BBH16sH", 0, number & 0xFF, 0, _ANY_ADDRESS, port) + string("tcp") + _NO_STATUS
    return message(Command.BEACON, body, FROM_SERVER)


def _origin(datagram: bytes) -> tuple[str, bytes]:
    head = header(datagram)
    if head.command != Command.ORIGIN_TAG:
        return "", datagram
    body = datagram[HEADER_BYTES : HEADER_BYTES + head.size]
    if len(body) < 16:
        raise WireError("an origin is cut off")
    return address_of(body[:16]) or "0.0.0.0", datagram[HEADER_BYTES + head.size :]


def _answer(body: bytes, order: str) -> SearchAnswer | None:
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
    return SearchAnswer(sequence=sequence, ids=ids, host=address_of(address), port=port)


def _search(entries: Sequence[bytes], sequence: int, reply_port: int, unicast: bool) -> bytes:
    flags = _UNICAST if unicast else 0
    body = _QUESTION[">"].pack(sequence, flags, _ANY_ADDRESS, reply_port)  # answer to where this came from
    body += b"\x01" + string("tcp") + struct.pack(">H", len(entries)) + b"".join(entries)
    return message(Command.SEARCH, body)
