"""Items of a journal: all of them, once, in order, wherever archiving has moved them."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gnomon.lattice import Outcome
from gnomon.recorder import Journal, JournalError, Reader, archive, rotation
from gnomon.recorder.journal_feed import (
    JournalFeed,
    JournalItem,
    MissingCommandsError,
    Position,
    ReplacedJournalError,
)
from gnomon.recorder.parts import parts_of
from unit.recorder.records import applied, begin, current, record, settled, small_journal, write


def brief(item: JournalItem) -> str:
    """`c4`: command 4; `o5`: the outcome of number 5."""
    return f"o{item.outcome.order}" if item.outcome is not None else f"c{item.entry.sequence}"


def all_items(path: Path, count: int, position: Position | None = None) -> list[str]:
    feed, position, found = JournalFeed(path), position or Position(), list[str]()
    while True:
        items, after = feed.read(position, count)
        if after == position:
            feed.close()
            return found
        found += map(brief, items)
        assert after == (items[-1].position if items else after)
        position = after


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """Eight commands, of which 5 waits until after 7."""
    path = small_journal(tmp_path / "twin.journal")
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, current("Q1", 3.0, 7.0))], [settled(5, Outcome.DELAYED)])
        write(journal, applied(6, "Q1", 3.0, 4.0), applied(7, "Q2", 5.0, 6.0))
        journal.append([], [settled(5, Outcome.APPLIED, current("Q1", 4.0, 7.0, 7.0))])
        write(journal, applied(8, "Q3", 0.0, 1.0))
    return path


@pytest.mark.parametrize("count", [1, 2, 3, 100])
@pytest.mark.parametrize("archived", [False, True])
def test_each_outcome_comes_after_its_command_and_nothing_comes_twice(
    late: Path, count: int, archived: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if archived:
        monkeypatch.setattr(rotation, "CHUNK", 2)
        with Journal(late) as journal:
            begin(journal)
            assert archive(journal, settled_ns=0)
    found = all_items(late, count)
    assert [each for each in found if each[0] == "c"] == [f"c{n}" for n in range(1, 9)]
    assert [each for each in found if each[0] == "o"] == [f"o{n}" for n in range(1, 10)]
    of = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 5, 9: 8}
    assert all(found.index(f"c{sequence}") < found.index(f"o{order}") for order, sequence in of.items())


def test_a_reader_that_stops_between_files_goes_on_after_archiving(late: Path) -> None:
    feed = JournalFeed(late)
    _, position = feed.read(Position(), 3)
    with Journal(late) as journal:
        begin(journal)
        assert archive(journal, settled_ns=0)
    rest, _ = feed.read(position, 100)
    assert brief(rest[0]) == "c4"
    assert feed.is_current()


def test_an_outcome_brings_its_command_with_all_outcomes_by_now(late: Path) -> None:
    items, _ = JournalFeed(late).read(Position(), 100)
    delayed = next(each for each in items if brief(each) == "o5")
    assert [outcome.order for outcome in delayed.entry.outcomes] == [5, 8]
    assert delayed.run.prefix == "TWIN:"


def test_commands_whose_part_was_removed_are_named(late: Path) -> None:
    with Journal(late) as journal:
        begin(journal)
        part = archive(journal, settled_ns=0)
    assert part is not None
    part.path.unlink()
    feed = JournalFeed(late)
    with pytest.raises(MissingCommandsError) as caught:
        feed.read(Position(2, 2), 100)
    assert (caught.value.first, caught.value.last) == (3, part.last)
    items, _ = feed.read(Position(part.last, 2), 100)
    assert brief(items[0]) == f"c{part.last + 1}"


def test_an_older_copy_and_another_journal_are_recognised(late: Path, tmp_path: Path) -> None:
    feed = JournalFeed(late)
    _, position = feed.read(Position(), 100)
    older = small_journal(tmp_path / "older")
    with pytest.raises(ReplacedJournalError, match="older copy"):
        JournalFeed(older).read(position, 100)
    with Journal(older) as journal:  # grows beyond what was read
        begin(journal)
        for number in range(5, 12):
            other = record(number, current("Q1", 1.0, 2.0))
            journal.append([other], [settled(number, Outcome.APPLIED)] * 2)
    moved = Position(4, 4, (1, 2))
    with pytest.raises(ReplacedJournalError, match="not the one"):
        JournalFeed(older).read(moved, 100)


def test_identity_survives_growth_archiving_and_copies(late: Path, tmp_path: Path) -> None:
    before = JournalFeed(late).identity()
    with Journal(late) as journal:
        begin(journal)
        archive(journal, settled_ns=0)
    assert JournalFeed(late).identity() == before
    for file in (late, *(part.path for part in parts_of(late))):
        shutil.copy(file, tmp_path / file.name.replace("twin", "copy"))
    assert JournalFeed(tmp_path / "copy.journal").identity() == before


def test_a_file_in_the_journals_place_is_noticed(late: Path) -> None:
    feed = JournalFeed(late)
    late.rename(late.with_name("away"))
    assert not feed.is_current()
    small_journal(late)
    assert not feed.is_current()
    with pytest.raises(JournalError):
        JournalFeed(late.with_name("nowhere"))


def test_the_place_before_a_command_and_the_end(late: Path) -> None:
    feed = JournalFeed(late)
    end = feed.end()
    assert (end.sequence, end.outcome) == (8, 9)
    assert feed.read(end, 10) == ([], end)
    before = feed.before(8)
    assert (before.sequence, before.outcome) == (7, 8)
    assert feed.time_after(before) is not None
    assert feed.time_after(end) is None


def test_a_reader_that_stands_still_in_the_middle_of_a_reading_holds_no_command_up(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        with Reader(tmp_path / "journal") as reader:
            with reader._snapshot():
                for first in range(2, 8002, 400):  # more than SQLite moves from its log into the file by itself
                    write(journal, *(applied(n, "Q1", n - 1.0, float(n)) for n in range(first, first + 400)))
                assert reader.last_sequence() == 1
            assert reader.last_sequence() == 8001


def test_a_reader_that_keeps_the_lock_of_writing_has_commands_refused_and_not_waited_for(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        with closing(sqlite3.connect(tmp_path / "journal", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalError, match="database is locked"):  # after SQLite's own 2 s
                write(journal, applied(2, "Q1", 1.0, 2.0))
            other.execute("ROLLBACK")
            write(journal, applied(2, "Q1", 1.0, 2.0))
        assert journal.next_sequence == 3
