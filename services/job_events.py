"""Events of one job: numbered, bounded, and waited for by any number of clients that come and go."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

__all__ = ["JobEvents", "as_text"]

#: Maximum number of events that are kept, and of bytes [bytes].
MAX_EVENTS, MAX_BYTES = 5000, 4 * 2**20
#: Time without an event after which a comment is sent, so that a lost client is noticed [s].
KEEP_ALIVE_S = 15.0


class JobEvents:
    """The events of a job, the oldest dropped when there are too many. Numbers start at 1 and have no gaps."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, str, str]] = deque()
        self._bytes = 0
        self._next = 1
        self._ended = self._closed = False
        self._news = asyncio.Event()

    def add(self, kind: str, content: dict[str, Any], *, last: bool = False) -> None:
        """Add an event; with `last` no others follow."""
        if self._ended:
            return
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
        self._kept.append((self._next, kind, text))
        self._next += 1
        self._bytes += len(text)
        while len(self._kept) > MAX_EVENTS or (self._bytes > MAX_BYTES and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft()[2])
        self._ended = last
        self._wake()

    def close(self) -> None:
        """Let everybody who follows go."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, after: int, keep_alive_s: float = KEEP_ALIVE_S) -> AsyncIterator[str]:
        """Yield all events with numbers above `after` as text, then new ones as they come, until the last one.

        When there is none for some time, a comment is yielded.
        """
        while True:
            waiting = self._news
            for number, kind, text in [event for event in self._kept if event[0] > after]:
                after = number
                yield as_text(number, kind, text)
            if self._closed or (self._ended and after >= self._next - 1):
                return
            if waiting.is_set():
                continue
            try:
                await asyncio.wait_for(waiting.wait(), keep_alive_s)
            except TimeoutError:
                yield ": no news\n\n"


def as_text(number: int, kind: str, text: str) -> str:
    """Write a server-sent event; `text` has no line breaks."""
    return f"id: {number}\nevent: {kind}\ndata: {text}\n\n"
