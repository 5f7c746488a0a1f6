"""Subscriptions over PV Access, delivered in one thread.

p4p's own thread client (4.3) loses an event that comes before it knows the subscription, or after it was closed, with a
traceback on standard error; a subscription whose first event is lost says nothing until much later. Here an event only
asks for a look, and there is one more look when the subscription is known.
"""

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from p4p.client import raw

_log = logging.getLogger("gnomon.clients")


class _Subscription:
    def __init__(self, callback: Callable[[Any], None]) -> None:
        self.callback = callback
        self.handle: Any = None
        self._closed = False
        self._lock = Lock()

    def pop(self) -> Any:
        """Take the next value or error; None if there is none, or not yet, or no longer."""
        with self._lock:
            return None if self._closed or self.handle is None else self.handle.pop()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            handle, self.handle = self.handle, None
        if handle is not None:
            handle.close()


class Subscriptions:
    """All subscriptions of a p4p context."""

    def __init__(self, context: raw.Context) -> None:
        self._context = context
        self._to_look_at: SimpleQueue[_Subscription | None] = SimpleQueue()
        self._thread: Thread | None = None
        # p4p ends a subscription that nobody holds, and ours would be held by nothing but themselves.
        self._held: set[_Subscription] = set()

    def add(self, name: str, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Have `callback` called with each `p4p.Value` of a PV, and with errors; returns a function that ends it."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="subscriptions", daemon=True)
            self._thread.start()
        subscription = _Subscription(callback)

        def look() -> None:
            self._to_look_at.put(subscription)

        subscription.handle = raw.Context.monitor(self._context, name, look)
        self._held.add(subscription)
        look()

        def end() -> None:
            subscription.close()
            self._held.discard(subscription)

        return end

    def stop(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._to_look_at.put(None)
            self._thread.join()
            self._thread = None
        self._held.clear()

    def _run(self) -> None:
        while (subscription := self._to_look_at.get()) is not None:
            while (value := subscription.pop()) is not None:
                try:
                    subscription.callback(value)
                except Exception:  # noqa: BLE001 (what one callback raises must not end the others)
                    _log.exception("a callback of a subscription failed")
