"""Documents in one SQLite file, read and written by plain calls: nothing to install, safe for several processes."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from gnomon.db.store import (
    NEW,
    DamagedError,
    Revision,
    StoredDocument,
    StoreError,
    adopting_conflict,
    canonical_json,
    check_named,
    conflict,
    damaged,
    digest_of,
    kept_json,
    not_found,
)

__all__ = ["Connect", "DocumentFile", "open_documents"]

T = TypeVar("T")

#: Opens the file of a path.
Connect = Callable[[str], sqlite3.Connection]

#: Marks the file as a document store of gnomon, so that a journal given by mistake is refused ("GnDo").
APPLICATION_ID = 0x476E446F
SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 10.0

_SCHEMA = """
CREATE TABLE documents (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision > 0),
    digest TEXT NOT NULL,
    time_ns INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, name, revision)
) STRICT
"""


class DocumentFile:
    """Synchronous document store in one file, or in memory for ":memory:", with the promises of a MachineStore.

    One thread at a time may use it, the same one from the first call to `close`. Raises StoreError from the first call
    when the file cannot be opened or is something else; `connect` opens it.
    """

    def __init__(
        self, path: str | Path, *, clock_ns: Callable[[], int] = time.time_ns, connect: Connect | None = None
    ) -> None:
        self._path = str(path)
        self._connect = connect or open_documents
        self._clock_ns = clock_ns
        self._connection: sqlite3.Connection | None = None

    def put(self, kind: str, name: str, document: Mapping[str, Any], expected_revision: int) -> Revision:
        """Add the revision after `expected_revision`; see MachineStore."""
        check_named(kind, name)
        digest, text = digest_of(canonical_json(document)), kept_json(document)
        return self._guarded(lambda db: self._put(db, kind, name, digest, text, expected_revision))

    def get(self, kind: str, name: str, revision: int | None = None) -> StoredDocument:
        """Return the latest revision, or the one asked for; see MachineStore."""
        return self._guarded(lambda db: _get(db, kind, name, revision))

    def read(self, wanted: Sequence[Revision]) -> Sequence[StoredDocument | DamagedError]:
        """Return the content of some revisions; see MachineStore."""
        return self._guarded(lambda db: [_read(db, each) for each in wanted])

    def list(self, kind: str) -> tuple[Revision, ...]:
        """Return the latest revision of each document of a kind, by name; see MachineStore."""
        return self._guarded(lambda db: _latest(db, kind))

    def history(self, kind: str, name: str) -> tuple[Revision, ...]:
        """Return all revisions, the oldest first; see MachineStore."""
        return self._guarded(lambda db: _history(db, kind, name))

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds that there are documents of; see MachineStore."""
        return self._guarded(
            lambda db: tuple(row[0] for row in db.execute("SELECT DISTINCT kind FROM documents ORDER BY kind"))
        )

    def revisions(self, kind: str) -> tuple[Revision, ...]:
        """Return all revisions of all documents of a kind; see MachineStore."""
        return self._guarded(lambda db: _revisions(db, kind))

    def adopt(self, documents: Sequence[StoredDocument]) -> None:
        """Add revisions of another store, all of them or none; see MachineStore."""
        texts = [kept_json(document.document) for document in documents]
        self._guarded(lambda db: _adopt(db, documents, texts))

    def close(self) -> None:
        """Let go of the file; closing twice is not an error. A further call would open it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> Self:
        """The file itself; leaving closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _guarded(self, call: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._connect(self._path)
            return call(self._connection)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self._path}: the document store failed: {error}") from error

    def _put(self, db: sqlite3.Connection, kind: str, name: str, digest: str, text: str, expected: int) -> Revision:
        with _write(db):
            latest = _number_of_latest(db, kind, name)
            if latest != expected:
                raise conflict(kind, name, expected, latest)
            new = Revision(kind, name, latest + 1, digest, self._clock_ns())
            _insert(db, new, text)
        return new


def open_documents(path: str) -> sqlite3.Connection:
    """Open or create the file of a document store. Raises StoreError, sqlite3.Error, OSError."""
    if path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    try:
        while not _prepared(db, path):
            # SQLite does not wait by itself while another connection changes a new file to write-ahead logging.
            if time.monotonic() > deadline:
                raise StoreError(f"{path}: locked by another process for more than {BUSY_TIMEOUT_S:g} s: end it first")
            time.sleep(0.01)
    except BaseException:
        db.close()
        raise
    return db


