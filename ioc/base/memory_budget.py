"""One budget of memory for all clients together: when it is used up, the client that holds the most has to go.

Each client has limits of its own, but many clients within theirs can take all that there is. What the process has is
read from the system; who holds how much of it is an estimate, which only has to find the right one.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.memory import give_back, raise_memory_limit, resident_bytes

_log = SparingLog(logging.getLogger("gnomon.memory"))

CHECK_S = 0.1
#: After a disconnection memory comes back within this; until then nobody else has to go.
SETTLE_S = 0.2
#: While the budget is used up, freed memory is returned to the system this often, at most.
TRIM_S = 1.0
#: Memory alone ends no connection: clients must hold this part of their budget, by the estimate.
THEIR_PART = 0.5
#: What is made room for when the system refuses memory [bytes].
RELIEF_BYTES = 2**26
MIB = 2**20


class Holder(Protocol):
    """A client as the budget sees it."""

    @property
    def held_bytes(self) -> int:
        """Approximate memory that the process holds for the client."""
        ...

    @property
    def is_behind(self) -> bool:
        """Tell whether it has not read for a while what waits for it: such clients go first."""
        ...

    def evict(self, reason: str) -> None:
        """Disconnect it and say why in the log; the reason goes on from the client's name."""
        ...


@dataclass(frozen=True, slots=True)
class Eviction:
    """A client that has to go, and what it holds [bytes]."""

    holder: Holder
    held: int


def to_evict(holders: Iterable[Holder], growth: float, limit: int) -> list[Eviction]:
    """Say who has to go when the process has grown by `growth` bytes and clients may take `limit`.

    Nobody while either the growth or what clients hold is small; else those that do not read come first, then those
    that hold the most, until what they hold makes up for the excess.
    """
    if not growth > limit:
        return []
    found = [Eviction(holder, holder.held_bytes) for holder in holders]
    total = sum(one.held for one in found)
    excess = min(growth - 0.9 * limit, total - THEIR_PART * limit)
    found.sort(key=lambda one: (one.holder.is_behind, one.held), reverse=True)
    chosen: list[Eviction] = []
    for one in found:
        if excess <= 0:
            break
        chosen.append(one)
        excess -= one.held
    return chosen


class MemoryBudget:
    """Looks after the memory that clients take, in the event loop in which it is started."""

    def __init__(self, guard: GuardConfig, measure: Callable[[], float] = resident_bytes) -> None:
        self._limit = guard.max_clients_bytes
        self._measure = measure
        self._base = float("nan")
        self._sources: list[Callable[[], Iterable[Holder]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._settled_s = 0.0
        self._trimmed_s = 0.0

    def watch(self, source: Callable[[], Iterable[Holder]]) -> None:
        """Count the clients that `source` gives."""
        self._sources.append(source)

    def start(self) -> None:
        """Take what the process has now for its own, and begin. A second call does nothing."""
        if self._timer is None:
            self._base = self._measure()
            self._timer = asyncio.get_running_loop().call_later(CHECK_S, self._check)

    def stop(self) -> None:
        """Look after it no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def relieve(self) -> None:
        """The system has refused memory: make some room at once, and have the client that holds the most go."""
        raise_memory_limit(RELIEF_BYTES)
        holders = [Eviction(holder, holder.held_bytes) for source in self._sources for holder in source()]
        if holders:
            self._evict([max(holders, key=lambda one: (one.holder.is_behind, one.held))], "no memory is left")

    def _check(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(CHECK_S, self._check)
        now = time.monotonic()
        if now < self._settled_s:
            return
        growth = self._measure() - self._base
        if growth > self._limit and now >= self._trimmed_s + TRIM_S:
            # What clients had that are gone comes back to the system only when it is asked for.
            self._trimmed_s = now
            give_back()
            growth = self._measure() - self._base
        if growth > self._limit:
            holders = (holder for source in self._sources for holder in source())
            chosen = to_evict(holders, growth, self._limit)
            self._evict(chosen, f"clients and server have taken {growth / MIB:.0f} MiB")
            if not chosen:
                _log.warning(
                    "memory has grown by %.0f MiB since the start, guard.max_clients_bytes is %.0f MiB; clients hold "
                    "little of it, so that none is disconnected",
                    growth / MIB,
                    self._limit / MIB,
                )
                self._settled_s = now + TRIM_S

    def _evict(self, chosen: list[Eviction], why: str) -> None:
        for one in chosen:
            limit = f"guard.max_clients_bytes is {self._limit / MIB:.0f} MiB"
            one.holder.evict(f"holds about {one.held / MIB:.1f} MiB, the most of all, when {why}; {limit}")
        if chosen:
            self._settled_s = time.monotonic() + SETTLE_S
