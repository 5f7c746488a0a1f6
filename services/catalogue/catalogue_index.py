"""The index of the catalogue: a file of SQLite with full text search, which can be made again from the files."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from gnomon.lattice.identifiers import Identifier
from gnomon.services.catalogue.catalogue_entry import CatalogueEntry, CatalogueError, Unread
from gnomon.services.catalogue.catalogue_query import CatalogueQuery

__all__ = ["CatalogueIndex", "Row", "delete_index"]

#: Marks the file as an index of gnomon ("GnCa"); one of another version is made again.
APPLICATION_ID, SCHEMA_VERSION = 0x476E4361, 1
#: Time that another program may write to the index [s]: while many files are new, that is long on a busy computer.
BUSY_TIMEOUT_S = 60.0

#: `number` is the time when it was made [us], made unique: the newest come first without being sorted.
_SCHEMA = """
CREATE TABLE entries (
    number INTEGER PRIMARY KEY, source TEXT NOT NULL, key TEXT NOT NULL, stamp TEXT NOT NULL, current INTEGER NOT NULL,
    identifier TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, machine TEXT NOT NULL, user TEXT NOT NULL,
    proposal TEXT NOT NULL, procedure TEXT NOT NULL, tags TEXT NOT NULL, told TEXT NOT NULL, UNIQUE (source, key)
) STRICT;
CREATE INDEX by_identifier ON entries (identifier);
CREATE INDEX by_name ON entries (name);
CREATE TABLE unread (
    source TEXT NOT NULL, key TEXT NOT NULL, stamp TEXT NOT NULL, file TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (source, key)
) STRICT;
CREATE TABLE states (source TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE words USING fts5 (
    text, kind, machine, user, tag, proposal, procedure, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
"""

#: An entry with its source, key, stamp, whether it is current, and its words.
Row = tuple[str, str, str, bool, CatalogueEntry, str]


class CatalogueIndex:
    """The file; None: in memory. A damaged file is made again. Raises CatalogueError if it cannot be used."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._db = self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        """The index; leaving closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def state(self, source: str) -> str | None:
        """Return the state of a source when it was listed last."""
        rows = self._rows("SELECT state, source FROM states WHERE source = ?", (source,))
        return str(rows[0][0]) if rows else None

    def known(self, source: str) -> Mapping[str, str]:
        """List the stamps of what is in the index of a source."""
        return dict(self._rows("SELECT key, stamp FROM entries WHERE source = ?", (source,)))

    def known_unread(self, source: str) -> Mapping[str, str]:
        """List the stamps of what could not be read of a source."""
        return dict(self._rows("SELECT key, stamp FROM unread WHERE source = ?", (source,)))

    def change(
        self,
        source: str,
        gone: Iterable[str] = (),
        rows: Sequence[Row] = (),
        unread: Sequence[tuple[str, str, Unread]] = (),
        state: str | None = None,
    ) -> None:
        """Take out and put in, at once; `state` None: the source has to be listed again."""
        with self._guarded(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for key in {*gone, *(row[1] for row in rows), *(key for key, _, _ in unread)}:
                self._remove(source, key)
            for row in rows:
                self._insert(*row)
            self._db.executemany(
                "INSERT INTO unread VALUES (?, ?, ?, ?, ?)",
                [(source, key, stamp, each.file, each.reason) for key, stamp, each in unread],
            )
            self._db.execute("DELETE FROM states WHERE source = ?", (source,))
            if state is not None:
                self._db.execute("INSERT INTO states VALUES (?, ?)", (source, state))

    def keys_of(self, identifier: Identifier) -> Sequence[tuple[str, str]]:
        """List source and key of all entries with an identifier."""
        return self._rows("SELECT source, key FROM entries WHERE identifier = ?", (str(identifier),))

    def find(self, query: CatalogueQuery) -> list[CatalogueEntry]:
        """Answer a question, the newest first."""
        match = query.match()
        where, values = query.conditions()
        if match:
            if query.since_us is not None:
                where += " AND w.rowid >= ?"
                values.append(query.since_us)
            return self._entries(
                "SELECT e.told FROM words w JOIN entries e ON e.number = w.rowid "
                f"WHERE w.words MATCH ? AND {where} ORDER BY w.rowid DESC LIMIT ? OFFSET ?",
                (match, *values, query.count, query.skip),
            )
        return self._entries(
            f"SELECT e.told FROM entries e WHERE {where} ORDER BY e.number DESC LIMIT ? OFFSET ?",
            (*values, query.count, query.skip),
        )

    def named(self, name: str) -> list[CatalogueEntry]:
        """List the entries of a name, the newest first."""
        return self._entries("SELECT told FROM entries WHERE name = ? AND current ORDER BY number DESC", (name,))

    def beginning(self, kinds: Iterable[str], digits: str, count: int) -> list[CatalogueEntry]:
        """List the newest entries of some kinds whose identifiers begin with these digits."""
        found: dict[str, CatalogueEntry] = {}
        for kind in kinds:
            first = str(Identifier(kind, digits))
            entries = self._entries(
                "SELECT told FROM entries WHERE identifier >= ? AND identifier < ? ORDER BY number DESC LIMIT ?",
                (first, first + "g", count),
            )
            for entry in entries:
                found.setdefault(entry.identifier, entry)
        return list(found.values())

    def entries(self) -> Iterator[CatalogueEntry]:
        """Yield all entries, the oldest first, one for each file."""
        with self._guarded():
            for row in self._db.execute("SELECT told FROM entries ORDER BY number"):
                yield CatalogueEntry.model_validate_json(row[0])

    def unread(self) -> list[Unread]:
        """List the files that are left out; what is not an entry is not listed."""
        rows = self._rows("SELECT file, reason FROM unread WHERE reason != '' ORDER BY file")
        return [Unread(file=file, reason=reason) for file, reason in rows]

    def _rows(self, question: str, values: Sequence[object] = ()) -> list[tuple[str, str]]:
        with self._guarded():
            return self._db.execute(question, values).fetchall()

    def _entries(self, question: str, values: Sequence[object]) -> list[CatalogueEntry]:
        with self._guarded():
            return [CatalogueEntry.model_validate_json(row[0]) for row in self._db.execute(question, values)]

    def _remove(self, source: str, key: str) -> None:
        row = self._db.execute("SELECT number FROM entries WHERE source = ? AND key = ?", (source, key)).fetchone()
        if row is not None:
            self._db.execute("DELETE FROM words WHERE rowid = ?", row)
            self._db.execute("DELETE FROM entries WHERE number = ?", row)
        self._db.execute("DELETE FROM unread WHERE source = ? AND key = ?", (source, key))

    def _insert(self, source: str, key: str, stamp: str, current: bool, entry: CatalogueEntry, words: str) -> None:
        number = entry.made_us
        while self._db.execute("SELECT 1 FROM entries WHERE number = ?", (number,)).fetchone():
            number += 1
        e = entry
        tags = "".join(f"\n{tag}\n" for tag in e.tags)
        self._db.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, source, key, stamp, int(current), e.identifier, e.kind, e.name, e.machine, e.user, e.proposal,
             e.procedure, tags, e.model_dump_json(exclude_defaults=True)),
        )  # fmt: skip
        self._db.execute(
            "INSERT INTO words (rowid, text, kind, machine, user, tag, proposal, procedure) VALUES "
            "(?, ?, ?, ?, ?, ?, ?, ?)",
            (number, words, e.kind, e.machine, e.user, "\n".join(e.tags), e.proposal, e.procedure),
        )

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return _prepared(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return _prepared(self._connect(self._path))
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                delete_index(self._path)  # damaged, or of another version: the files are the truth
                return _prepared(self._connect(self._path))
        except (OSError, sqlite3.Error) as error:
            raise CatalogueError(f"{self._path}: the index cannot be used: {error}; {_remedy(error)}") from error

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValidationError) as error:
            reason = error if isinstance(error, sqlite3.Error) else "it has an entry that cannot be read"
            raise CatalogueError(f"{self._path}: the index failed: {reason}; {_remedy(error)}") from error


def _remedy(error: Exception) -> str:
    """Say what to do about a failure of the index."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_BUSY:
        return "another program writes to it: try again"
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return "make room on the disk, and try again"
    return "delete it, or call `gnomon results find --rebuild`: it is made again from the files"


def delete_index(path: Path) -> None:
    """Delete the file of an index, if there is one."""
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _prepared(db: sqlite3.Connection) -> sqlite3.Connection:
    """Check or create the schema; a file of another version raises DatabaseError."""
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if _is_ours(db):  # without a wait for another program that writes
            return db
        with db:
            db.execute("BEGIN IMMEDIATE")
            if _is_ours(db):  # made meanwhile
                return db
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise sqlite3.DatabaseError("another file")
            for statement in _SCHEMA.split(";\n"):
                if statement.strip():
                    db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        db.close()
        raise
    return db


def _is_ours(db: sqlite3.Connection) -> bool:
    """Tell whether a file has the marks of an index of this version."""
    marks = tuple(db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    return marks == (APPLICATION_ID, SCHEMA_VERSION)
