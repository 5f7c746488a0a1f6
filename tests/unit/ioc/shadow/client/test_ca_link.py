"""The link over Channel Access, played message by message."""

import asyncio
import struct
from collections.abc import Sequence
from unittest.mock import Mock

from gnomon.ioc.shadow.client import ca_messages as ca
from gnomon.ioc.shadow.client.ca_link import CaLink
from gnomon.ioc.shadow.link import Update


class Sink:
    """Record of the PVs that a shadow holds for connected."""

    def __init__(self) -> None:
        self.connected: set[int] = set()

    def updated(self, updates: Sequence[Update]) -> None:
        self.connected |= {update.channel for update in updates if update.first}

    def lost(self, channels: Sequence[int]) -> None:
        self.connected -= set(channels)


def message(
    command: int, kind: int = 0, count: int = 0, first: int = 0, second: int = 0, payload: bytes = b""
) -> bytes:
    return struct.pack(">HHHHII", command, len(payload), kind, count, first, second) + payload


async def test_a_channel_that_goes_at_once_after_its_value_is_not_connected() -> None:
    link, sink = CaLink(("127.0.0.1:1",), 2.0), Sink()
    link.start(("A", "B"), sink)
    try:
        where = ("127.0.0.1", 2)
        link.found(where, 0)
        link.found(where, 1)
        circuit = link._circuits[where]
        circuit.connection_made(Mock(spec=asyncio.Transport))
        value = struct.pack(">HHIIxxxxd", 0, 0, 1, 0, 1.5)
        for channel in (0, 1):
            circuit.data_received(message(ca.CREATE_CHAN, 6, 1, channel, 10 + channel))
        events = [message(ca.EVENT_ADD, ca.TIME_DOUBLE, 1, ca.NORMAL, channel, value) for channel in (0, 1)]
        circuit.data_received(b"".join(events) + message(ca.SERVER_DISCONNECTS, first=0))
        assert sink.connected == {1}
    finally:
        link.close()


async def test_a_channel_that_may_not_be_read_is_kept_and_connected_again_with_its_next_value() -> None:
    link, sink = CaLink(("127.0.0.1:1",), 2.0), Sink()
    link.start(("A", "B"), sink)
    try:
        where = ("127.0.0.1", 2)
        link.found(where, 0)
        circuit = link._circuits[where]
        transport = Mock(spec=asyncio.Transport)
        circuit.connection_made(transport)
        circuit.data_received(message(ca.CREATE_CHAN, 6, 1, 0, 10))
        value = message(ca.EVENT_ADD, ca.TIME_DOUBLE, 1, ca.NORMAL, 0, struct.pack(">HHIIxxxxd", 0, 0, 1, 0, 1.5))
        denied = message(ca.EVENT_ADD, ca.TIME_DOUBLE, 0, ca.NO_READ, 0, bytes(8))
        circuit.data_received(value + denied)
        assert sink.connected == set()
        asked = len(transport.write.mock_calls)
        circuit.data_received(denied + value)
        assert sink.connected == {0}
        assert len(transport.write.mock_calls) == asked
    finally:
        link.close()
