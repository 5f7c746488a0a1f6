"""A downstream in memory that can be away, slow, forgetful, and refuse; it keeps what it was given, in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from gnomon.services.forward.downstream import DeliveryError, Parcel, RefusedItemError
from gnomon.services.forward.forward_messages import Kind

ALL: frozenset[Kind] = frozenset({"commands", "outcomes", "faults", "results"})


class FakeDownstream:
    """`keys` has the idempotency key of each parcel that came, `parcels` those of which the sender was told.

    `away`: nobody answers. `forgets`: after so many parcels the connection breaks before they are acknowledged.
    """

    def __init__(
        self, name: str = "fake", kinds: frozenset[Kind] = ALL, *, from_oldest: bool = True, batch: int = 3
    ) -> None:
        self.name, self.kinds, self.from_oldest, self.batch = name, kinds, from_oldest, batch
        self.keys: list[str] = []
        self.parcels: list[Parcel] = []
        self.away = False
        self.forgets: Callable[[], bool] = lambda: False
        self.refuses: Callable[[Parcel], bool] = lambda parcel: False
        self.sessions = 0
        self.prefixes: list[str] = []
        self._broken = asyncio.Event()

    @asynccontextmanager
    async def session(self, prefix: str, journal: str) -> "AsyncIterator[FakeDownstream]":
        if self.away:
            raise DeliveryError("away")
        self._broken.clear()
        self.sessions += 1
        self.prefixes.append(prefix)
        yield self

    def go_away(self) -> None:
        self.away = True
        self._broken.set()

    async def deliver(self, parcels: Sequence[Parcel]) -> None:
        for number, parcel in enumerate(parcels):
            await asyncio.sleep(0)
            if self.away:
                raise DeliveryError("went away", number)
            if self.refuses(parcel):
                raise RefusedItemError(f"{parcel.key} is refused", number)
            self.keys.append(parcel.key)
            if self.forgets():
                raise DeliveryError("the answer was lost", number)
            self.parcels.append(parcel)

    async def lost(self) -> None:
        await self._broken.wait()
        raise DeliveryError("the connection broke")

    @property
    def first_seen(self) -> list[str]:
        """The keys in the order in which each came first."""
        return list(dict.fromkeys(self.keys))
