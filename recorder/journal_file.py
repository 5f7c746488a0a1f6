"""One file of a journal, opened for reading: the file that the server writes, or an archived part."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.lattice import Client, Outcome
from gnomon.recorder.entries import Entry, Run, StoredChange, StoredOutcome
from gnomon.recorder.recorder_errors import JournalError
from gnomon.recorder.schema import decode, decode_physics, decode_settings

#: After the last number of all commands.
ENDLESS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class JournalFile:
    """The commands `first` to `last` of a journal, in one file; `last` is ENDLESS for the file that is written."""

    path: Path
    connection: sqlite3.Connection
    first: int = 0
    last: int = ENDLESS

    def rows(self, sql: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query. Raises JournalError."""
        try:
            return self.connection.execute(sql, tuple(values)).fetchall()
        except sqlite3.Error as error:
            if str(error) == "interrupted":
                raise JournalError(
                    f"{self.path}: the search took too long; narrow it with numbers or times, or use a simpler pattern"
                ) from error
            raise JournalError(f"{self.path}: cannot be read: {error}") from error

    def commands(self, where: str, values: Sequence[Any], order: str, count: int) -> list[tuple[Any, ...]]:
        """Read at most `count` rows of `command` within the range of this file, in the order ASC or DESC."""
        return self.rows(
            f"SELECT * FROM command WHERE {where} AND sequence BETWEEN ? AND ? ORDER BY sequence {order} LIMIT ?",
            (*values, self.first, self.last, count),
        )


def entries_of(file: JournalFile, rows: Sequence[Sequence[Any]], newest: JournalFile) -> list[Entry]:
    """Make entries for rows of `command` in the order of their numbers.

    `newest` is the file that is written: it may have outcomes that came after the command was archived.
    """
    if not rows:
        return []
    sequences = [row[0] for row in rows]
    marks = ",".join("?" * len(sequences))
    changes = _grouped(
        file.rows(f"SELECT * FROM change WHERE sequence IN ({marks}) ORDER BY sequence, position", sequences)
    )
    outcomes: dict[int, list[StoredOutcome]] = {}
    for source in (file, newest) if file is not newest else (file,):
        found = source.rows(f"SELECT * FROM outcome WHERE sequence IN ({marks}) ORDER BY id", sequences)
        effects = _grouped(
            source.rows(
                f"SELECT * FROM effect WHERE outcome IN (SELECT id FROM outcome WHERE sequence IN ({marks}))"
                " ORDER BY outcome, position",
                sequences,
            )
            if found
            else ()
        )
        for order, sequence, outcome, wall_ns, lattice_after, reason in found:
            done = tuple(effects.get(order, ()))
            stored = StoredOutcome(order, Outcome(outcome), wall_ns, lattice_after, reason, done)
            known = outcomes.setdefault(sequence, [])
            if all(other.order != order for other in known):  # until it is discarded, both files have it
                known.append(stored)
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


def run_of(row: Sequence[Any]) -> Run:
    """Make a run of a row of `run`."""
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
