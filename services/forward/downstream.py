"""Downstreams as the forwarding process needs them: sessions, to which items are given in order."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gnomon.lattice import GnomonError
from gnomon.recorder.journal_feed import JournalItem
from gnomon.services.forward.cursor_file import ResultPlace
from gnomon.services.forward.forward_messages import Kind, Message

if TYPE_CHECKING:
    from gnomon.procedures.documents import Run

__all__ = ["DeliveryError", "Downstream", "Parcel", "RefusedItemError", "Session"]


class DeliveryError(GnomonError):
    """A downstream that is away, or did not acknowledge; `acknowledged` is the number of parcels that it did."""

    def __init__(self, reason: str, acknowledged: int = 0) -> None:
        super().__init__(reason)
        self.acknowledged = acknowledged


class RefusedItemError(DeliveryError):
    """A downstream that is there and refuses an item: trying again will not help before somebody changes something."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """An item on its way: of the journal, or a result, whose file `path` lies at `place` among all."""

    kind: Kind
    message: Message = field(repr=False)
    item: JournalItem | None = None
    run: "Run | None" = None
    path: Path | None = None
    place: ResultPlace | None = None

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.message.key

    def encode(self) -> bytes:
        """Return the message as JSON."""
        return self.message.model_dump_json(by_alias=True).encode()


class Session(Protocol):
    """A connection to a downstream."""

    async def deliver(self, parcels: Sequence[Parcel]) -> None:
        """Return when all parcels are acknowledged. Raises DeliveryError."""
        ...

    async def lost(self) -> None:
        """Wait until the connection is lost. Raises DeliveryError then; without a lasting connection, wait for ever."""
        ...


class Downstream(Protocol):
    """A place to which items go. `kinds` are those that it takes; at most `batch` are given to it at once.

    With `from_oldest`, a new one gets all that there is; else, what comes from then on.
    """

    name: str
    kinds: frozenset[Kind]
    batch: int
    from_oldest: bool

    def session(self, prefix: str, journal: str) -> AbstractAsyncContextManager[Session]:
        """Connect, for as long as the context lasts; `prefix` is that of the server, `journal` the journal's identity.

        Raises DeliveryError.
        """
        ...
