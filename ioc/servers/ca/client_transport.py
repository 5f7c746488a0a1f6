"""The transport of one client, bounded in what it may send at once, leave unread, and not say."""

import asyncio
import logging
import socket
import time
from abc import ABC, abstractmethod
from typing import Any

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.servers.connection_limits import Admission
from gnomon.ioc.wire.ca_framing import Command, InvalidMessageError, Message, Stream, pack

log = SparingLog(logging.getLogger("gnomon.ca"))

#: What clients may say.
REQUESTS = frozenset(Command) - {
    Command.ERROR, Command.ACCESS_RIGHTS, Command.CREATE_CH_FAIL, Command.SERVER_DISCONN,
}  # fmt: skip
#: Longest time that one client's messages are worked off before others have their turn [s].
TURN_S = 0.005
#: A client that has not read for so long is behind [s].
BEHIND_S = 1.0
#: What a connection takes that does nothing, about [bytes].
CONNECTION_BYTES = 8000
#: Answers are collected up to this before they are handed to the system [bytes].
BATCH = 32 * 1024


class Connection(asyncio.Protocol, ABC):
    """Take messages in order and send answers in batches; a client that does not read its answers is not heard."""

    def __init__(self, guard: GuardConfig, admission: Admission) -> None:
        self.guard = guard
        self._admission = admission
        self._stream = Stream(REQUESTS, guard.max_message_bytes)
        self._transport: Any = None
        self._kept: Message | None = None  # the next one, which has to wait for what came before it
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._busy = False  # working off messages: answers are collected
        self._scheduled = False  # the rest of what has arrived waits for its turn
        self._full = False  # the client has not read what it was sent
        self._requests_first = False  # before updates, when the client has read
        self._handshake: asyncio.TimerHandle | None = None
        self._unread, self._read_at = 0, 0.0
        self._behind_since = 0.0  # if it has not read what it was sent
        self._incomplete_since: float | None = None
        self.address = ""
        self.peer = ""
        self.admitted = False

    @property
    def ready(self) -> bool:
        """True while the client keeps up."""
        return not self._full

    @property
    def held(self) -> bool:
        """True while the client's next messages have to wait."""
        return self._full

    @property
    def is_behind(self) -> bool:
        """True if the client has not read for a while what it was sent."""
        return self._full and time.monotonic() - self._behind_since > BEHIND_S

    @property
    def held_bytes(self) -> int:
        """Approximate size of what the server keeps for the client."""
        return int(self._transport.get_write_buffer_size()) + self._out_bytes + len(self._stream) + CONNECTION_BYTES

    def evict(self, reason: str) -> None:
        """Disconnect the client, which takes more than others; `reason` goes on from its name."""
        self.drop(reason)

    def connection_made(self, transport: Any) -> None:
        """See `asyncio.Protocol`."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if peer else ""
        self.peer = f"{self.address}:{peer[1]}" if peer else ""
        if refusal := self._admission.enter(self.address):
            log.warning("Channel Access: a connection was refused: %s", refusal)
            transport.abort()
            return
        self.admitted = True
        sock = transport.get_extra_info("socket")
        # Without it, an answer that follows an update waits 40 ms for the client's acknowledgement of the first.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        transport.set_write_buffer_limits(self.guard.max_waiting_bytes, self.guard.max_waiting_bytes // 8)
        loop = asyncio.get_running_loop()
        self._handshake = loop.call_later(self.guard.handshake_s, self.drop, "said nothing")
        self.opened()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._handshake is not None:
            self._handshake.cancel()
        if self.admitted:
            self.admitted = False
            self._admission.leave(self.address)
            self.closed()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._stream.feed(data)
        if not self._scheduled:
            self._work()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`; the client is behind."""
        self._full = True
        self._unread, self._read_at = self._transport.get_write_buffer_size(), time.monotonic()
        self._behind_since = self._read_at
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`; the client has caught up.

        What it has asked for and what it has missed take turns: either can be more than it reads at a time.
        """
        self._full = False
        self._requests_first = not self._requests_first
        if self._requests_first and not self._scheduled:
            self._work()
            # Once what has arrived meanwhile has been read: a timer's turn comes after that of sockets.
            asyncio.get_running_loop().call_later(0.0, self._catch_up)
        else:
            self._catch_up()

    def go_on(self) -> None:
        """Work off what has had to wait, once nothing holds it."""
        if not self._scheduled and not self.held and not self._transport.is_closing():
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next_turn)

    def write(self, data: bytes) -> None:
        """Send; nothing when the client has gone."""
        self._out.append(data)
        self._out_bytes += len(data)
        if not self._busy or self._out_bytes > BATCH:
            self._flush()

    def send(self, command: int, data_type: int, count: int, first: int, second: int, payload: bytes = b"") -> None:
        """Send one message."""
        self.write(pack(command, data_type, count, first, second, payload))

    def drop(self, reason: str) -> None:
        """End the connection, with one line in the log."""
        if not self._transport.is_closing():
            log.warning("Channel Access: client %s %s; disconnected", self.describe(), reason)
            self._out.clear()
            self._transport.abort()

    def end(self) -> None:
        """End the connection without a word."""
        self._transport.abort()

    def check(self, now: float) -> None:
        """Drop a client that does not move. Called once in a while; `now` is of the monotonic clock [s]."""
        limit = self.guard.stalled_s
        if self._full:
            unread = self._transport.get_write_buffer_size()
            if unread != self._unread:
                self._unread, self._read_at = unread, now
            elif now - self._read_at > limit:
                self.drop(f"has read nothing for {limit:g} s while {unread} bytes wait")
        elif self._incomplete_since is not None and now - self._incomplete_since > limit:
            self.drop(f"has not ended a message that it began {limit:g} s ago")

    def describe(self) -> str:
        """The client for a line of the log."""
        return self.address

    def opened(self) -> None:
        """The client may speak."""

    def closed(self) -> None:
        """The client has gone."""

    def caught_up(self) -> None:
        """The client has read what it was sent."""

    @abstractmethod
    def take(self, message: Message) -> None:
        """Do what a message asks for. Raises InvalidMessageError."""

    def has_to_wait(self, message: Message) -> bool:
        """Tell whether a message may not be taken yet; `held` is then true until it may."""
        return False

    def _next(self) -> Message | None:
        kept, self._kept = self._kept, None
        return kept if kept is not None else self._stream.take()

    def _catch_up(self) -> None:
        if not self._full and not self._transport.is_closing():
            self.caught_up()
            self.go_on()

    def _next_turn(self) -> None:
        self._scheduled = False
        self._work()

    def _work(self) -> None:
        """Work off messages until there are none, the client has to wait, or others have to have their turn."""
        if self._transport.is_closing():
            return
        end = time.monotonic() + TURN_S
        self._busy = True
        more = taken = False
        try:
            while not self.held and (message := self._next()) is not None:
                if self.has_to_wait(message):
                    self._kept = message
                    break
                if self._handshake is not None:
                    self._handshake.cancel()
                    self._handshake = None
                self.take(message)
                taken = True
                if time.monotonic() > end:
                    more = True
                    break
        except InvalidMessageError as error:
            self.drop(str(error))
        except MemoryError:  # what it asked for is lost: it has to start again
            self.drop("asked for more memory than there is")
        finally:
            self._busy = False
            self._flush()
        if self._transport.is_closing():
            return
        if more:
            self._transport.pause_reading()
            self.go_on()
        elif self.held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
        waits = len(self._stream) > 0 and not more and not self.held
        if not waits:
            self._incomplete_since = None
        elif taken or self._incomplete_since is None:
            self._incomplete_since = time.monotonic()

    def _flush(self) -> None:
        if self._out:
            data = b"".join(self._out) if len(self._out) > 1 else self._out[0]
            self._out.clear()
            self._out_bytes = 0
            if not self._transport.is_closing():
                self._transport.write(data)
