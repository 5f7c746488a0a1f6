"""A stand-in for the Channel Access repeater, so that clients start none that would outlive the tests."""

import socket
import struct
import threading
from contextlib import closing

__all__ = ["QuietRepeater"]


class QuietRepeater:
    """Holds a private repeater port and confirms every registration, until it is stopped.

    A client that finds the port taken starts no repeater of its own.
    """

    REGISTER, CONFIRM = 24, 17

    def __init__(self) -> None:
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="quiet-repeater", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        confirmation = struct.pack(">HHHHI4s", self.CONFIRM, 0, 0, 0, 0, socket.inet_aton("127.0.0.1"))
        while True:
            message, client = self._socket.recvfrom(2048)
            if message == b"stop":
                return
            # An empty datagram registers too: the oldest clients do so.
            if len(message) < 16 or struct.unpack_from(">H", message)[0] == self.REGISTER:
                self._socket.sendto(confirmation, client)

    def stop(self) -> None:
        """Give the port back."""
        with closing(socket.socket(type=socket.SOCK_DGRAM)) as sender:
            sender.sendto(b"stop", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()
