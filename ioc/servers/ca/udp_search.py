"""Answer searches over UDP: one datagram in a turn of the event loop, and never more bytes than were asked with."""

import asyncio
import struct
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from gnomon.ioc.servers.ca.closing_circuits import ClosingCircuits
from gnomon.ioc.wire.ca_framing import ANY_ADDRESS, HEADER, LONG, PROTOCOL_VERSION, Command, text

REPLY = struct.Struct(">HHHHIIHHI")
#: Replies that fit into one datagram of the size that clients read at least.
REPLIES = (1024 - HEADER.size) // REPLY.size
#: Datagrams that an injected fault may hold back; what comes on top is lost, and clients ask again.
MAX_LATE = 1000


class Searches(asyncio.DatagramProtocol):
    """Hears what is searched for on one interface. What is malformed is passed over without a word.

    It may hear through several sockets; answers leave by the first, whose address is the one to connect to.
    """

    def __init__(
        self,
        delay_s: Callable[[str], float | None],
        port: Callable[[], int],
        ignored: Collection[str],
        closing: ClosingCircuits,
    ) -> None:
        self._delay_s = delay_s
        self._late = 0
        self._closing = closing
        self._port = port
        self._ignored = ignored
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._transport = self._transport or transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer the names that are served; the others get no answer, as it is usual."""
        if addr[0] in self._ignored:
            return
        with suppress(struct.error, ValueError):
            for message, delay_s in replies(data, self._delay_s, self._port()):
                self._answer(message, addr, delay_s)

    def _answer(self, message: bytes, addr: Any, delay_s: float) -> None:
        if not delay_s:
            self._closing.answer(addr[0], partial(self._transport.sendto, message, addr))
        elif self._late < MAX_LATE:
            self._late += 1
            asyncio.get_running_loop().call_later(delay_s, self._answer_late, message, addr)

    def _answer_late(self, message: bytes, addr: Any) -> None:
        self._late -= 1
        if not self._transport.is_closing():
            self._transport.sendto(message, addr)

    def error_received(self, exc: Exception) -> None:
        """A client has gone before it was answered: it will search again if it wants to."""


def replies(data: bytes, delay_s: Callable[[str], float | None], port: int) -> Iterator[tuple[bytes, float]]:
    """The datagrams that answer one, and how much later each is sent [s].

    `delay_s` says it of a name; None for one that is not answered. The client's sequence number is echoed as EPICS's
    own server does. Raises ValueError for what is not a search.
    """
    found: dict[float, list[int]] = {}
    version = b""
    start = 0
    while start < len(data):
        command, size, data_type, _, first, _ = HEADER.unpack_from(data, start)
        begin = start + HEADER.size
        start = begin + size
        if size == LONG or start > len(data):
            raise ValueError("a message that is longer than its datagram")
        if command == Command.VERSION:
            version = HEADER.pack(Command.VERSION, 0, data_type, PROTOCOL_VERSION, first, 0)
        elif command == Command.SEARCH:
            if (late_s := delay_s(text(data[begin:start]))) is not None:
                found.setdefault(late_s, []).append(first)
        elif command not in (Command.ECHO, Command.READ_SYNC):
            raise ValueError(f"command {command} is not a search")
    for late_s, cids in found.items():
        for number in range(0, len(cids), REPLIES):
            yield version + b"".join(reply(cid, port) for cid in cids[number : number + REPLIES]), late_s


def reply(cid: int, port: int) -> bytes:
    """Answer that a name is served here: on the TCP port, at the address from which this comes."""
    return REPLY.pack(Command.SEARCH, 8, port, 0, ANY_ADDRESS, cid, PROTOCOL_VERSION, 0, 0)
