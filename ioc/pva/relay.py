"""One client's connection: its bytes go through the inspector to pvxs, pvxs' bytes go back as they come.

Nothing is read from a side while something still waits for the other, so a client that does not read makes pvxs wait,
which then sends only newest values, and no more than one read waits here.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable

from gnomon.ioc.pva.inspection import Breach, Inspector
from gnomon.ioc.pva.wire import HEADER_BYTES, Command, message

_FROM_CLIENT_BYTES = 2**16
_FROM_SERVER_BYTES = 2**18
_TOKEN_BYTES = 16
_MOST_ANSWERS = 2**20  # bytes of ours that may wait for a client that does not read


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
    ) -> None:
        self.inspector = inspector
        self.began_s = time.monotonic()
        self.stuck_s: float | None = None  # since when the client takes nothing that waits for it
        self.unfinished_s: float | None = None  # since when the last message of the client is not complete
        self._messages = 0
        self._client = client
        self._server = server
        self._ended: Callable[[Relay, str | None], None] | None = ended
        self._to_client = b""
        self._to_server = b""
        self._answers: list[bytes] = []
        self._answer_bytes = 0
        self._token = b""
        self._held = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(client, self._from_client)
        self._loop.add_reader(server, self._from_server)

    def say(self, answer: bytes) -> None:
        """Put a message of ours between two of the server's.

        Where one ends is not known, since its bytes are not looked at. So the server is asked for an echo of a random
        token: that is a message of its own, and ours takes its place. Answers to a client that reads none of them are
        left out; one that wants them asks again.
        """
        if self._answer_bytes + len(answer) > _MOST_ANSWERS:
            return
        self._answers.append(answer)
        self._answer_bytes += len(answer)
        if not self._token:
            self._token = os.urandom(_TOKEN_BYTES)
            self._to_server += message(Command.ECHO, self._token)

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
        try:
            passing = self.inspector.feed(data)
        except Breach as breach:
            self.close(str(breach))
            return
        if self.inspector.between_messages:
            self.unfinished_s = None
        elif self.unfinished_s is None or self.inspector.messages != self._messages:
            self.unfinished_s = time.monotonic()
        self._messages = self.inspector.messages
        self._pass_on(b"".join((self._to_server, *passing)))

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
            self._loop.remove_reader(self._client)
            self._loop.add_writer(self._server, self._flush_to_server)

    def _flush_to_server(self) -> None:
        self._loop.remove_writer(self._server)
        self._loop.add_reader(self._client, self._from_client)
        self._pass_on(self._to_server)

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
        data: memoryview | bytes = self._shared[:count]
        if self._token:
            data = self._with_answers(bytes(data))
        self._send(data)

    def _with_answers(self, data: bytes) -> bytes:
        data = self._held + data
        place = data.find(self._token)
        if place < 0:
            kept = len(data) - (HEADER_BYTES + _TOKEN_BYTES - 1)
            data, self._held = data[: max(kept, 0)], data[max(kept, 0) :]
            return data
        ours, self._answers, self._token, self._held = b"".join(self._answers), [], b"", b""
        self._answer_bytes = 0
        return data[: place - HEADER_BYTES] + ours + data[place + _TOKEN_BYTES :]

    def _send(self, data: memoryview | bytes) -> None:
        sent = 0
        try:
            sent = self._client.send(data)
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if sent < len(data):
            self._to_client = bytes(data[sent:])
            self.stuck_s = time.monotonic()
            self._loop.remove_reader(self._server)
            self._loop.add_writer(self._client, self._flush_to_client)

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
