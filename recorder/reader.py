"""Read-only access to a journal with its archived parts, also while a server writes to it."""

import heapq
import itertools
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from gnomon.lattice import Outcome
from gnomon.recorder.entries import Effect, Entry, Key, Run
from gnomon.recorder.filters import CHANGED, EVERYTHING, Filter
from gnomon.recorder.journal_file import JournalFile, entries_of, run_of
from gnomon.recorder.parts import parts_of
from gnomon.recorder.recorder_errors import ReviewError
from gnomon.recorder.schema import decode, open_for_reading

__all__ = ["Followed", "Reader"]

#: Number of commands read at a time: bounds the memory of a listing or an export.
CHUNK = 500
#: Number of steps of SQLite's engine between two looks at the clock.
STEPS = 100_000
#: The same for readers with a limit: a pattern can make a step slow.
FEW_STEPS = 2_000

#: Effects on settings, in force: those of a command that was lost or refused after all do not count.
_EFFECTS = (
    " FROM command JOIN outcome USING (sequence) JOIN effect ON effect.outcome = outcome.id"
    " WHERE sequence BETWEEN ? AND ? AND (run = ? OR ? IS NULL) AND setting_done IS NOT NULL"
    f" AND outcome.outcome NOT IN ('{Outcome.ABANDONED}', '{Outcome.REJECTED}')"
)


class Followed(NamedTuple):
    """A new command, or, if `later`, one that was already yielded and has a further outcome."""

    entry: Entry
    later: bool


class SettingRange(NamedTuple):
    """The smallest and the largest value that a setting had, and the number of commands that changed it."""

    low: float
    high: float
    commands: int


class LastEffects(NamedTuple):
    """The values that settings were given last, and the command that acted last (0: none)."""

    settings: dict[Key, float]
    sequence: int


