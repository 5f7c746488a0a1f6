"""Keep pvxs' thread at the door while a batch is posted, which makes the batch several times faster.

Each post wakes that thread, and two threads that take turns at one lock, hundreds of times, mostly wait for each
other. So before a batch the server sends itself a tiny remote procedure call; pvxs' thread takes it up and waits for
the lock that the poster holds; meanwhile posts only queue up; when the batch is posted, all leave together. Nothing
but speed depends on it: without a connection, or with a late one, posts go out as ever.

Source: "pvAccess Protocol Specification", connection validation (1), create channel (7), RPC (20).
"""

import logging
import socket
import struct
import time
import uuid
from contextlib import suppress
from threading import Event, Lock
from typing import Any

_MAGIC = 0xCA
_VERSION = 2
_CONTROL = 0x01
_BIG_ENDIAN = 0x80
_VALIDATION, _CREATE_CHANNEL, _VALIDATED, _RPC = 1, 7, 9, 20
_INIT = 0x08
_EMPTY_STRUCTURE = bytes([0x80, 0, 0])
_NO_VALUE = bytes([0xFF])
_HANDSHAKE_S = 0.05
_RETRY_S = 10.0
_PATIENCE_S = 0.002
_IDLE_S = 15.0

_log = logging.getLogger(__name__)


class Doorbell:
    """A connection of the server to itself, with one channel whose remote procedure waits for `lock`."""

    def __init__(self, lock: Lock) -> None:
        self.name = f"gnomon-doorbell-{uuid.uuid4()}"
        self._lock = lock
        self._arrived = Event()
        self._socket: socket.socket | None = None
        self._unread = b""
        self._waiting = False
        self._sid = 0
        self._address = ("127.0.0.1", 0)
        self._retry_at = 0.0
        self._used_at = 0.0

    def rpc(self, pv: Any, operation: Any) -> None:
        """Wait, in pvxs' thread, until the batch is posted."""
        self._arrived.set()
        with self._lock:
            pass
        operation.done()

    def put(self, pv: Any, operation: Any) -> None:
        """Refuse the put: the channel has no value to write."""
        operation.done(error=f"{self.name} cannot be written.")

    def set_address(self, host: str, port: int) -> None:
        """Set the address on which the server listens."""
        self._address = (host, port)

    def ready(self) -> bool:
        """Tell whether the bell can be rung; connect when there is no connection. Call it without the lock."""
        try:
            if self._socket is None and time.monotonic() >= self._retry_at:
                self._connect()
            return self._socket is not None and self._answered(self._socket)
        except (OSError, struct.error) as error:
            _log.debug("no connection to our own PV Access server, posts are slower: %s", error)
            self.close()
            self._retry_at = time.monotonic() + _RETRY_S
            return False

    def wake(self) -> None:
        """Wake pvxs' thread and wait a moment until it waits for the lock. Call it with the lock."""
        if self._socket is None:
            return
        self._arrived.clear()
        try:
            self._socket.send(_message(_RPC, struct.pack(">IIB", self._sid, 1, 0) + _EMPTY_STRUCTURE))
        except OSError:  # the server hung up just now: without the bell this time, a new connection the next
            self.close()
            return
        self._waiting, self._used_at = True, time.monotonic()
        self._arrived.wait(_PATIENCE_S)

    def close_if_idle(self) -> None:
        """Close a connection that was idle for a while, before the server does so with a warning. Call it regularly."""
        if self._socket is not None and time.monotonic() - self._used_at > _IDLE_S:
            self.close()

    def close(self) -> None:
        """Hang up as a polite client does: all answers read, so that the server sees an end and not a reset."""
        connection, self._socket = self._socket, None
        self._waiting, self._unread = False, b""
        if connection is not None:
            with connection, suppress(OSError):  # already gone, or late: the connection is given up all the same
                connection.settimeout(_HANDSHAKE_S)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass

    def _connect(self) -> None:
        """Shake hands; a millisecond, as a rule, and `_HANDSHAKE_S` a step at most."""
        self._socket = connection = socket.create_connection(self._address, timeout=_HANDSHAKE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._await(connection, _VALIDATION)
        login = struct.pack(">IHH", 0x10000, 0x7FFF, 0) + _string("anonymous") + _NO_VALUE
        connection.sendall(_message(_VALIDATION, login))
        self._await(connection, _VALIDATED)
        connection.sendall(_message(_CREATE_CHANNEL, struct.pack(">HI", 1, 1) + _string(self.name)))
        order, body = self._await(connection, _CREATE_CHANNEL)
        (self._sid,) = struct.unpack_from(order + "4xI", body)
        connection.sendall(_message(_RPC, struct.pack(">IIB", self._sid, 1, _INIT) + _EMPTY_STRUCTURE))
        self._await(connection, _RPC)
        connection.setblocking(False)
        self._used_at = time.monotonic()

    def _answered(self, connection: socket.socket) -> bool:
        """Tell whether the last call has been answered; reconnect after the server hung up an idle connection."""
        try:
            while data := connection.recv(4096):
                self._unread += data
        except BlockingIOError:
            while (message := self._next()) is not None:
                self._waiting &= message[0] != _RPC
            return not self._waiting
        self.close()
        self._connect()
        return True

    def _await(self, connection: socket.socket, command: int) -> tuple[str, bytes]:
        while True:
            while (message := self._next()) is not None:
                if message[0] == command:
                    return message[1], message[2]
            if not (data := connection.recv(4096)):
                raise ConnectionError("the server hung up")
            self._unread += data

    def _next(self) -> tuple[int, str, bytes] | None:
        """The next application message: command, byte order, body."""
        while len(self._unread) >= 8:
            flags, command = self._unread[2], self._unread[3]
            order = ">" if flags & _BIG_ENDIAN else "<"
            length = 0 if flags & _CONTROL else struct.unpack_from(order + "I", self._unread, 4)[0]
            if len(self._unread) < 8 + length:
                return None
            body, self._unread = self._unread[8 : 8 + length], self._unread[8 + length :]
            if not flags & _CONTROL:
                return command, order, body
        return None


def _message(command: int, body: bytes) -> bytes:
    return struct.pack(">BBBBI", _MAGIC, _VERSION, _BIG_ENDIAN, command, len(body)) + body


def _string(text: str) -> bytes:
    return struct.pack(">B", len(text)) + text.encode()
