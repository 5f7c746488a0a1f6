"""Read-only access to a journal, also while a server writes to it."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gnomon.lattice import Client, Outcome
from gnomon.recorder.entries import Effect, Entry, Run, StoredChange, StoredOutcome
from gnomon.recorder.errors import JournalError, ReviewError
from gnomon.recorder.schema import decode, decode_physics, decode_settings, open_for_reading

#: Number of commands read at a time: bounds the memory of a listing or an export.
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """A selection of commands; fields that are None do not restrict it.

    `since_ns`, `until_ns` are wall times, `first`, `last` sequence numbers, all inclusive. `pv` is a pattern with
    `*`, `?` and `[...]` for any PV or device of a command; `client` one for its user, its host or `user@host`.
    `outcome` is that of the last outcome; `changed` selects commands that changed a setting.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    first: int | None = None
    last: int | None = None
    pv: str | None = None
    client: str | None = None
    outcome: Outcome | None = None
    changed: bool = False

    def where(self) -> tuple[str, list[Any]]:
        """Make the condition in SQL, with its values."""
        terms: list[tuple[str, list[Any]]] = [("1", [])]
        for term, value in (
            ("wall_ns >= ?", self.since_ns),
            ("wall_ns <= ?", self.until_ns),
            ("sequence >= ?", self.first),
            ("sequence <= ?", self.last),
        ):
            if value is not None:
                terms.append((term, [value]))
        if self.pv is not None:
            changed = "SELECT 1 FROM change WHERE change.sequence = command.sequence"
            terms.append((f"EXISTS ({changed} AND (pv GLOB ? OR device GLOB ?))", [self.pv] * 2))
        if self.client is not None:
            terms.append(("(user GLOB ? OR host GLOB ? OR user || '@' || host GLOB ?)", [self.client] * 3))
        if self.outcome is not None:
            newest = "(SELECT outcome FROM outcome WHERE sequence = command.sequence ORDER BY id DESC LIMIT 1)"
            terms.append((f"{newest} = ?", [self.outcome.value]))
        if self.changed:
            done = "SELECT 1 FROM outcome JOIN effect ON effect.outcome = outcome.id"
            terms.append(
                (f"EXISTS ({done} WHERE outcome.sequence = command.sequence AND setting_done <> setting_old)", [])
            )
        return " AND ".join(term for term, _ in terms), [value for _, values in terms for value in values]


EVERYTHING = Filter()
CHANGED = Filter(changed=True)


