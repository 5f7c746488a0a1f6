"""One file of a journal: its range, its entries with the outcomes of two files, and values as they were given."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gnomon.lattice import Client, Outcome
from gnomon.recorder import Journal, JournalError
from gnomon.recorder.entries import StoredChange
from gnomon.recorder.journal_file import ENDLESS, JournalFile, entries_of, run_of
from gnomon.recorder.rotation import archive
from gnomon.recorder.schema import open_for_reading
from unit.recorder.records import MORNING, SECOND, begin, current, record, settled, small_journal, strength


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return small_journal(tmp_path / "twin.journal")


@pytest.fixture
def file(path: Path) -> Iterator[JournalFile]:
    with closing(open_for_reading(path)) as connection:
        yield JournalFile(path, connection)


def numbers(file: JournalFile, where: str = "1", values: tuple[object, ...] = (), order: str = "ASC") -> list[int]:
    return [row[0] for row in file.commands(where, values, order, 10)]


def test_commands_are_those_of_the_range_in_the_order_asked_for_and_not_more(path: Path, file: JournalFile) -> None:
    middle = JournalFile(path, file.connection, first=2, last=3)
    assert numbers(file) == [1, 2, 3, 4]
    assert numbers(middle) == [2, 3]
    assert numbers(middle, order="DESC") == [3, 2]
    assert numbers(middle, "sequence > ? AND user = ?", (1, "alice")) == [2]
    assert [row[0] for row in file.commands("1", (), "DESC", 2)] == [4, 3]


def test_the_file_that_is_written_has_no_last_command(file: JournalFile) -> None:
    assert (file.first, file.last) == (0, ENDLESS)
    assert ENDLESS == 9_223_372_036_854_775_807, "the largest number that SQLite can compare with"
    assert file.rows("SELECT ? > max(sequence) FROM command", (ENDLESS,)) == [(1,)]


def test_a_query_that_fails_names_the_file(path: Path, file: JournalFile) -> None:
    with pytest.raises(JournalError, match=r"twin\.journal: cannot be read: no such table: nonsense"):
        file.rows("SELECT * FROM nonsense")
    file.connection.close()
    with pytest.raises(JournalError, match=r"twin\.journal: cannot be read"):
        file.rows("SELECT 1")


def test_an_entry_holds_the_command_its_changes_and_what_became_of_it(file: JournalFile) -> None:
    (entry,) = entries_of(file, file.commands("sequence = 1", (), "ASC", 1), file)
    change = StoredChange(
        pv="TWIN:Q1:set", device="Q1", property="current", unit="A", old=1.0, new=2.0, done=None, setting="current",
        setting_old=1.0, setting_done=None, physics_old={"Q1M.k1": 0.01}, physics_new={"Q1M.k1": 0.02},
    )  # fmt: skip
    assert (entry.sequence, entry.run, entry.wall_ns, entry.monotonic_ns) == (1, 1, MORNING + SECOND, SECOND)
    assert (entry.client, entry.note, entry.lattice_before) == (Client("alice", "console1", "ca"), "", "before1")
    assert entry.changes == (change,)
    (outcome,) = entry.outcomes
    assert (outcome.order, outcome.outcome, outcome.wall_ns) == (1, Outcome.APPLIED, MORNING + SECOND + 1000)
    assert (outcome.lattice_after, outcome.reason) == ("after1", "")
    assert [(e.old, e.new, e.done, e.setting_done) for e in outcome.effects] == [(1.0, 2.0, 2.0, 2.0)]


def test_entries_keep_the_order_of_commands_changes_and_outcomes(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        many = [current(f"Q{k}", 0.0, float(k)) for k in (9, 3, 7)]
        journal.append([record(5, *many)], [settled(5, Outcome.DELAYED, reason="in 2 s")])
        journal.append([record(6, strength("QM", 1.0, 1.5, 0.75))], [])
        done = [current(f"Q{k}", 0.0, float(k), k / 2) for k in (7, 9)]
        journal.append([], [settled(5, Outcome.MODIFIED, *done, reason="scaled")])
    with closing(open_for_reading(path)) as connection:
        file = JournalFile(path, connection)
        fifth, sixth = entries_of(file, file.commands("sequence > 4", (), "ASC", 10), file)
    assert [change.device for change in fifth.changes] == ["Q9", "Q3", "Q7"]
    assert [(o.outcome, o.reason) for o in fifth.outcomes] == [
        (Outcome.DELAYED, "in 2 s"),
        (Outcome.MODIFIED, "scaled"),
    ]
    assert [(e.device, e.done) for e in fifth.outcomes[1].effects] == [("Q7", 3.5), ("Q9", 4.5)]
    assert [(c.old, c.setting, c.setting_old) for c in sixth.changes] == [(1.0, "k1_trim", 0.25)]
    assert sixth.outcomes == ()
    assert entries_of(file, [], file) == []


def test_an_outcome_after_archiving_follows_those_of_the_part_and_none_is_there_twice(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        part = archive(journal, settled_ns=0)
        assert part is not None
        journal.append([], [settled(2, Outcome.FAILED, reason="the supply tripped")])
    with closing(open_for_reading(part.path)) as old, closing(open_for_reading(path)) as new:
        archived = JournalFile(part.path, old, part.first, part.last)
        live = JournalFile(path, new, part.last + 1)
        rows = archived.commands("sequence = 2", (), "ASC", 1)
        (entry,) = entries_of(archived, rows, live)
        assert [o.outcome for o in entry.outcomes] == [Outcome.APPLIED, Outcome.FAILED]
        assert entry.reason == "the supply tripped"
        (alone,) = entries_of(archived, rows, archived)
        assert [o.outcome for o in alone.outcomes] == [Outcome.APPLIED]
        # While commands are moved, both files have them.
        (twice,) = entries_of(archived, rows, JournalFile(part.path, old))
        assert [o.outcome for o in twice.outcomes] == [Outcome.APPLIED]


def test_numbers_that_json_and_sqlite_do_not_have_come_back_as_they_were(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        odd = [current("Q1", math.inf, -math.inf), current("Q2", 1.0, math.nan)]
        journal.append([record(5, *odd)], [settled(5, Outcome.REJECTED)])
    with closing(open_for_reading(path)) as connection:
        file = JournalFile(path, connection)
        (entry,) = entries_of(file, file.commands("sequence = 5", (), "ASC", 1), file)
    first, second = entry.changes
    assert (first.old, first.new, first.done) == (math.inf, -math.inf, None)
    assert (first.physics_old, first.physics_new) == ({"Q1M.k1": math.inf}, {"Q1M.k1": -math.inf})
    assert second.new is not None
    assert math.isnan(second.new)
    assert math.isnan(second.physics_new["Q2M.k1"])


def test_a_run_has_the_settings_that_it_began_with(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (row,) = connection.execute("SELECT * FROM run").fetchall()
    run = run_of(row)
    assert (run.run, run.boot_id, run.machine, run.digest, run.prefix) == (1, "boot", "toy", "d1", "TWIN:")
    assert (run.wall_ns, run.lattice_id, run.baseline) == (MORNING, "start", {("Q1", "current"): 1.0})
