"""Events of one job: numbered, bounded, and waited for by any number of clients that come and go."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from gnomon.services.event_stream import Event

#: Maximum number of events that are kept, and of bytes [bytes].
MAX_EVENTS, MAX_BYTES = 5000, 4 * 2**20


class JobEvents:
    """The events of a job, the oldest dropped when there are too many. Numbers start at 1 and have no gaps."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, int, Event]] = deque()
        self._bytes = 0
        self._next = 1
        self._ended = self._closed = False
        self._news = asyncio.Event()

    def add(self, kind: str, content: dict[str, Any], *, last: bool = False) -> None:
        """Add an event; with `last` no others follow."""
        if self._ended:
            return
        size = len(json.dumps(content, allow_nan=False))
        self._kept.append((self._next, size, Event(content, kind, str(self._next))))
        self._next += 1
        self._bytes += size
        while len(self._kept) > MAX_EVENTS or (self._bytes > MAX_BYTES and len(self._kept) > 1):
            self._bytes -= self._kept.popleft()[1]
        self._ended = last
        self._wake()

    def close(self) -> None:
        """Let everybody who follows go."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, after: int) -> AsyncIterator[Event]:
        """Yield all events with numbers above `after`, then new ones as they come, until the last one."""
        while True:
            waiting = self._news
            for number, _, event in [kept for kept in self._kept if kept[0] > after]:
                after = number
                yield event
            if self._closed or (self._ended and after >= self._next - 1):
                return
            await waiting.wait()