def _prepared(db: sqlite3.Connection, path: str) -> bool:
    """Check or create the schema and switch to write-ahead logging; False if the file was busy."""
    try:
        with _write(db):
            _check_or_create(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True


def _check_or_create(db: sqlite3.Connection, path: str) -> None:
    application, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if application == APPLICATION_ID:
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{path}: written by another gnomon (schema {version}, this one reads {SCHEMA_VERSION}): "
                "use the gnomon that wrote it, or another file"
            )
        return
    if application or db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreError(f"{path}: a SQLite file, but no document store of gnomon: name another file")
    db.execute(_SCHEMA)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


@contextmanager
def _write(db: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE takes the write lock before the read, so no other process can put between compare and set.
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _number_of_latest(db: sqlite3.Connection, kind: str, name: str) -> int:
    found: int = db.execute(
        "SELECT coalesce(max(revision), ?) FROM documents WHERE kind = ? AND name = ?", (NEW, kind, name)
    ).fetchone()[0]
    return found


def _insert(db: sqlite3.Connection, new: Revision, text: str) -> None:
    db.execute(
        "INSERT INTO documents (kind, name, revision, digest, time_ns, document) VALUES (?, ?, ?, ?, ?, ?)",
        (new.kind, new.name, new.revision, new.digest, new.time_ns, text),
    )


def _adopt(db: sqlite3.Connection, documents: Sequence[StoredDocument], texts: Sequence[str]) -> None:
    with _write(db):
        for new, text in zip(documents, texts, strict=True):
            latest = _number_of_latest(db, new.kind, new.name)
            if new.revision == latest + 1:
                _insert(db, new, text)
                continue
            found = db.execute(
                "SELECT digest FROM documents WHERE kind = ? AND name = ? AND revision = ?",
                (new.kind, new.name, new.revision),
            ).fetchone()
            if found is None or found[0] != new.digest:
                raise adopting_conflict(new, latest)


def _get(db: sqlite3.Connection, kind: str, name: str, revision: int | None) -> StoredDocument:
    row = db.execute(
        "SELECT revision, digest, time_ns, document FROM documents "
        "WHERE kind = ? AND name = ? AND (? IS NULL OR revision = ?) ORDER BY revision DESC LIMIT 1",
        (kind, name, revision, revision),
    ).fetchone()
    if row is None:
        raise not_found(kind, name, revision, tuple(known.name for known in _latest(db, kind)))
    found, digest, time_ns, text = row
    try:
        document = json.loads(text)
    except ValueError as error:
        raise damaged(kind, name, found) from error
    if digest_of(canonical_json(document)) != digest:
        raise damaged(kind, name, found)
    return StoredDocument(kind, name, found, digest, time_ns, document)


def _read(db: sqlite3.Connection, wanted: Revision) -> StoredDocument | DamagedError:
    try:
        return _get(db, wanted.kind, wanted.name, wanted.revision)
    except DamagedError as error:
        return error


def _latest(db: sqlite3.Connection, kind: str) -> tuple[Revision, ...]:
    # SQLite takes the bare columns from the row that has the maximum.
    rows = db.execute(
        "SELECT kind, name, max(revision), digest, time_ns FROM documents WHERE kind = ? GROUP BY name ORDER BY name",
        (kind,),
    )
    return tuple(Revision(*row) for row in rows)


def _revisions(db: sqlite3.Connection, kind: str) -> tuple[Revision, ...]:
    rows = db.execute(
        "SELECT kind, name, revision, digest, time_ns FROM documents WHERE kind = ? ORDER BY name, revision", (kind,)
    )
    return tuple(Revision(*row) for row in rows)


def _history(db: sqlite3.Connection, kind: str, name: str) -> tuple[Revision, ...]:
    rows = db.execute(
        "SELECT kind, name, revision, digest, time_ns FROM documents WHERE kind = ? AND name = ? ORDER BY revision",
        (kind, name),
    )
    revisions = tuple(Revision(*row) for row in rows)
    if not revisions:
        raise not_found(kind, name, None, tuple(known.name for known in _latest(db, kind)))
    return revisions
