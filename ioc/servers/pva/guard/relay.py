"""One client's connection: its bytes go through the inspector to pvxs, pvxs' bytes are followed on their way back.

Nothing is read from a side while something still waits for the other, so a client that does not read makes pvxs wait,
which then sends only newest values, and no more than one read waits here.

pvxs answers a request at once, whether or not the client reads. So a client may ask for a little, then pvxs is asked
for an echo, and the client's next messages wait until that has come back: then all answers before it have been handed
on. The same is done before a client reads that has put: after the echo it is known which puts pvxs has taken, and
reading waits until their PVs show them.
"""

import asyncio
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from functools import wraps

from gnomon.ioc.servers.pva.guard.message_inspection import Breach, Inspector
from gnomon.ioc.servers.pva.guard.server_stream import ServerStream, ServerStreamError
from gnomon.ioc.servers.pva.pending_puts import PendingPuts
from gnomon.ioc.wire.pva_framing import Command, message

_FROM_CLIENT_BYTES = 2**16
_FROM_SERVER_BYTES = 2**18
_TOKEN_BYTES = 16
_MAX_ANSWERS = 2**20  # bytes of ours that may wait for a client that does not read
_BEHIND_S = 1.0
_CONNECTION_BYTES = 4_000  # of a client that says nothing, with us and in pvxs; measured, rounded up
#: Bytes that a client may send, the answers to them included, before pvxs has answered.
_MAX_ASKED_BYTES = 2**19


def _or_end(step: Callable[["Relay"], None]) -> Callable[["Relay"], None]:
    """Have a step that fails end the connection: after it nobody knows which bytes have passed."""

    @wraps(step)
    def safe(relay: "Relay") -> None:
        try:
            step(relay)
        except Exception as error:
            relay.close(f"cannot be served: {type(error).__name__}")
            raise

    return safe


