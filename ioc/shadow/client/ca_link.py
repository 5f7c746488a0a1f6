"""A machine over Channel Access, read only: an own small client in the event loop.

A client library brings puts, a thread, process-wide settings and a repeater process; a shadow needs none of them, and
may run next to a server with other ports. See decision 26.
"""

import asyncio
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from gnomon.ioc.base.background_tasks import background_task
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.user import user_name
from gnomon.ioc.servers.address_lists import resolve
from gnomon.ioc.shadow.client import ca_messages as ca
from gnomon.ioc.shadow.link import LinkSink, Update

log = logging.getLogger("gnomon.shadow")

DEFAULT_PORT = 5064
#: Time between two looks at what is to be searched for, and at who is silent [s].
_ROUND_S = 0.05
#: A name is searched for again after this long, then twice as long, and so on up to the longest [s].
_FIRST_RETRY_S, _MAX_RETRY_S = 0.1, 10.0
#: While nothing at all answers, the machine as a whole is away: searched for at least this often [s].
_AWAY_RETRY_S = 2.0
#: A channel that its server has, but does not open, is tried again after this long [s].
_REFUSED_RETRY_S = 2.0

Address = tuple[str, int]


@dataclass(slots=True)
class _Search:
    """Times of the searches for a name: when next, and how long after that again."""

    at: float = 0.0
    pause_s: float = _FIRST_RETRY_S


class CaLink:
    """`Link` over Channel Access. `addresses` are "host" or "host:port", where servers hear searches."""

    def __init__(self, addresses: Sequence[str], timeout_s: float) -> None:
        self._addresses = tuple(addresses)
        self._timeout_s = timeout_s
        self._names: tuple[str, ...] = ()
        self._searching: dict[int, _Search] = {}
        self._circuits: dict[Address, _Circuit] = {}
        self._opening: dict[Address, asyncio.Task[None]] = {}
        self._udp: asyncio.DatagramTransport | None = None
        self._rounds: asyncio.Task[None] | None = None
        self._sparing = SparingLog(log)
        self.sink: LinkSink | None = None

    def start(self, names: Sequence[str], sink: LinkSink) -> None:
        """See `Link`."""
        self._names, self.sink = tuple(names), sink
        self._searching = {channel: _Search() for channel in range(len(names))}
        self._rounds = background_task(self._run(), "machine search", self._drop_all)

    def close(self) -> None:
        """See `Link`."""
        self.sink = None
        for task in (self._rounds, *self._opening.values()):
            if task is not None:
                task.cancel()
        self._drop_all()
        if self._udp is not None:
            self._udp.close()

    def _drop_all(self, _: str = "") -> None:
        """End all connections. Without the search nobody looks for silence, and values could become old unseen."""
        for circuit in tuple(self._circuits.values()):
            circuit.drop("")

    def name(self, channel: int) -> str:
        """The name of a channel."""
        return self._names[channel]

    def complain(self, where: Address, what: str) -> None:
        """Say in the log, sparingly, what is wrong with a server."""
        self._sparing.warning("machine at %s:%d: %s", *where, what)

    def forget(self, channels: Sequence[int], pause_s: float = 0.0) -> None:
        """Channels are gone, with their connection or one by one: search for them again after a pause."""
        if self.sink is None:
            return
        at = asyncio.get_running_loop().time() + pause_s
        for channel in channels:
            self._searching[channel] = _Search(at)
        if channels:
            self.sink.lost(channels)

    def gone(self, where: Address) -> None:
        """A connection has ended."""
        self._circuits.pop(where, None)

    def found(self, where: Address, channel: int) -> None:
        """A server at `where` has a channel: open it there."""
        if self._searching.pop(channel, None) is None:
            return
        circuit = self._circuits.get(where)
        if circuit is None:
            circuit = self._circuits[where] = _Circuit(self, where, self._timeout_s)
            for search in self._searching.values():  # a new server may have what the others had not
                search.at, search.pause_s = 0.0, _FIRST_RETRY_S
            task = asyncio.get_running_loop().create_task(self._open(circuit), name="machine connection")
            self._opening[where] = task
            task.add_done_callback(lambda _: self._opening.pop(where, None))
        circuit.add(channel)

    async def _open(self, circuit: "_Circuit") -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                await loop.create_connection(lambda: circuit, *circuit.where)
        except (OSError, TimeoutError) as error:
            circuit.drop(f"no connection: {str(error) or 'no answer'}")

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        where: list[Address] = []
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Answers(self), family=socket.AF_INET, allow_broadcast=True
        )
        while True:
            now = loop.time()
            due = [channel for channel, search in self._searching.items() if search.at <= now]
            longest_s = _MAX_RETRY_S if self._circuits else _AWAY_RETRY_S
            for channel in due:
                search = self._searching[channel]
                search.at, search.pause_s = now + search.pause_s, min(2.0 * search.pause_s, longest_s)
            if due and not where:
                where = await asyncio.to_thread(self._resolve)
            for datagram in ca.searches([(channel, self._names[channel]) for channel in due]):
                for address in where:
                    self._udp.sendto(datagram, address)
            for circuit in tuple(self._circuits.values()):
                circuit.look(now)
            await asyncio.sleep(_ROUND_S)

    def _resolve(self) -> list[Address]:
        found = [resolve(address, DEFAULT_PORT) for address in self._addresses]
        return [address for address in found if address is not None]


