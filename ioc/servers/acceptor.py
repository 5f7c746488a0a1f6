"""Accept connections on a listening socket, few at a time and quietly when the system has no more to give."""

import asyncio
import os
import select
import socket
from collections.abc import Callable
from contextlib import ExitStack

from gnomon.ioc.base.log_limits import SparingLog

_AT_ONCE = 4  # so that a storm of them leaves time for others
_RETRY_S = 0.1
# Descriptors that stay free. A connection that is taken may need two more; without them it would be closed at once,
# and many clients come back late from that. Nor do clients get the last one, which a file may need.
_SPARE_DESCRIPTORS = 2 * _AT_ONCE
_HUNG_UP = getattr(select, "POLLRDHUP", 0)  # Linux


class Acceptor:
    """Listener that hands each connection, and the address it comes from, to `take`. All in the present event loop.

    The loop's own way of accepting reports one failure a thousand times a second when no file descriptor is left.
    Connections wait then, and those that have gone meanwhile are not handed over.
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
                _check_spare(self._listening)
                client, address = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # too few descriptors are left: those that wait are taken later
                port = self._listening.getsockname()[1]
                self._log.warning("no connection can be accepted on port %d: %s", port, error.strerror)
                self._loop.remove_reader(self._listening)
                self._retry = self._loop.call_later(_RETRY_S, self._accept_again)
                return
            if _has_gone(client):
                client.close()
            else:
                self._take(client, str(address[0]).partition("%")[0])

    def _accept_again(self) -> None:
        self._loop.add_reader(self._listening, self._accept)


def _check_spare(listening: socket.socket) -> None:
    """Raise OSError unless enough descriptors are left."""
    with ExitStack() as stack:
        for _ in range(1 + _SPARE_DESCRIPTORS):
            stack.callback(os.close, os.dup(listening.fileno()))


def _has_gone(client: socket.socket) -> bool:
    """True if the other end has hung up already. No client of Channel Access or PV Access reads on after that."""
    if not _HUNG_UP:
        return False
    poll = select.poll()
    poll.register(client, _HUNG_UP)
    return bool(poll.poll(0))