class Relay:
    """Joins a client's socket and a socket to pvxs, both non-blocking, until one of them ends.

    `ended` is called once, with the reason of a disconnection that is our doing, else with None.
    """

    _shared = memoryview(bytearray(_FROM_SERVER_BYTES))  # used within one call only

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        inspector: Inspector,
        ended: Callable[["Relay", str | None], None],
        pending_puts: PendingPuts,
        max_waiting_bytes: int = 0,
    ) -> None:
        self.inspector = inspector
        self.began_s = time.monotonic()
        self.stuck_s: float | None = None  # since when the client takes nothing that waits for it
        self._behind_s = 0.0  # since when something has waited for the client, if it does
        self._max_waiting_bytes = max_waiting_bytes  # what pvxs keeps for a client that does not read
        self.unfinished_s: float | None = None  # since when the last message of the client is not complete
        self._messages = 0
        self._client = client
        self._server = server
        self._ended: Callable[[Relay, str | None], None] | None = ended
        self._to_client = b""
        self._to_server = b""
        self._answers = b""  # of ours, until the server's present message has ended
        self._server_stream = ServerStream(inspector.created, inspector.destroyed)
        self._paused = False  # the client's messages wait for an echo
        self._hears = True  # the client is read from
        self._loop = asyncio.get_running_loop()
        self._pending_puts = pending_puts
        self._reads_later = False  # a message that reads waits for puts
        pending_puts.none_left = self._none_left
        inspector.max_asked_bytes = _MAX_ASKED_BYTES
        self._loop.add_reader(client, self._from_client)
        self._loop.add_reader(server, self._from_server)

    @property
    def waiting_bytes(self) -> int:
        """Number of bytes that wait here for the client or for pvxs."""
        return len(self._to_client) + len(self._to_server) + len(self._answers)

    @property
    def is_behind(self) -> bool:
        """True if the client has not read for a while what waits for it."""
        return bool(self._to_client) and time.monotonic() - self._behind_s > _BEHIND_S

    @property
    def held_bytes(self) -> int:
        """Approximate size of what we and pvxs keep for the client."""
        held = _CONNECTION_BYTES + self.inspector.held_bytes + self.waiting_bytes
        if self._to_client:
            return held + 2 * self._max_waiting_bytes + self.inspector.queue_bytes
        return held + self.inspector.unacknowledged_bytes(time.monotonic() - _BEHIND_S)

    def evict(self, reason: str) -> None:
        """Disconnect the client, which takes more than others; `reason` goes on from its name."""
        self.close(reason)

    def say(self, answer: bytes) -> None:
        """Put a message of ours between two of the server's.

        Answers to a client that reads none of them are left out; one that wants them asks again.
        """
        if len(self._answers) + len(self._to_client) + len(answer) > _MAX_ANSWERS:
            return
        if self._server_stream.between_messages and not self._answers:
            self._send([answer])
        else:
            self._answers += answer

    def withdraw(self, is_lost: Callable[[str], bool], *, close: bool) -> None:
        """End the channels to names that are lost: as pvxs does, which is told that the client wishes so.

        With `close`, the connection ends instead if no other channel is left.
        """
        gone = self.inspector.channels_to(is_lost)
        if not gone or self._ended is None:
            return
        if close and len(gone) == self.inspector.channels:
            self.close()
            return
        for sid, _ in gone:
            self.inspector.withdraw(sid)
        wishes = (message(Command.DESTROY_CHANNEL, struct.pack(">II", sid, cid)) for sid, cid in gone)
        self._pass_on(b"".join((self._to_server, *wishes)))

    def make_late(self, wish: bytes) -> None:
        """Pass on a client's wish for a channel that is made late."""
        if self._ended is not None and (passing := self.inspector.late_channel(wish)):
            self._pass_on(self._to_server + passing)

    def close(self, reason: str | None = None) -> None:
        """End both connections. A second call does nothing."""
        ended, self._ended = self._ended, None
        if ended is None:
            return
        for end in (self._client, self._server):
            self._loop.remove_reader(end)
            self._loop.remove_writer(end)
            end.close()
        ended(self, reason)

    @_or_end
    def _from_client(self) -> None:
        try:
            data = self._client.recv(_FROM_CLIENT_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._take(data)

    def _take(self, data: bytes) -> None:
        """Pass on what may pass of the client's bytes."""
        inspector = self.inspector
        try:
            passing = inspector.feed(data)
        except Breach as breach:
            self.close(str(breach))
            return
        if self._ended is None:  # an answer of ours found the client gone
            return
        if inspector.full or inspector.waits:
            self._paused = True
            passing.append(self._echo())
        if self._paused or inspector.between_messages:
            self.unfinished_s = None
        elif self.unfinished_s is None or inspector.messages != self._messages:
            self.unfinished_s = time.monotonic()
        self._messages = inspector.messages
        if passing:
            self._pass_on(b"".join((self._to_server, *passing)))
        self._hear()

    def _echo(self) -> bytes:
        """The question for an echo, which goes behind whole messages of the client."""
        self._server_stream.echo = token = os.urandom(_TOKEN_BYTES)
        return message(Command.ECHO, token)

    def _echoed(self) -> None:
        """Go on once everything the client has asked for is answered, and all its puts are taken."""
        self._server_stream.echoed = False
        if self.inspector.waits and self._pending_puts.count:
            self._reads_later = True
        else:
            self._go_on()

    def _none_left(self) -> None:
        if self._reads_later and not self._pending_puts.count and self._ended is not None:
            self._go_on()

    def _go_on(self) -> None:
        """Let the client ask for more."""
        self._paused = self._reads_later = False
        self.inspector.asked_bytes = 0
        if not self._pending_puts.count:
            self.inspector.puts = 0
        self._take(b"")

    def _hear(self) -> None:
        """Read from the client while nothing of it waits."""
        hears = not self._paused and not self._to_server
        if self._ended is not None and hears != self._hears:
            self._hears = hears
            if hears:
                self._loop.add_reader(self._client, self._from_client)
            else:
                self._loop.remove_reader(self._client)

    def _pass_on(self, data: bytes) -> None:
        self._to_server = b""
        sent = 0
        try:
            sent = self._server.send(data) if data else 0
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if sent < len(data):
            self._to_server = data[sent:]
            self._loop.add_writer(self._server, self._flush_to_server)

    @_or_end
    def _flush_to_server(self) -> None:
        self._loop.remove_writer(self._server)
        self._pass_on(self._to_server)
        self._hear()

    @_or_end
    def _from_server(self) -> None:
        try:
            count = self._server.recv_into(self._shared)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self.close("sent what cannot be read, or nothing for too long")
            return
        try:
            pieces, self._answers = self._server_stream.feed(self._shared[:count], self._answers)
        except ServerStreamError as lost:
            self.close(f"cannot be served any longer: {lost}")
            return
        self._send(pieces)
        if self._server_stream.echoed and self._ended is not None and not self._to_client:
            self._echoed()

    def _send(self, pieces: Sequence[bytes | memoryview]) -> None:
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._to_client:
            self._to_client += data
            return
        sent = 0
        try:
            sent = self._client.send(data) if data else 0
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if sent < len(data):
            self._to_client = bytes(data[sent:])
            self.stuck_s = self._behind_s = time.monotonic()
            self._loop.remove_reader(self._server)
            self._loop.add_writer(self._client, self._flush_to_client)

    @_or_end
    def _flush_to_client(self) -> None:
        try:
            sent = self._client.send(self._to_client)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._to_client, self.stuck_s = self._to_client[sent:], time.monotonic()
        if not self._to_client:
            self.stuck_s = None
            self._loop.remove_writer(self._client)
            self._loop.add_reader(self._server, self._from_server)
            if self._server_stream.echoed:
                self._echoed()
