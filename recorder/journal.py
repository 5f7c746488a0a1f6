"""The journal: every command, durably, before it acts.

One SQLite file with write-ahead logging and `synchronous=FULL`: when `append` returns, its records survive a `kill -9`
and a power cut (on a disk that obeys). If it raises, none of them is in the journal.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from gnomon.lattice import Change, Record, Settled
from gnomon.recorder.entries import Key
from gnomon.recorder.lock import Identity, RecorderLock
from gnomon.recorder.parts import parts_of
from gnomon.recorder.recorder_errors import JournalError
from gnomon.recorder.schema import (
    Number,
    encode,
    encode_physics,
    encode_settings,
    open_for_reading,
    open_for_writing,
)

#: Length to which texts from clients are cut, so that nobody can fill the disk with a name [characters].
MAX_TEXT = 2000

#: Suffix of SQLite's write-ahead log, after the database's name.
LOG = "-wal"

_COMMAND = "INSERT INTO command VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CHANGE = "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OUTCOME = "INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?)"
_EFFECT = "INSERT INTO effect VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Journal:
    """The one writer of a journal file; a second one is refused. Safe to call from any thread, one at a time.

    A failed write closes the database. The next call opens it again, removes remains of the failed write, and moves
    everything out of the log that could not be synced: a page that the disk has once refused is never taken for
    written.

    Only records that can be found again are acknowledged: before and after each commit, the journal's name must still
    lead to the open file, and the log beside it must be the one that is written.
    """

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection] = open_for_writing) -> None:
        """Open or create the journal at `path`. Raises JournalError if that fails, or another recorder writes it."""
        self.path = path
        self._connect = connect
        self._mutex = threading.Lock()
        #: Held by whoever archives.
        self.archiving = threading.Lock()
        self._closed = False
        self._lock = RecorderLock(path)
        self._connection: sqlite3.Connection | None = None
        self._log: Identity | None = None
        self._refused = False
        self._rescued = ""
        try:
            self._connection = connect(path)
            self._run, self._sequence, self._outcome = self._last(self._connection)
            row = self._connection.execute("SELECT min(sequence) FROM command").fetchone()
            self._oldest = int(row[0] or self._sequence + 1)  # older ones are in parts
            self._log = self._log_found()
            sync_folder(self._lock.place)
            if trouble := self._lock.trouble():
                raise JournalError(f"{path}: {trouble}")
        except BaseException as error:
            self._drop()
            self._lock.release()
            if isinstance(error, (sqlite3.Error, OSError)):
                raise self._failure(error) from error
            raise
        self._begun = False

    @property
    def next_sequence(self) -> int:
        """The number that the next record must have; a failed `append` does not change it."""
        return self._sequence + 1

    @property
    def run(self) -> int:
        """The number of the newest run, 0 before the first."""
        return self._run

    def begin_run(
        self,
        *,
        machine: str,
        digest: str,
        prefix: str,
        lattice_id: str,
        baseline: Mapping[Key, float],
        first: tuple[Record, Settled] | None = None,
        wall_ns: int | None = None,
        boot_id: str | None = None,
    ) -> int:
        """Record a start of the server; return the number of the run.

        `baseline` is every stored setting that is not nominal at the start. `first` is a command that belongs to the
        start, of number `next_sequence`: it is written together with the run, so that no crash can part them. Raises
        JournalError.
        """
        run = self._run + 1
        row = (
            run,
            boot_id if boot_id is not None else read_boot_id(),
            machine,
            digest,
            prefix,
            wall_ns if wall_ns is not None else time.time_ns(),
            lattice_id,
            encode_settings(baseline),
        )
        records, settled = ([first[0]], [first[1]]) if first is not None else ([], [])
        with self._mutex:
            self._check_numbers(records)

            def insert(connection: sqlite3.Connection) -> None:
                connection.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
                self._insert(connection, run, records, settled)

            self._write(insert)
            self._run, self._begun = run, True
            self._sequence += len(records)
            self._outcome += len(settled)
        return run

    def append(self, records: Sequence[Record], settled: Sequence[Settled] = ()) -> None:
        """Write commands and outcomes in one transaction; they are durable when this returns.

        `records` carry the sequence numbers from `next_sequence` on, without a gap; `settled` may belong to them or
        to earlier ones. Blocks for a disk sync, so call it in a thread. Raises JournalError if they cannot be written:
        then none of them is, the numbers are free again, and the next call tries again.
        """
        with self._mutex:
            if not self._begun:
                raise JournalError(f"{self.path}: no run has begun; call begin_run before the first command")
            self._check_numbers(records)
            if not records and not settled:
                return
            archived = any(s.sequence < self._oldest for s in settled)
            self._write(lambda c: self._insert(c, self._run, records, settled), linked=not archived)
            self._sequence += len(records)
            self._outcome += len(settled)

    def discard(self, last: int, count: int, outcome: int) -> bool:
        """Take out at most `count` of the oldest commands up to number `last`, which a part has; False if none is left.

        `outcome` is the newest outcome that the part has; younger ones stay. The newest command and the newest outcome
        are never taken out, since numbers go on from them. Raises JournalError.
        """
        with self._mutex:
            more = False

            def delete(connection: sqlite3.Connection) -> None:
                nonlocal more
                query = "SELECT min(sequence), (SELECT sequence FROM outcome ORDER BY id DESC LIMIT 1) FROM command"
                first, acted = connection.execute(query).fetchone()
                if first is None or first > last or not last < min(self._sequence, acted or self._sequence):
                    return
                bounds = (first, min(last, first + count - 1), outcome)
                outcomes = "SELECT id FROM outcome WHERE sequence BETWEEN ? AND ? AND id <= ?"
                connection.execute(f"DELETE FROM effect WHERE outcome IN ({outcomes})", bounds)
                connection.execute(f"DELETE FROM outcome WHERE id IN ({outcomes})", bounds)
                connection.execute("DELETE FROM change WHERE sequence BETWEEN ? AND ?", bounds[:2])
                connection.execute("DELETE FROM command WHERE sequence BETWEEN ? AND ?", bounds[:2])
                self._oldest, more = bounds[1] + 1, True

            self._write(delete, linked=False)
            return more

    def compact(self) -> None:
        """Give the space of discarded commands back to the disk; commands wait until that is done."""
        with self._mutex:
            if self._connection is not None:
                try:
                    self._connection.execute("VACUUM")
                except sqlite3.Error as error:
                    raise JournalError(f"{self.path}: its space cannot be given back: {error}") from error

    def close(self) -> None:
        """Close the file and release the lock; harmless when repeated."""
        with self._mutex:
            if self._connection is not None and not self._closed and self._lock.trouble():
                with suppress(sqlite3.Error):
                    self._empty_log(self._connection)  # SQLite does not do so for a file that has moved
            self._closed = True
            self._drop()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_numbers(self, records: Sequence[Record]) -> None:
        for expected, record in enumerate(records, self._sequence + 1):
            if record.command.sequence != expected:
                raise JournalError(
                    f"{self.path}: command {record.command.sequence} cannot follow {expected - 1}; "
                    f"the next number is {expected}"
                )

    def _insert(
        self, connection: sqlite3.Connection, run: int, records: Sequence[Record], settled: Sequence[Settled]
    ) -> None:
        connection.executemany(_COMMAND, (_command_row(record, run) for record in records))
        connection.executemany(_CHANGE, (row for r in records for row in _change_rows(r.command.sequence, r.changes)))
        numbered = list(enumerate(settled, self._outcome + 1))
        connection.executemany(
            _OUTCOME,
            ((i, s.sequence, s.outcome.value, s.wall_ns, s.lattice_after, _text(s.reason)) for i, s in numbered),
        )
        connection.executemany(_EFFECT, (row for i, s in numbered for row in _change_rows(i, s.changes)))

    def _write(self, statements: Callable[[sqlite3.Connection], object], *, linked: bool = True) -> None:
        """Make a transaction; not `linked`: it has an outcome whose command is in a part, or leaves one behind."""
        if self._closed:
            raise JournalError(f"{self.path}: the journal has been closed")
        self._check_place()
        try:
            if self._refused:
                self._drop()
            if self._connection is None:
                self._connection = self._reopened()
                self._log, self._refused = self._log_found(), False
            self._connection.execute(f"PRAGMA foreign_keys = {int(linked)}")
            self._connection.execute("BEGIN IMMEDIATE")
            statements(self._connection)
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._drop()
            if isinstance(error, (sqlite3.Error, OSError, OverflowError, TypeError, ValueError)):
                raise self._failure(error) from error
            raise
        self._refused = True  # unless it can be found again; what is refused is taken out with the next write
        self._check_place()
        self._refused = False

    def _check_place(self) -> None:
        """Raise JournalError unless the open database and its log are those that the journal's name leads to."""
        if trouble := self._lock.trouble():
            raise JournalError(
                f"{self.path}: {trouble}; nothing of this was recorded, and commands are refused until the same file "
                f"is back under this name.{self._rescue()}"
            )
        if self._connection is None or self._log is None or self._log == self._log_found():
            return
        away = f"{self.path}: the log beside the journal, {self.path.name}{LOG}, was removed or replaced; what it held"
        try:
            trouble = self._empty_log(self._connection)
        except sqlite3.ProgrammingError as error:  # the connection is closed: it has emptied the log itself
            self._drop()
            raise self._failure(error) from error
        if trouble:
            raise JournalError(f"{away} cannot be saved: {trouble}. Do not stop the server, and try again")
        self._drop()
        raise JournalError(f"{away} has been saved into the journal. Nothing of this was recorded: send it again")

    def _rescue(self) -> str:
        """Save the recorded commands beyond this process, and say what to do. The file itself may have been deleted."""
        if self._connection is None:
            return ""
        with suppress(sqlite3.Error):
            self._empty_log(self._connection)
        if not self._lock.deleted():
            return " Move it back; the server then goes on by itself"
        if not self._rescued:
            copy = self._lock.place.with_name(f"{self._lock.place.name}.rescued-{time.time_ns() // 1_000_000_000}")
            try:
                self._connection.execute("VACUUM INTO ?", (str(copy),))
            except sqlite3.Error as error:
                return f" It cannot be saved either: {error}. Make room, and try again before the server stops"
            self._rescued = str(copy)
        return f" All of it is in {self._rescued}: stop the server, rename that to {self.path.name}, and start again"

    def _empty_log(self, connection: sqlite3.Connection) -> str:
        """Move the log into the database; return the reason if that fails, empty if all of it is there and synced."""
        try:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.Error as error:
            return str(error)
        return "a reader holds it; end readers of the journal" if busy else ""

    def _log_found(self) -> Identity | None:
        """Find the log that the journal's name leads to."""
        try:
            found = os.stat(self._lock.place.with_name(self._lock.place.name + LOG))
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _reopened(self) -> sqlite3.Connection:
        """Open the database after a failed write, remove the failed write, and empty the log into the file.

        A commit that failed in its sync may nevertheless be in the log. Emptying the log writes every page of it again,
        so nothing depends on pages that the disk refused.
        """
        connection = self._connect(self.path)
        try:
            known = (self._run, self._sequence, self._outcome)
            found = self._last(connection)
            if any(there < here for there, here in zip(found, known, strict=True)):
                raise sqlite3.DatabaseError(
                    f"it ends at command {found[1]}, but {self._sequence} were acknowledged; restore it from a backup"
                )
            if found != known:
                connection.execute("BEGIN IMMEDIATE")
                outcomes = "SELECT id FROM outcome WHERE id > ? OR sequence > ?"
                numbers = (self._outcome, self._sequence)
                connection.execute(f"DELETE FROM effect WHERE outcome IN ({outcomes})", numbers)
                connection.execute("DELETE FROM outcome WHERE id > ? OR sequence > ?", numbers)
                connection.execute("DELETE FROM change WHERE sequence > ?", (self._sequence,))
                connection.execute("DELETE FROM command WHERE sequence > ?", (self._sequence,))
                connection.execute("DELETE FROM run WHERE run > ?", (self._run,))
                connection.execute("COMMIT")
            if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise sqlite3.OperationalError("a reader holds its log; try again")
        except BaseException:
            connection.close()
            raise
        return connection

    def _last(self, connection: sqlite3.Connection) -> tuple[int, int, int]:
        """Read the newest run, sequence number and outcome; those of the newest part if the file was made anew."""
        found = _last(connection)
        parts = parts_of(self.path) if not found[1] else ()
        if not parts:
            return found
        with closing(open_for_reading(parts[-1].path)) as part:
            run, sequence, outcome = _last(part)
        return max(run, found[0]), sequence, outcome

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.rollback()
            with suppress(sqlite3.Error):
                connection.close()

    def _failure(self, error: BaseException) -> JournalError:
        return JournalError(
            f"{self.path}: the journal cannot be written: {error}; nothing of this was recorded. "
            "Check that the disk has space and is writable; the next command tries to write the journal again"
        )