class Reader:
    """A journal opened for reading; never changes it and never delays its writer. Raises JournalError.

    Each query sees one consistent state. Commands that are being moved to a part are in both files for a while; the
    part is read then.
    """

    def __init__(self, path: Path, limit_s: float | None = None) -> None:
        """Open a journal; with `limit_s`, all queries together may take this time, then they raise JournalError."""
        self.path = path
        self._end = None if limit_s is None else time.monotonic() + limit_s
        self._connection = self._open(path)
        self._parts: dict[Path, sqlite3.Connection] = {}

    def close(self) -> None:
        """Close the files."""
        for connection in (self._connection, *self._parts.values()):
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def runs(self) -> tuple[Run, ...]:
        """Read all starts of servers, oldest first."""
        return tuple(run_of(row) for row in self._live().rows("SELECT * FROM run ORDER BY run"))

    def run(self, number: int) -> Run:
        """Read one start of a server. Raises ReviewError if there is none with this number."""
        for row in self._live().rows("SELECT * FROM run WHERE run = ?", (number,)):
            return run_of(row)
        raise ReviewError(f"{self.path}: there is no run {number} in this journal")

    def newest_run(self) -> Run:
        """Read the newest start of a server. Raises ReviewError if there is none."""
        for row in self._live().rows("SELECT * FROM run ORDER BY run DESC LIMIT 1"):
            return run_of(row)
        raise ReviewError(f"{self.path}: no server has written to this journal yet")

    def newest_run_of(self, machine: str, prefix: str) -> Run | None:
        """Read the newest start of a server of this machine under this prefix; None if there is none."""
        which = "SELECT * FROM run WHERE machine = ? AND prefix = ? ORDER BY run DESC LIMIT 1"
        return next((run_of(row) for row in self._live().rows(which, (machine, prefix))), None)

    def last_sequence(self) -> int:
        """Read the number of the newest command, 0 if there is none."""
        return int(self._live().rows("SELECT coalesce(max(sequence), 0) FROM command")[0][0])

    def ends(self) -> tuple[int, int]:
        """Read the numbers of the newest command and of the newest outcome, 0 where there is none."""
        newest = "SELECT coalesce((SELECT max(sequence) FROM command), 0), coalesce((SELECT max(id) FROM outcome), 0)"
        with self._snapshot() as files:
            found = [file.rows(newest)[0] for file in files[-2:]]  # a file that was made anew may have none yet
        return max(int(row[0]) for row in found), max(int(row[1]) for row in found)

    def data_version(self) -> int:
        """Return a number that changes whenever somebody has written to the journal."""
        return int(self._live().rows("PRAGMA data_version")[0][0])

    def oldest_run(self) -> Run | None:
        """Read the first start of a server that wrote to this journal or to a part of it; None if there is none."""
        with self._snapshot() as files:
            rows = [
                row for file in (files[0], files[-1]) for row in file.rows("SELECT * FROM run ORDER BY run LIMIT 1")
            ]
        return min(map(run_of, rows), key=lambda run: run.run, default=None)

    def times_of(self, sequence: int) -> tuple[int, int] | None:
        """Read when a command came, wall and monotonic time [ns]; None if it is not in the journal."""
        which = "SELECT wall_ns, monotonic_ns FROM command WHERE sequence = ?"
        with self._snapshot() as files:
            for file in reversed(files):
                for wall_ns, monotonic_ns in file.rows(which, (sequence,)):
                    return int(wall_ns), int(monotonic_ns)
        return None

    def outcomes_after(self, outcome: int, count: int) -> list[tuple[int, int]]:
        """Read the numbers of at most `count` outcomes after number `outcome`, in order, each with its command's."""
        which = "SELECT id, sequence FROM outcome WHERE id > ? ORDER BY id LIMIT ?"
        with self._snapshot() as files:
            found = [file.rows(which, (outcome, count)) for file in files]
        # Until it is discarded, two files have an outcome.
        return [(int(order), int(sequence)) for order, sequence in sorted(set(itertools.chain(*found)))[:count]]

    def first_sequence(self) -> int:
        """Read the number of the oldest command that is still here, 0 if there is none."""
        with self._snapshot() as files:
            oldest = files[0].rows("SELECT coalesce(min(sequence), 0) FROM command")[0][0]
        return int(oldest)

    def entry(self, sequence: int) -> Entry:
        """Read one command. Raises ReviewError if it is not in the journal."""
        for entry in self.entries(Filter(first=sequence, last=sequence)):
            return entry
        last = self.last_sequence()
        has = f"it has commands {self.first_sequence()} to {last}" if last else "it has no commands yet"
        raise ReviewError(f"{self.path}: there is no command {sequence} in this journal; {has}")

    def command_of_lattice(self, lattice_id: str) -> int | None:
        """Find the newest command that led to a lattice, by its id or the beginning of it; None if none did."""
        escaped = lattice_id.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
        which = "SELECT id, sequence FROM outcome WHERE lattice_after GLOB ? || '*' ORDER BY id DESC LIMIT 1"
        with self._snapshot() as files:
            found = [(int(row[0]), int(row[1])) for file in files for row in file.rows(which, (escaped,))]
        return max(found)[1] if found else None

    def entries(self, which: Filter = EVERYTHING) -> Iterator[Entry]:
        """Read commands in the order of their numbers, in chunks, so that a long journal does not fill the memory."""
        where, values = which.where()
        after = (which.first or 1) - 1
        while which.last is None or after < which.last:
            with self._snapshot() as files:
                file = next(file for file in files if file.last > after)
                rows = file.commands(f"{where} AND sequence > ?", (*values, after), "ASC", CHUNK)
                entries = entries_of(file, rows, files[-1])
            yield from entries
            if len(rows) == CHUNK:
                after = entries[-1].sequence
            elif file is files[-1]:
                return
            else:
                after = file.last

    def newest(self, count: int, which: Filter = EVERYTHING) -> tuple[Entry, ...]:
        """Read the newest `count` commands that match the filter, oldest first."""
        where, values = which.where()
        found: list[Entry] = []
        with self._snapshot() as files:
            for file in _within(files[::-1], which):
                rows = file.commands(where, values, "DESC", count - len(found))
                found = entries_of(file, rows[::-1], files[-1]) + found
                if len(found) == count:
                    break
        return tuple(found)

    def newest_changes(self, count: int) -> tuple[Entry, ...]:
        """Read the newest `count` commands that changed a setting, oldest first. Raises ReviewError for too few."""
        found = self.newest(count, CHANGED)
        if len(found) < count:
            raise ReviewError(f"{self.path}: only {len(found)} commands in this journal changed a setting, not {count}")
        return found

    def count(self, which: Filter = EVERYTHING, limit_s: float = 0.3) -> int | None:
        """Count the commands that match the filter; None if that takes longer than `limit_s`."""
        where, values = which.where()
        # Numbers have no gaps.
        counted = (
            "max(sequence) - min(sequence) + 1" if which == Filter(first=which.first, last=which.last) else "count(*)"
        )
        total, deadline = 0, time.monotonic() + limit_s
        with self._snapshot() as files:
            for file in _within(files, which):
                file.connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
                try:
                    sql = f"SELECT {counted} FROM command WHERE {where} AND sequence BETWEEN ? AND ?"
                    row = file.connection.execute(sql, (*values, file.first, file.last)).fetchone()
                except sqlite3.OperationalError:
                    return None
                finally:
                    self._bound(file.connection)
                total += int(row[0] or 0)
        return total

    def effects(self, *, run: int | None = None, first: int = 1, last: int | None = None) -> tuple[Effect, ...]:
        """Read the changes that commands `first` to `last` made, of one run or of all, in the order of acting."""
        which = f"SELECT outcome.id, sequence, run, device, setting, unit, setting_old, setting_done{_EFFECTS}"
        found = []
        with self._snapshot() as files:
            for file in _within(files, Filter(first=first, last=last)):
                bounds = (max(first, file.first), file.last if last is None else min(last, file.last))
                found.append(file.rows(f"{which} ORDER BY outcome.id, position", (*bounds, run, run)))
        merged = heapq.merge(*found, key=lambda row: row[0])
        return tuple(Effect(r[1], r[2], (r[3], r[4]), r[5], decode(r[6]), float(r[7])) for r in merged)

    def units(self) -> dict[Key, str]:
        """Read the units of settings, as far as commands have named them."""
        with self._snapshot() as files:
            rows = [row for file in files for row in file.rows("SELECT DISTINCT device, setting, unit FROM effect")]
        return {(device, setting): unit for device, setting, unit in rows}

    def last_effects(self, run: int, last: int | None = None) -> LastEffects:
        """Read what the commands of a run, up to number `last`, gave each setting last."""
        # SQLite takes the other columns from the row with the maximum.
        which = (
            "SELECT max(outcome.id * 100000 + position), sequence, device, setting, setting_done"
            f"{_EFFECTS} GROUP BY device, setting"
        )
        newest: dict[Key, tuple[int, int, float]] = {}
        with self._snapshot() as files:
            for file in _within(files, Filter(last=last)):
                high = file.last if last is None else min(last, file.last)
                for order, sequence, device, setting, done in file.rows(which, (file.first, high, run, run)):
                    key = (device, setting)
                    if key not in newest or newest[key][0] < order:
                        newest[key] = (order, sequence, float(done))
        acted_last = max(newest.values(), default=(0, 0, 0.0))
        return LastEffects({key: value for key, (_, _, value) in newest.items()}, acted_last[1])

    def ranges(self, machine: str, first_ns: int, last: int) -> dict[Key, SettingRange]:
        """Read the range of values of each setting in runs of a machine, from a wall time to command `last`."""
        runs = json.dumps([run.run for run in self.runs() if run.machine == machine])
        finite = "typeof(setting_old) = 'real' AND typeof(setting_done) = 'real'"
        which = (
            "SELECT device, setting, min(min(setting_old, setting_done)), max(max(setting_old, setting_done)),"
            f" count(DISTINCT sequence){_EFFECTS} AND command.wall_ns >= ? AND {finite}"
            " AND run IN (SELECT value FROM json_each(?)) GROUP BY device, setting"
        )
        found: dict[Key, SettingRange] = {}
        with self._snapshot() as files:
            for file in _within(files, Filter(last=last)):
                bounds = (file.first, min(last, file.last))
                for device, setting, low, high, count in file.rows(which, (*bounds, None, None, first_ns, runs)):
                    one = found.get((device, setting), SettingRange(low, high, 0))
                    found[device, setting] = SettingRange(min(one.low, low), max(one.high, high), one.commands + count)
        return found

    def follow(
        self,
        which: Filter = EVERYTHING,
        *,
        after: int,
        settle_s: float = 2.0,
        poll_s: float = 0.1,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> Iterator[Followed]:
        """Yield new commands after number `after`, endlessly, in order, and again when they get a further outcome.

        Each is yielded when it has an outcome, or after `settle_s` without one.
        """
        seen: dict[int, float] = {}
        shown: dict[int, int] = {}  # the newest outcome with which a command was yielded
        version = -1
        outcome = int(self._live().rows("SELECT coalesce(max(id), 0) FROM outcome")[0][0])
        while True:
            changed = int(self._live().rows("PRAGMA data_version")[0][0])
            if changed != version or seen:
                version = changed
                further = self._live().rows("SELECT id, sequence FROM outcome WHERE id > ? ORDER BY id", (outcome,))
                late = dict.fromkeys(n for order, n in further if n <= after and order > shown.get(n, 0))
                outcome, shown = max([outcome, *(order for order, _ in further)]), {}
                for sequence in late:
                    yield from (Followed(entry, True) for entry in self.entries(_only(which, sequence)))
                for entry in self.entries(Filter(first=after + 1)):
                    first_seen = seen.setdefault(entry.sequence, clock())
                    if entry.outcome is None and clock() - first_seen < settle_s:
                        break
                    after = entry.sequence
                    del seen[entry.sequence]
                    shown[entry.sequence] = max((each.order for each in entry.outcomes), default=0)
                    yield from (Followed(entry, False) for entry in self.entries(_only(which, entry.sequence)))
            sleep(poll_s)

    def _open(self, path: Path) -> sqlite3.Connection:
        connection = open_for_reading(path)
        self._bound(connection)
        return connection

    def _bound(self, connection: sqlite3.Connection) -> None:
        """Let queries end at the limit, if there is one."""
        end = self._end
        if end is None:
            connection.set_progress_handler(None, 0)
        else:
            connection.set_progress_handler(lambda: time.monotonic() > end, FEW_STEPS)

    def _live(self) -> JournalFile:
        return JournalFile(self.path, self._connection)

    @contextmanager
    def _snapshot(self) -> Iterator[list[JournalFile]]:
        """Hold one consistent state of the journal for several queries: its files, oldest first."""
        live = self._live()
        live.rows("BEGIN")
        try:
            # What is missing in this state of the live file was in a part before: look for parts after it is taken.
            live.rows("SELECT max(run) FROM run")
            files = []
            for part in parts_of(self.path):
                if part.path not in self._parts:
                    self._parts[part.path] = self._open(part.path)
                files.append(JournalFile(part.path, self._parts[part.path], part.first, part.last))
            yield [*files, replace(live, first=files[-1].last + 1 if files else 0)]
        finally:
            self._connection.rollback()


def _within(files: Sequence[JournalFile], which: Filter) -> list[JournalFile]:
    """Select the files that can have commands of a filter."""
    first, last = which.first or 0, which.last
    return [file for file in files if file.last >= first and (last is None or file.first <= last)]


def _only(which: Filter, sequence: int) -> Filter:
    if (which.first or 0) > sequence or (which.last is not None and which.last < sequence):
        return Filter(first=1, last=0)
    return replace(which, first=sequence, last=sequence)