class Reader:
    """A journal opened for reading; never changes it and never delays its writer. Raises JournalError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_for_reading(path)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def runs(self) -> tuple[Run, ...]:
        """Read all starts of servers, oldest first."""
        return tuple(_run(row) for row in self._rows("SELECT * FROM run ORDER BY run", ()))

    def run(self, number: int) -> Run:
        """Read one start of a server. Raises ReviewError if there is none with this number."""
        for row in self._rows("SELECT * FROM run WHERE run = ?", (number,)):
            return _run(row)
        raise ReviewError(f"{self.path}: there is no run {number} in this journal")

    def newest_run(self) -> Run:
        """Read the newest start of a server. Raises ReviewError if there is none."""
        for row in self._rows("SELECT * FROM run ORDER BY run DESC LIMIT 1", ()):
            return _run(row)
        raise ReviewError(f"{self.path}: no server has written to this journal yet")

    def newest_run_of(self, machine: str, prefix: str) -> Run | None:
        """Read the newest start of a server of this machine under this prefix; None if there is none."""
        which = "SELECT * FROM run WHERE machine = ? AND prefix = ? ORDER BY run DESC LIMIT 1"
        return next((_run(row) for row in self._rows(which, (machine, prefix))), None)

    def last_sequence(self) -> int:
        """Read the number of the newest command, 0 if there is none."""
        return int(self._rows("SELECT coalesce(max(sequence), 0) FROM command", ())[0][0])

    def entry(self, sequence: int) -> Entry:
        """Read one command. Raises ReviewError if it is not in the journal."""
        for entry in self.entries(Filter(first=sequence, last=sequence)):
            return entry
        last = self.last_sequence()
        has = f"it has commands 1 to {last}" if last else "it has no commands yet"
        raise ReviewError(f"{self.path}: there is no command {sequence} in this journal; {has}")

    def command_of_lattice(self, lattice_id: str) -> int | None:
        """Find the newest command that led to a lattice, by its id or the beginning of it; None if none did."""
        escaped = lattice_id.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
        rows = self._rows(
            "SELECT sequence FROM outcome WHERE lattice_after GLOB ? || '*' ORDER BY id DESC LIMIT 1", (escaped,)
        )
        return int(rows[0][0]) if rows else None

    def entries(self, which: Filter = EVERYTHING) -> Iterator[Entry]:
        """Read commands in the order of their numbers, in chunks, so that a long journal does not fill the memory."""
        where, values = which.where()
        after = 0
        while True:
            with self._snapshot():
                rows = self._rows(
                    f"SELECT * FROM command WHERE {where} AND sequence > ? ORDER BY sequence LIMIT {CHUNK}",
                    (*values, after),
                )
                entries = self._entries(rows)
            yield from entries
            if len(rows) < CHUNK:
                return
            after = entries[-1].sequence

    def newest(self, count: int, which: Filter = EVERYTHING) -> tuple[Entry, ...]:
        """Read the newest `count` commands that match the filter, oldest first."""
        where, values = which.where()
        with self._snapshot():
            rows = self._rows(f"SELECT * FROM command WHERE {where} ORDER BY sequence DESC LIMIT ?", (*values, count))
            return tuple(self._entries(rows[::-1]))

    def newest_changes(self, count: int) -> tuple[Entry, ...]:
        """Read the newest `count` commands that changed a setting, oldest first. Raises ReviewError for too few."""
        found = self.newest(count, CHANGED)
        if len(found) < count:
            raise ReviewError(f"{self.path}: only {len(found)} commands in this journal changed a setting, not {count}")
        return found

    def effects(self, *, run: int | None = None, first: int = 1, last: int | None = None) -> tuple[Effect, ...]:
        """Read the changes that commands `first` to `last` made, of one run or of all, in the order of acting."""
        rows = self._rows(
            "SELECT sequence, run, device, setting, unit, setting_old, setting_done"
            " FROM command JOIN outcome USING (sequence) JOIN effect ON effect.outcome = outcome.id"
            " WHERE sequence >= ? AND sequence <= ? AND (run = ? OR ? IS NULL) AND setting_done IS NOT NULL"
            f" AND outcome.outcome NOT IN ('{Outcome.ABANDONED}', '{Outcome.REJECTED}')"
            " ORDER BY outcome.id, position",
            (first, self.last_sequence() if last is None else last, run, run),
        )
        return tuple(Effect(row[0], row[1], (row[2], row[3]), row[4], decode(row[5]), float(row[6])) for row in rows)

    def follow(
        self,
        which: Filter = EVERYTHING,
        *,
        after: int,
        settle_s: float = 2.0,
        poll_s: float = 0.1,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> Iterator[Entry]:
        """Yield new commands after number `after`, endlessly, in order.

        Each is yielded when it has an outcome, or after `settle_s` without one.
        """
        seen: dict[int, float] = {}
        version = -1
        while True:
            changed = int(self._rows("PRAGMA data_version", ())[0][0])
            if changed != version or seen:
                version = changed
                for entry in self.entries(Filter(first=after + 1)):
                    first_seen = seen.setdefault(entry.sequence, clock())
                    if entry.outcome is None and clock() - first_seen < settle_s:
                        break
                    after = entry.sequence
                    del seen[entry.sequence]
                    yield from self.entries(_only(which, entry.sequence))
            sleep(poll_s)

    def _entries(self, rows: Sequence[Sequence[Any]]) -> list[Entry]:
        """Entries for rows of `command` in the order of their numbers."""
        if not rows:
            return []
        sequences = [row[0] for row in rows]
        marks = ",".join("?" * len(sequences))
        changes = _grouped(
            self._rows(f"SELECT * FROM change WHERE sequence IN ({marks}) ORDER BY sequence, position", sequences)
        )
        found = self._rows(f"SELECT * FROM outcome WHERE sequence IN ({marks}) ORDER BY id", sequences)
        effects = _grouped(
            self._rows(
                f"SELECT * FROM effect WHERE outcome IN (SELECT id FROM outcome WHERE sequence IN ({marks}))"
                " ORDER BY outcome, position",
                sequences,
            )
        )
        outcomes: dict[int, list[StoredOutcome]] = {}
        for order, sequence, outcome, wall_ns, lattice_after, reason in found:
            done = tuple(effects.get(order, ()))
            stored = StoredOutcome(order, Outcome(outcome), wall_ns, lattice_after, reason, done)
            outcomes.setdefault(sequence, []).append(stored)
        return [
            Entry(
                sequence=row[0],
                run=row[1],
                wall_ns=row[2],
                monotonic_ns=row[3],
                client=Client(user=row[4], host=row[5], protocol=row[6]),
                note=row[7],
                lattice_before=row[8],
                changes=tuple(changes.get(row[0], ())),
                outcomes=tuple(outcomes.get(row[0], ())),
            )
            for row in rows
        ]

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Hold one consistent state of the journal for several queries."""
        self._rows("BEGIN", ())
        try:
            yield
        finally:
            self._connection.rollback()

    def _rows(self, sql: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: cannot be read: {error}") from error


def _only(which: Filter, sequence: int) -> Filter:
    if (which.first or 0) > sequence or (which.last is not None and which.last < sequence):
        return Filter(first=1, last=0)
    return Filter(which.since_ns, which.until_ns, sequence, sequence, which.pv, which.client, which.outcome)


def _run(row: Sequence[Any]) -> Run:
    return Run(
        run=row[0],
        boot_id=row[1],
        machine=row[2],
        digest=row[3],
        prefix=row[4],
        wall_ns=row[5],
        lattice_id=row[6],
        baseline=decode_settings(row[7]),
    )


def _grouped(rows: Iterable[Sequence[Any]]) -> dict[int, list[StoredChange]]:
    """Group changes by their owner, the first column."""
    grouped: dict[int, list[StoredChange]] = {}
    for row in rows:
        change = StoredChange(
            pv=row[2],
            device=row[3],
            property=row[4],
            unit=row[5],
            old=decode(row[6]),
            new=decode(row[7]),
            done=decode(row[8]),
            setting=row[9],
            setting_old=decode(row[10]),
            setting_done=decode(row[11]),
            physics_old=decode_physics(row[12]),
            physics_new=decode_physics(row[13]),
        )
        grouped.setdefault(row[0], []).append(change)
    return grouped
