"""The newest values of many PVs, taken when somebody looks: a display costs the same however fast a server publishes.

Between two looks a subscription keeps a few values in the EPICS library; no Python runs for them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Any, Protocol

from gnomon.clients.errors import ClientError
from gnomon.clients.reading import Reading

__all__ = ["SampledValues"]

#: Values that wait in one subscription are taken up to here at one look, so that a look always ends.
MAX_WAITING = 16


class Sampler(Protocol):
    """Subscriptions of one protocol whose news are asked for; see `PvaSampler`."""

    def add(self, name: str) -> Callable[[], None]:
        """Subscribe to a PV by its full name; returns a function that ends it."""
        ...

    def take(self) -> Iterator[tuple[str, Reading | None]]:
        """Yield the newest reading of each PV that has news; None for one that is disconnected."""
        ...


class PvaSampler:
    """Subscriptions over PV Access: an event only marks the PV, its value is decoded at the next look."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._lock = Lock()
        self._marked: set[str] = set()
        self._handles: dict[str, Any] = {}

    def add(self, name: str) -> Callable[[], None]:
        """Subscribe to a PV; returns a function that ends it."""
        from p4p.client import raw

        self._handles[name] = raw.Context.monitor(self._context, name, partial(self._mark, name))
        self._mark(name)
        return partial(self._end, name)

    def take(self) -> Iterator[tuple[str, Reading | None]]:
        """Yield the newest reading of each PV that has news; None for one that is disconnected."""
        from p4p.client.thread import Disconnected

        from gnomon.clients.pv_values import reading_of

        with self._lock:
            marked, self._marked = self._marked, set()
        for name in marked:
            handle = self._handles.get(name)
            newest = None
            for _ in range(MAX_WAITING):
                value = None if handle is None else handle.pop()
                if value is None:
                    break
                newest = value
            else:
                self._mark(name)
            if isinstance(newest, Disconnected):
                yield name, None
            elif newest is not None and not isinstance(newest, Exception):
                yield name, reading_of(name, newest)

    def _mark(self, name: str) -> None:
        with self._lock:
            self._marked.add(name)

    def _end(self, name: str) -> None:
        handle = self._handles.pop(name, None)
        if handle is not None:
            handle.close()


class CallbackSampler:
    """Subscriptions of a protocol that calls back with each value: the newest one is kept."""

    def __init__(self, monitor: Callable[[str, Callable[[Reading | None], None]], Callable[[], None]]) -> None:
        self._monitor = monitor
        self._lock = Lock()
        self._newest: dict[str, Reading | None] = {}

    def add(self, name: str) -> Callable[[], None]:
        """Subscribe to a PV; returns a function that ends it."""
        return self._monitor(name, partial(self._keep, name))

    def take(self) -> Iterator[tuple[str, Reading | None]]:
        """Yield the newest reading of each PV that has news; None for one that is disconnected."""
        with self._lock:
            newest, self._newest = self._newest, {}
        yield from newest.items()

    def _keep(self, name: str, reading: Reading | None) -> None:
        with self._lock:
            self._newest[name] = reading


class SampledValues:
    """The newest readings of a changing set of PVs by full name. One thread at a time may use it."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._ends: dict[str, Callable[[], None]] = {}

    def follow(self, names: Mapping[str, Any] | set[str]) -> None:
        """Subscribe to these PVs by full name, and to no others."""
        for name in [name for name in self._ends if name not in names]:
            with suppress(ClientError):
                self._ends.pop(name)()
        for name in names:
            if name not in self._ends:
                self._ends[name] = self._sampler.add(name)

    def take(self) -> dict[str, Reading | None]:
        """Return the newest reading of each PV that has news since the last look; None for one that is disconnected."""
        return {name: reading for name, reading in self._sampler.take() if name in self._ends}

    def close(self) -> None:
        """End all subscriptions."""
        self.follow(set())
