"""Store of machine structure: named JSON documents with revisions, behind one interface for every database.

The store knows nothing of what a document means: callers validate before they put and after they get.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from gnomon.lattice import GnomonError

__all__ = [
    "NEW",
    "AwayError",
    "ConflictError",
    "DamagedError",
    "Document",
    "Documents",
    "MachineStore",
    "NotFoundError",
    "Revision",
    "StoreError",
    "StoredDocument",
    "TooLargeError",
    "adopting_conflict",
    "canonical_json",
    "check_named",
    "conflict",
    "damaged",
    "digest_of",
    "kept_json",
    "not_found",
]

#: What JSON can hold, as Python sees it.
Document = dict[str, Any]

#: `expected_revision` of a document that must not exist yet.
NEW = 0


class StoreError(GnomonError):
    """The store cannot be reached, read or written: nothing has changed."""


class AwayError(StoreError):
    """No server answers, or the connection was lost: the store may come back by itself."""


class ConflictError(StoreError):
    """Somebody else put a revision in between, or the document exists already: get it again, then decide."""


class DamagedError(StoreError):
    """A revision whose content is not what was put: changed in place, or by a fault of the disk."""


class TooLargeError(StoreError):
    """A document that this database cannot hold, while others may fit."""


class NotFoundError(StoreError):
    """No document of that kind and name, or not that revision of it."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a document without its content; revisions of a name count 1, 2, 3 ... without gaps.

    `digest` is the SHA-256 of the canonical JSON (64 hex digits), `time_ns` the wall time of the put [ns since 1970].
    """

    kind: str
    name: str
    revision: int
    digest: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class StoredDocument(Revision):
    """One revision with its content, which belongs to the caller: changing it changes nothing in the store.

    Keys have the order that they were put in.
    """

    document: Document


class MachineStore(Protocol):
    """Documents by kind ("machine", "templates") and name, every revision kept, written by compare-and-set.

    Methods are coroutines because the production store stands across a network. Every one raises StoreError when the
    store fails. A put that is cancelled may still take place.
    """

    async def put(self, kind: str, name: str, document: Mapping[str, Any], expected_revision: int) -> Revision:
        """Add the revision after `expected_revision`, which must be the latest one; NEW for a new name.

        The document must not change meanwhile. Raises ConflictError when the revision is not the latest, StoreError
        when the document is not JSON.
        """
        ...

    async def get(self, kind: str, name: str, revision: int | None = None) -> StoredDocument:
        """The latest revision, or the one asked for. Raises NotFoundError."""
        ...

    async def read(self, wanted: Sequence[Revision]) -> Sequence[StoredDocument | DamagedError]:
        """The content of some revisions, in their order; DamagedError for what is not what was put.

        Raises NotFoundError if one of them is not here.
        """
        ...

    async def list(self, kind: str) -> tuple[Revision, ...]:
        """The latest revision of each document of a kind, by name; having none is not an error."""
        ...

    async def history(self, kind: str, name: str) -> tuple[Revision, ...]:
        """All revisions, the oldest first. Raises NotFoundError."""
        ...

    async def kinds(self) -> tuple[str, ...]:
        """The kinds that there are documents of, in order."""
        ...

    async def revisions(self, kind: str) -> tuple[Revision, ...]:
        """All revisions of all documents of a kind, by name, the oldest first; having none is not an error."""
        ...

    async def adopt(self, documents: Sequence[StoredDocument]) -> None:
        """Add revisions as another store has them, with their numbers, digests and times.

        One that is here already, with the same digest, is passed over. Those of a name stand in their order, and the
        first follows the latest here. Raises ConflictError where it does not, or where a revision is here with other
        content, TooLargeError for one that does not fit; then what was before it in the sequence may have been added.
        """
        ...

    async def wait_for_change(self, kind: str, name: str, timeout_s: float) -> None:
        """Return when a document may have changed, `timeout_s` at the latest, which may be sooner than it did."""
        ...

    async def close(self) -> None:
        """Let go of the database; closing twice is not an error."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


class Documents(Protocol):
    """A store by plain calls, for functions without an event loop; the promises are those of a MachineStore."""

    def put(self, kind: str, name: str, document: Mapping[str, Any], expected_revision: int) -> Revision:
        """Add the revision after `expected_revision`. Raises ConflictError when that is not the latest."""
        ...

    def get(self, kind: str, name: str, revision: int | None = None) -> StoredDocument:
        """The latest revision, or the one asked for. Raises NotFoundError."""
        ...

    def list(self, kind: str) -> tuple[Revision, ...]:
        """The latest revision of each document of a kind, by name."""
        ...

    def history(self, kind: str, name: str) -> tuple[Revision, ...]:
        """All revisions, the oldest first. Raises NotFoundError."""
        ...

    def revisions(self, kind: str) -> tuple[Revision, ...]:
        """All revisions of all documents of a kind, by name, the oldest first."""
        ...

    def close(self) -> None:
        """Let go of the database; closing twice is not an error."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def canonical_json(document: Mapping[str, Any]) -> str:
    """The one spelling of a document that its digest is taken of: sorted keys, no spaces, finite numbers.

    Raises StoreError for what JSON cannot hold.
    """
    return _json(document, sort_keys=True)


def digest_of(canonical: str) -> str:
    """SHA-256 of a canonical JSON text, 64 hex digits."""
    return hashlib.sha256(canonical.encode()).hexdigest()


def kept_json(document: Mapping[str, Any]) -> str:
    """The text in which a document is kept: keys in the order given, which may mean something (a machine's optics).

    Raises StoreError for what JSON cannot hold.
    """
    return _json(document, sort_keys=False)


def conflict(kind: str, name: str, expected: int, latest: int) -> ConflictError:
    """The same words for a lost compare-and-set, whatever the database."""
    stands = f"is at revision {latest}" if latest else "does not exist"
    wanted = f"revision {expected}" if expected else "a new document"
    return ConflictError(f"{kind} '{name}' {stands}, the put expected {wanted}: get it again and repeat the change")


def not_found(kind: str, name: str, revision: int | None, known: tuple[str, ...]) -> NotFoundError:
    """The same words for a missing document, whatever the database; `known` are the names that exist."""
    which = f"{kind} '{name}'" if revision is None else f"revision {revision} of {kind} '{name}'"
    return NotFoundError(f"the store has no {which}; it has {', '.join(known) if known else 'none of that kind'}")


def check_named(kind: str, name: str) -> None:
    """Raise StoreError for a document without a kind or a name."""
    if not kind or not name:
        raise StoreError(f"a document needs a kind and a name, not {kind!r} and {name!r}")


def damaged(kind: str, name: str, revision: int) -> DamagedError:
    """The same words for content that is not what was put, whatever the database."""
    return DamagedError(f"revision {revision} of {kind} '{name}' is damaged: its content does not match its digest")


def adopting_conflict(new: Revision, latest: int) -> ConflictError:
    """The same words for a revision of another store that does not fit, whatever the database."""
    if new.revision <= latest:
        return ConflictError(
            f"revision {new.revision} of {new.kind} '{new.name}' is there with other content: the two stores have gone "
            "different ways"
        )
    return ConflictError(f"revision {new.revision} of {new.kind} '{new.name}' does not follow revision {latest}")


def _json(document: Mapping[str, Any], *, sort_keys: bool) -> str:
    try:
        return json.dumps(document, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"the document cannot be stored as JSON: {error}") from error