class _Answers(asyncio.DatagramProtocol):
    """Receiver of the answers to searches."""

    def __init__(self, link: CaLink) -> None:
        self._link = link

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Open what was found. An address in the answer counts; most servers leave it to who sends."""
        try:
            for message in ca.parse(bytearray(data)):
                if message.command == ca.SEARCH:
                    own = message.first in (0, 0xFFFFFFFF)
                    host = addr[0] if own else socket.inet_ntoa(message.first.to_bytes(4, "big"))
                    self._link.found((host, message.kind), message.second)
        except ca.ProtocolError as error:
            self._link.complain(addr, str(error))

    def error_received(self, exc: Exception) -> None:
        """Ignore the error: no server listens there yet, and the search goes on."""


class _Circuit(asyncio.Protocol):
    """One connection to one server of the machine."""

    def __init__(self, link: CaLink, where: Address, timeout_s: float) -> None:
        self.where = where
        self._link = link
        self._timeout_s = timeout_s
        self._channels: set[int] = set()
        self._waiting: set[int] = set()  # watched, without a value so far
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._minor = 0
        self._heard = asyncio.get_running_loop().time()
        self._asked = False
        self._ended = False

    def add(self, channel: int) -> None:
        """Open a channel here."""
        self._channels.add(channel)
        if self._transport is not None:
            self._transport.write(ca.create(channel, self._link.name(channel)))

    def look(self, now: float) -> None:
        """End the connection when the other side has been silent too long; ask it when half of that is over."""
        if self._transport is None:
            return
        silent_s = now - self._heard
        if silent_s > self._timeout_s:
            self.drop(f"silent for {silent_s:.1f} s")
        elif silent_s > 0.5 * self._timeout_s and not self._asked:
            self._asked = True
            self._transport.write(ca.echo())

    def drop(self, reason: str) -> None:
        """End the connection; its channels are searched for again."""
        if self._ended:
            return
        self._ended = True
        if self._transport is not None:
            self._transport.abort()
        if reason:
            self._link.complain(self.where, reason)
        self._link.gone(self.where)
        self._link.forget(sorted(self._channels))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce ourselves and open what has been found here so far."""
        assert isinstance(transport, asyncio.Transport)
        if self._ended:
            transport.abort()
            return
        self._transport = transport
        self._heard = asyncio.get_running_loop().time()
        opening = (ca.create(channel, self._link.name(channel)) for channel in sorted(self._channels))
        transport.write(ca.greeting(user_name(), socket.gethostname()) + b"".join(opening))

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side, or the network, ended it."""
        self.drop("the connection was closed" if exc is None else f"the connection was lost: {exc}")

    def data_received(self, data: bytes) -> None:
        """Work off what came, and hand on all values of it together."""
        self._heard = asyncio.get_running_loop().time()
        self._asked = False
        self._buffer += data
        updates: list[Update] = []
        try:
            for message in ca.parse(self._buffer):
                self._take(message, updates)
        except ca.ProtocolError as error:
            self.drop(str(error))
        updates = [update for update in updates if update.channel in self._channels]  # the others have gone since
        if updates and self._link.sink is not None and not self._ended:
            self._link.sink.updated(updates)

    def _take(self, message: ca.Message, updates: list[Update]) -> None:
        match message.command:
            case ca.EVENT_ADD if message.second in self._channels:
                if message.first == ca.NORMAL and message.payload:
                    channel, first = message.second, message.second in self._waiting
                    self._waiting.discard(channel)
                    updates.append(Update(channel, *ca.reading(message), first))
                elif message.first == ca.NO_READ:
                    self._wait_for_access(message.second, updates)
                else:
                    self._lose(message.second)
            case ca.CREATE_CHAN if message.first in self._channels:
                self._watch(message)
            case ca.CREATE_FAILED | ca.SERVER_DISCONNECTS if message.first in self._channels:
                self._lose(message.first)
            case ca.VERSION:
                self._minor = message.count
            case ca.ERROR:
                text = message.payload[16:].split(b"\0", 1)[0].decode("utf-8", "replace")
                self._link.complain(self.where, text or "an error without a text")
            case _:
                pass  # access rights say what could be written, which is of no use here

    def _watch(self, message: ca.Message) -> None:
        assert self._transport is not None
        self._waiting.add(message.first)
        kind = ca.TIME_STRING if message.kind == ca.STRING else ca.TIME_DOUBLE
        count = 0 if self._minor >= ca.MINOR_VERSION else message.count
        self._transport.write(ca.watch(message.first, message.second, kind, count))

    def _wait_for_access(self, channel: int, updates: list[Update]) -> None:
        """Keep a channel that we may not read: the server sends its value as soon as we may.

        To open it again and again would leave one channel after another with the server.
        """
        updates[:] = [update for update in updates if update.channel != channel]
        self._waiting.add(channel)
        if self._link.sink is not None:
            self._link.sink.lost([channel])

    def _lose(self, channel: int) -> None:
        """A channel that the server takes away, or does not open, is searched for again."""
        self._channels.discard(channel)
        self._waiting.discard(channel)
        self._link.forget([channel], _REFUSED_RETRY_S)