def read_boot_id() -> str:
    """Read the identity of this start of the computer; monotonic times are comparable only within one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _last(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Read the newest run, sequence number and outcome of a file; 0 where there is none."""
    row = connection.execute(
        "SELECT coalesce((SELECT max(run) FROM run), 0), coalesce((SELECT max(sequence) FROM command), 0),"
        " coalesce((SELECT max(id) FROM outcome), 0)"
    ).fetchone()
    return int(row[0]), int(row[1]), int(row[2])


def _command_row(record: Record, run: int) -> tuple[int | str, ...]:
    command = record.command
    client = command.client
    claimed = (_text(client.user), _text(client.host), _text(client.protocol), _text(command.note))
    return (command.sequence, run, command.wall_ns, command.monotonic_ns, *claimed, record.lattice_before)


def _change_rows(owner: int, changes: Iterable[Change]) -> Iterable[tuple[Number, ...]]:
    for position, c in enumerate(changes):
        yield (
            owner,
            position,
            _text(c.pv),
            _text(c.device),
            _text(c.property),
            c.unit,
            encode(c.old),
            encode(c.new),
            encode(c.done),
            c.setting,
            encode(c.setting_old),
            encode(c.setting_done),
            encode_physics(c.physics_old),
            encode_physics(c.physics_new),
        )


def _text(value: str) -> str:
    """Convert a client's text to one that can be stored: valid Unicode of bounded length."""
    return value[:MAX_TEXT].encode("utf-8", "replace").decode("utf-8")


def sync_folder(path: Path) -> None:
    """Sync the folder of a file, so that the file's name is as durable as its content."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
