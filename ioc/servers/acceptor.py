"""Accept connections on a listening socket, few at a time and quietly when the system has no more to give."""

import asyncio
import socket
from collections.abc import Callable

from gnomon.ioc.base.log_limits import SparingLog

_AT_ONCE = 4  # so that a storm of them leaves time for others
_RETRY_S = 0.1  # those that have gone meanwhile are worked off, too


class Acceptor:
    """Listener that hands each connection, and the address it comes from, to `take`. All in the present event loop.

    The loop's own way of accepting reports one failure a thousand times a second when no file descriptor is left.
    """

    def __init__(self, listening: socket.socket, take: Callable[[socket.socket, str], None], log: SparingLog) -> None:
        self._listening = listening
        self._take = take
        self._log = log
        self._retry: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        listening.setblocking(False)
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Accept no more, and close the listening socket."""
        if self._retry is not None:
            self._retry.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                client, address = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptor is left: those that wait are taken later
                port = self._listening.getsockname()[1]
                self._log.warning("no connection can be accepted on port %d: %s", port, error.strerror)
                self._loop.remove_reader(self._listening)
                self._retry = self._loop.call_later(_RETRY_S, self._accept_again)
                return
            self._take(client, str(address[0]).partition("%")[0])

    def _accept_again(self) -> None:
        self._loop.add_reader(self._listening, self._accept)
