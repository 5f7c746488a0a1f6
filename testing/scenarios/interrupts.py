"""Times in which Ctrl-C and SIGTERM have to wait, or come too late."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM have no effect: what has begun is brought to its end."""
    with _handlers(lambda *_: None):
        yield


@contextmanager
def deferred() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM act at the end: what is begun on the server is known by then."""
    came: list[int] = []
    with _handlers(lambda number, _: came.append(number)):
        yield
    if came:
        signal.raise_signal(came[0])


@contextmanager
def _handlers(handler: Handler) -> Iterator[None]:
    """Handle both signals in another way. They come to the main thread alone; in others nothing has to be done."""
    before: dict[signal.Signals, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, handler)
    except ValueError:
        before.clear()
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
