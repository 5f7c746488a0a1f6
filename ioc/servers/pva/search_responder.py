"""Answer searches for the server, and tell clients now and then that it is here.

Nobody can keep the event loop busy with searches: they get a part of its time, and what comes on top is left in the
socket, where the system drops it. Clients ask again.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from gnomon.ioc.servers.pva.listening import ANCILLARY_BYTES, LOCAL_GROUP, Listening, asked_at
from gnomon.ioc.servers.pva.search_messages import Question, answer, beacon, handed_on, question, question_of
from gnomon.ioc.wire.pva_framing import WireError

_MAX_DATAGRAM_BYTES = 2**16
_PERIOD_S, _SHARE = 0.05, 0.2  # in each period, so much of it
_BEACON_S, _QUICK_BEACONS, _LATER_BEACON_S = 15.0, 10, 180.0
#: Answers that an injected fault may hold back; what comes on top is lost, and clients ask again.
MAX_LATE = 1000
_log = logging.getLogger(__name__)


class Searches:
    """The UDP side of a server. `delay_s` says by how much the answer about a name is late [s] to a client, by its
    address; None for a name that the client may not find here."""

    def __init__(
        self,
        sock: socket.socket,
        where: Listening,
        guid: bytes,
        port: int,
        delay_s: Callable[[str, str], float | None],
    ) -> None:
        self._sock = sock
        self._where = where
        self._ours = frozenset(host for host, _ in where.interfaces)
        self._guid = guid
        self._port = port
        self._delay_s = delay_s
        self._loop = asyncio.get_running_loop()
        self._spent_s = 0.0
        self._period_s = 0.0
        self._beacons = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._late: set[asyncio.TimerHandle] = set()
        self._loop.add_reader(sock, self._readable)
        self._beacon()

    def close(self) -> None:
        """Hear and say nothing more."""
        for timer in (*self._timers.values(), *self._late):
            timer.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def answer(self, asked: Question, address: str, send: Callable[[bytes], None]) -> None:
        """Have a client's question answered, if it is to get an answer; about some names late, by an injected fault."""
        found: dict[float, list[int]] = {}
        for identity, name in asked.names:
            if (delay_s := self._delay_of(name, address)) is not None:
                found.setdefault(delay_s, []).append(identity)
        if not found and asked.must_reply:
            found[0.0] = []
        for delay_s, ids in found.items():
            if delay_s:
                self._later(delay_s, asked, ids, send)
            else:
                send(answer(self._guid, asked, ids, self._port))

    def call_clients(self, guid: bytes) -> None:
        """Send beacons as a server does that has just started: clients search for what they miss."""
        self._guid, self._beacons = guid, 0
        self._timers["beacon"].cancel()
        self._beacon()

    def _later(self, delay_s: float, asked: Question, ids: list[int], send: Callable[[bytes], None]) -> None:
        if len(self._late) >= MAX_LATE:
            return

        def due() -> None:
            self._late.discard(timer)
            send(answer(self._guid, asked, ids, self._port))

        timer = self._loop.call_later(delay_s, due)
        self._late.add(timer)

    def _delay_of(self, name: bytes, address: str) -> float | None:
        try:
            return self._delay_s(name.decode(), address)
        except UnicodeDecodeError:
            return None

    def _readable(self) -> None:
        began = time.perf_counter()
        if began - self._period_s > _PERIOD_S:
            self._period_s, self._spent_s = began, 0.0
        try:
            datagram, ancillary, _, sender = self._sock.recvmsg(_MAX_DATAGRAM_BYTES, ANCILLARY_BYTES)
        except OSError:  # an earlier answer could not be delivered, or nothing is there
            return
        self._heard(datagram, ancillary, sender)
        self._spent_s += time.perf_counter() - began
        if self._spent_s > _SHARE * _PERIOD_S:
            self._loop.remove_reader(self._sock)
            self._timers["rest"] = self._loop.call_later(_PERIOD_S, self._listen_again)

    def _listen_again(self) -> None:
        self._loop.add_reader(self._sock, self._readable)

    def _heard(self, datagram: bytes, ancillary: Sequence[tuple[int, int, bytes]], sender: tuple[str, int]) -> None:
        if (asking := question_of(datagram)) is None:
            return
        origin, body, order = asking
        ours, destination = asked_at(ancillary)
        local = sender[0].startswith("127.") or ours.startswith("127.") or sender[0] == ours
        if origin and not (local and destination == LOCAL_GROUP):
            return  # only servers on this computer hand questions on
        try:
            asked = question(body, order)
        except WireError:
            return
        if asked.unicast and local and not origin:
            # Only one of the servers that share the port got it: it goes to all of them, ourselves included.
            with suppress(OSError):
                handed = handed_on(body, order, destination, sender[0])
                if self._sock.sendto(handed, (LOCAL_GROUP, self._sock.getsockname()[1])):
                    return
        if not (self._where.everywhere or (origin or ours) in self._ours):
            return
        if origin and not asked.host:
            return  # handed on without saying by whom it was asked
        client = (asked.host or sender[0], asked.port)
        if any(host == client[0] and port in (0, client[1]) for host, port in self._where.ignored):
            return
        self.answer(asked, asked.host if origin else sender[0], lambda reply: self._send(reply, client))

    def _send(self, reply: bytes, client: tuple[str, int]) -> None:
        with suppress(OSError, OverflowError):  # the client has gone; it will search again
            self._sock.sendto(reply, client)

    def _beacon(self) -> None:
        datagram = beacon(self._guid, self._beacons, self._port)
        for host, port in self._where.beacons:
            try:
                self._sock.sendto(datagram, (host, port or self._sock.getsockname()[1]))
            except OSError as error:  # no network now; there may be one at the next beacon
                _log.debug("no beacon to %s: %s", host, error)
        self._beacons += 1
        period = _BEACON_S if self._beacons < _QUICK_BEACONS else _LATER_BEACON_S
        self._timers["beacon"] = self._loop.call_later(period, self._beacon)
