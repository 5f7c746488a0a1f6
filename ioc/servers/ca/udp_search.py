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


class Searches(asyncio.DatagramProtocol):
    """Hears what is searched for on one interface. What is malformed is passed over without a word.

    It may hear through several sockets; answers leave by the first, whose address is the one to connect to.
    """

    def __init__(
        self,
        serves: Callable[[str], bool],
        port: Callable[[], int],
        ignored: Collection[str],
        closing: ClosingCircuits,
    ) -> None:
        self._serves = serves
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
            for message in replies(data, self._serves, self._port()):
                self._closing.answer(addr[0], partial(self._transport.sendto, message, addr))

    def error_received(self, exc: Exception) -> None:
        """A client has gone before it was answered: it will search again if it wants to."""


def replies(data: bytes, serves: Callable[[str], bool], port: int) -> Iterator[bytes]:
    """The datagrams that answer one; the client's sequence number is echoed as EPICS's own server does.

    Raises ValueError for what is not a search.
    """
    cids: list[int] = []
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
            if serves(text(data[begin:start])):
                cids.append(first)
        elif command not in (Command.ECHO, Command.READ_SYNC):
            raise ValueError(f"command {command} is not a search")
    for number in range(0, len(cids), REPLIES):
        yield version + b"".join(reply(cid, port) for cid in cids[number : number + REPLIES])


def reply(cid: int, port: int) -> bytes:
    """Answer that a name is served here: on the TCP port, at the address from which this comes."""
    return REPLY.pack(Command.SEARCH, 8, port, 0, ANY_ADDRESS, cid, PROTOCOL_VERSION, 0, 0)
