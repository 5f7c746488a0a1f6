"""Count the puts of one client that their PVs do not show yet, across the threads of pvxs and of the event loop."""

import asyncio
from collections.abc import Callable
from threading import Lock

from gnomon.ioc.base.protocols import PutFuture


class PendingPuts:
    """The puts of one connection between pvxs' handler and `:set`; `none_left` is called in the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.none_left: Callable[[], None] | None = None
        self._loop = loop
        self._lock = Lock()
        self._count = 0

    @property
    def count(self) -> int:
        """Number of them."""
        return self._count

    def add(self, future: PutFuture) -> None:
        """Count a put until it is shown. Called in pvxs' thread, before pvxs takes the client's next message."""
        with self._lock:
            self._count += 1
        future.when_shown(self._shown)

    def _shown(self) -> None:
        with self._lock:
            self._count -= 1
            none = not self._count
        if none and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self.none_left is not None:
            self.none_left()
