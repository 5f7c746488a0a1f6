"""Guard between the network and pvxs, which has no limits: count connections, join them, drop those that misbehave.

pvxs listens on a free port of this computer's loopback address; clients only ever meet the guard. pvxs then sees all
of them at 127.0.0.1; `peer` tells who is behind a port there.
"""

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.base.protocols import PutFuture
from gnomon.ioc.servers.acceptor import Acceptor
from gnomon.ioc.servers.pva.guard.message_inspection import Inspector, Limits
from gnomon.ioc.servers.pva.guard.relay import Relay
from gnomon.ioc.servers.pva.listening import Listening, limit_waiting, tcp_sockets, udp_socket
from gnomon.ioc.servers.pva.pending_puts import PendingPuts
from gnomon.ioc.servers.pva.pvxs_log import log
from gnomon.ioc.servers.pva.search_messages import question
from gnomon.ioc.servers.pva.search_responder import Searches

_REMEMBERED_S = 10.0  # pvxs may still be working on what a client sent before it went
_SETTLED_S = 0.3  # by then a channel that was asked for before a name was lost is made
_SWEEPS = 5  # looks at each connection in the shortest of the times allowed


@dataclass(frozen=True, slots=True, eq=False)
class _Peer:
    """Address of a client; kept a while after it went."""

    host: str
    pending_puts: PendingPuts


class Guard:
    """All connections and searches of one server. Everything runs in the event loop in which it was made.

    `may_read` says whether a user at an address may have the channel of a name that is served; the user is unknown
    ("") in searches. `value_bytes` says how large an update of a name is, about. `search_delay_s` and `channel_delay_s`
    say by how much the answer to a search for a name, and its channel, are late.
    """

    def __init__(
        self,
        limits: GuardConfig,
        may_read: Callable[[str, str, str], bool],
        value_bytes: Callable[[str], int] = lambda name: 0,
        search_delay_s: Callable[[str], float] = lambda name: 0.0,
        channel_delay_s: Callable[[str], float] = lambda name: 0.0,
    ) -> None:
        self._limits = limits
        self._may_read = may_read
        self._value_bytes = value_bytes
        self._search_delay_s = search_delay_s
        self._channel_delay_s = channel_delay_s
        self._guid = os.urandom(12)
        self._loop = asyncio.get_running_loop()
        self._pvxs = ("127.0.0.1", 0)
        self._listening: list[socket.socket] = []
        self._accepting: list[Acceptor] = []
        self._searches: Searches | None = None
        self._relays: set[Relay] = set()
        self._joining: set[asyncio.Task[None]] = set()
        self._of_address: Counter[str] = Counter()
        self._peers: dict[int, _Peer] = {}  # by our port on the way to pvxs
        self._timer: asyncio.TimerHandle | None = None
        self._late = 0  # channels that are made late

    def start(self, where: Listening, pvxs: tuple[str, int]) -> tuple[int, int]:
        """Listen for clients of the pvxs server at `pvxs`; the ports of TCP and UDP. Raises OSError."""
        self._pvxs = pvxs
        limit_waiting(pvxs[1], self._limits.max_waiting_bytes)
        self._listening = tcp_sockets(where)
        port = int(self._listening[0].getsockname()[1])
        try:
            heard = udp_socket(where.broadcast_port)
        except OSError:
            self.stop()
            raise
        self._searches = Searches(heard, where, self._guid, port, self._found_after_s)
        broadcast_port = int(heard.getsockname()[1])
        self._accepting = [Acceptor(sock, self._accept, log) for sock in self._listening]
        self._sweep()
        return port, broadcast_port

    def stop(self) -> None:
        """Close all."""
        if self._timer is not None:
            self._timer.cancel()
        if self._searches is not None:
            self._searches.close()
        for accepting in self._accepting:
            accepting.close()
        for sock in self._listening:
            sock.close()
        self._listening, self._accepting, self._searches, self._timer = [], [], None, None
        for task in tuple(self._joining):
            task.cancel()
        for relay in tuple(self._relays):
            relay.close()

    def disconnect(self, is_lost: Callable[[str], bool], *, close: bool) -> None:
        """End the channels to names that are lost; with `close`, connections on which no other channel is left.

        Those that are just being made end when they are there.
        """
        for relay in tuple(self._relays):
            relay.withdraw(is_lost, close=close)
        self._loop.call_later(_SETTLED_S, self._end_late, is_lost)

    def _end_late(self, is_lost: Callable[[str], bool]) -> None:
        for relay in tuple(self._relays):
            relay.withdraw(is_lost, close=False)

    def call_clients(self) -> None:
        """Let clients search for what they miss: for them this is another server, which has just started."""
        self._guid = os.urandom(12)
        if self._searches is not None:
            self._searches.call_clients(self._guid)

    @property
    def clients(self) -> int:
        """Number of connected clients."""
        return self._of_address.total()

    @property
    def relays(self) -> tuple[Relay, ...]:
        """The connections of all clients."""
        return tuple(self._relays)

    def peer(self, seen: str) -> str:
        """The IP address behind a peer as pvxs sees it ("127.0.0.1:40404"); empty when it did not come through here."""
        known = self._known(seen)
        return known.host if known else ""

    def order(self, seen: str, future: PutFuture) -> None:
        """Have what a peer reads from now on wait until a put of its own is shown. Called in pvxs' thread."""
        if (known := self._known(seen)) is not None:
            known.pending_puts.add(future)

    def _known(self, seen: str) -> "_Peer | None":
        port = seen.rpartition(":")[2]
        return self._peers.get(int(port)) if port.isdecimal() else None

    def _accept(self, client: socket.socket, host: str) -> None:
        if self.clients >= self._limits.max_connections:
            self._refuse(client, host, f"{self._limits.max_connections} clients are connected")
        elif self._of_address[host] >= self._limits.max_connections_per_address:
            self._refuse(client, host, f"{self._of_address[host]} clients of this address are connected")
        else:
            self._of_address[host] += 1
            task = self._loop.create_task(self._join(client, host), name="join")
            self._joining.add(task)
            task.add_done_callback(self._joining.discard)

    def _refuse(self, client: socket.socket, host: str, reason: str) -> None:
        client.close()
        log.warning("%s was not connected: %s", host, reason)

    async def _join(self, client: socket.socket, host: str) -> None:
        """Connect a client to pvxs."""
        server: socket.socket | None = None
        try:
            server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            for end in (client, server):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(self._limits.handshake_s):
                await self._loop.sock_connect(server, self._pvxs)
        except BaseException as error:
            for opened in filter(None, (client, server)):
                opened.close()
            self._forget(host)
            if not isinstance(error, OSError | TimeoutError):
                raise
            log.warning("%s was not connected: %s", host, str(error) or "no time")
            return
        port = int(server.getsockname()[1])
        self._peers[port] = peer = _Peer(host, PendingPuts(self._loop))
        limits = Limits(self._limits.max_message_bytes, self._limits.max_subscriptions)
        inspector = Inspector(
            limits,
            lambda name: self._may_read(name, inspector.user, host),
            lambda body, order: self._search(relay, host, body, order),
            self._value_bytes,
            self._channel_delay_s,
            lambda delay_s, wish: self._make_late(relay, delay_s, wish),
        )
        relay = Relay(
            client,
            server,
            inspector,
            lambda ended, reason: self._ended(ended, peer, port, reason),
            peer.pending_puts,
            self._limits.max_waiting_bytes,
        )
        self._relays.add(relay)

    def _search(self, relay: Relay, host: str, body: bytes, order: str) -> None:
        """Answer a search that came over a connection."""
        if self._searches is not None:
            self._searches.answer(question(body, order), host, relay.say)

    def _found_after_s(self, name: str, host: str) -> float | None:
        return self._search_delay_s(name) if self._may_read(name, "", host) else None

    def _make_late(self, relay: Relay, delay_s: float, wish: bytes) -> None:
        if self._late < self._limits.max_subscriptions:
            self._late += 1
            self._loop.call_later(delay_s, self._make, relay, wish)

    def _make(self, relay: Relay, wish: bytes) -> None:
        self._late -= 1
        relay.make_late(wish)

    def _ended(self, relay: Relay, peer: "_Peer", port: int, reason: str | None) -> None:
        self._relays.discard(relay)
        self._forget(peer.host)
        self._loop.call_later(_REMEMBERED_S, self._unlearn, port, peer)
        if reason:
            log.warning("%s was disconnected: it %s", peer.host, reason)

    def _unlearn(self, port: int, peer: "_Peer") -> None:
        if self._peers.get(port) is peer:  # and not another client's by now
            del self._peers[port]

    def _forget(self, host: str) -> None:
        self._of_address[host] -= 1
        if not self._of_address[host]:
            del self._of_address[host]

    def _sweep(self) -> None:
        """Drop clients that take too long over their handshake, over a message, or over reading what waits for them."""
        limits, now = self._limits, time.monotonic()
        for relay in tuple(self._relays):
            if relay.stuck_s is not None and now - relay.stuck_s > limits.stalled_s:
                relay.close(f"has read nothing for {limits.stalled_s:g} s")
            elif not relay.inspector.validated and now - relay.began_s > limits.handshake_s:
                relay.close(f"has not said within {limits.handshake_s:g} s who it is")
            elif relay.unfinished_s is not None and now - relay.unfinished_s > limits.handshake_s:
                relay.close(f"has not finished a message within {limits.handshake_s:g} s")
        period = min(limits.handshake_s, limits.stalled_s) / _SWEEPS
        self._timer = self._loop.call_later(period, self._sweep)
