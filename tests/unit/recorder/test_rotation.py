"""Archiving a journal: every command stays readable, numbers go on, and a kill at any step loses nothing."""

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gnomon.lattice import Outcome
from gnomon.recorder import Filter, Journal, JournalError, Reader, ReviewError, rotation
from gnomon.recorder.entries import Entry
from gnomon.recorder.parts import parts_of
from gnomon.recorder.recorded_states import last_state_of, state_at, state_now
from gnomon.recorder.rotation import Rotation, archive, due
from unit.recorder.records import MORNING, SECOND, applied, begin, current, record, settled, small_journal, write


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "CHUNK", 2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Eight commands, of which 5 waits until after 7."""
    path = small_journal(tmp_path / "twin.journal")
    with Journal(path) as journal:
        begin(journal, Q1=3.0, Q2=5.0)
        journal.append([record(5, current("Q1", 3.0, 7.0))], [settled(5, Outcome.DELAYED)])
        write(journal, applied(6, "Q1", 3.0, 4.0), applied(7, "Q2", 5.0, 6.0))
        journal.append([], [settled(5, Outcome.APPLIED, current("Q1", 4.0, 7.0, 7.0))])
        write(journal, applied(8, "Q3", 0.0, 1.0))
    return path


def everything(path: Path) -> str:
    """All that is recorded; as text, in which NaN equals NaN."""
    with Reader(path) as reader:
        return shown(reader.entries())


def shown(entries: Iterable[Entry]) -> str:
    return "\n".join(map(repr, entries))


def numbers(path: Path) -> list[int]:
    with Reader(path) as reader:
        return [entry.sequence for entry in reader.entries()]


def archived(path: Path) -> list[tuple[int, int]]:
    return [(part.first, part.last) for part in parts_of(path)]


def test_archived_commands_are_read_as_before(path: Path) -> None:
    before = everything(path)
    with Reader(path) as reader:
        effects, points = reader.effects(), [state_at(reader, n) for n in range(9)]
        left = last_state_of(reader, "toy", "TWIN:")
        counted = [reader.count(which) for which in (Filter(), Filter(pv="*Q1*"), Filter(first=3, last=7))]
    with Journal(path) as journal:
        assert archive(journal) is not None
    assert archived(path) == [(1, 7)]
    assert everything(path) == before
    with Reader(path) as reader:
        assert reader.effects() == effects
        assert [state_at(reader, n) for n in range(9)] == points
        assert last_state_of(reader, "toy", "TWIN:") == left
        assert [reader.count(which) for which in (Filter(), Filter(pv="*Q1*"), Filter(first=3, last=7))] == counted
        assert shown(reader.newest(3)) == "\n".join(before.splitlines()[-3:])
        assert [e.sequence for e in reader.newest(2, Filter(pv="*Q1*"))] == [5, 6]
        assert [e.sequence for e in reader.newest_changes(5)] == [4, 5, 6, 7, 8]
        assert repr(reader.entry(2)) == before.splitlines()[1]
        assert reader.command_of_lattice("after2") == 2
        assert reader.command_of_lattice("after") == 8
        assert (reader.first_sequence(), reader.last_sequence()) == (1, 8)


def test_numbers_go_on_and_the_next_part_follows_the_first(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        archive(journal)
        write(journal, applied(9, "Q1", 7.0, 8.0), applied(10, "Q1", 8.0, 9.0))
        archive(journal)
        assert archive(journal) is None
    assert archived(path) == [(1, 7), (8, 9)]
    with Journal(path) as journal:
        assert (journal.next_sequence, journal.run) == (11, 3)
    assert numbers(path) == list(range(1, 11))


def test_commands_that_have_not_acted_yet_or_are_young_are_not_archived(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(9, current("Q1", 7.0, 8.0))], [settled(9, Outcome.DELAYED)])
        write(journal, applied(10, "Q2", 6.0, 7.0), applied(11, "Q2", 7.0, 8.0))
        archive(journal)
        assert archived(path) == [(1, 8)]
        journal.append([], [settled(9, Outcome.APPLIED, current("Q1", 7.0, 8.0, 8.0))])
        archive(journal)
        assert archived(path) == [(1, 8)], "numbers of outcomes go on from that of command 9"
        assert archive(journal, settled_ns=10**19) is None
    with Reader(path) as reader:
        assert state_now(reader).settings[("Q1", "current")] == 8.0


def test_an_outcome_that_comes_after_all_is_kept(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        archive(journal)
        journal.append([], [settled(2, Outcome.APPLIED, reason="applied without result")])
        write(journal, applied(9, "Q1", 7.0, 8.0), applied(10, "Q1", 8.0, 9.0))
        archive(journal)
    with Reader(path) as reader:
        assert [o.reason for o in reader.entry(2).outcomes] == ["", "applied without result"]
        assert reader.entry(2).outcome is Outcome.APPLIED


def test_a_reader_that_was_open_before_sees_the_same(path: Path) -> None:
    with Reader(path) as reader, Journal(path) as journal:
        listing = reader.entries()
        first = next(listing)
        archive(journal)
        assert [first.sequence, *(entry.sequence for entry in listing)] == list(range(1, 9))
        assert [entry.sequence for entry in reader.entries()] == list(range(1, 9))


def test_a_part_is_a_journal_of_its_own_and_never_changes(path: Path) -> None:
    with Journal(path) as journal:
        part = archive(journal)
    assert part is not None
    assert part.path.stat().st_mode & 0o222 == 0
    with Reader(part.path) as reader:
        assert [entry.sequence for entry in reader.entries()] == list(range(1, 8))


def test_a_journal_that_was_removed_goes_on_from_its_parts(path: Path) -> None:
    with Journal(path) as journal:
        archive(journal)
    path.unlink()
    with Journal(path) as journal:
        assert journal.next_sequence == 8
        assert begin(journal) == 3
        write(journal, applied(8, "Q1", 0.0, 1.0))
    assert numbers(path) == list(range(1, 9))


def test_a_part_that_was_taken_away_is_missed_by_its_numbers(path: Path) -> None:
    with Journal(path) as journal:
        part = archive(journal)
    assert part is not None
    part.path.rename(part.path.parent / "elsewhere")
    assert numbers(path) == [8]
    with (
        Reader(path) as reader,
        pytest.raises(ReviewError, match="no command 3 in this journal; it has commands 8 to 8"),
    ):
        reader.entry(3)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Rotation(), False),
        (Rotation(size=1000), True),
        (Rotation(size=10**9), False),
        (Rotation(age_ns=10 * SECOND), True),
        (Rotation(age_ns=1000 * SECOND), False),
    ],
)
def test_a_journal_is_due_by_size_or_age(path: Path, limits: Rotation, expected: bool) -> None:
    assert due(path, limits, now_ns=MORNING + 100 * SECOND) is expected


def test_a_disk_without_room_refuses_and_leaves_all_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with Journal(path) as journal, pytest.raises(JournalError, match="No space left on device; all of them are still"):
        archive(journal)
    assert everything(path) == before
    assert sorted(p.name for p in path.parent.glob("*.archiving")) == []


STEPS = ("rotation.py", "parts.py", "journal.py", "schema.py")


def archive_traced(journal: Journal, at_line: Callable[[], None]) -> None:
    """Archive, with a call before each line of the modules that take part."""

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith(STEPS):
            return None
        if event == "line":
            at_line()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        archive(journal)
    finally:
        sys.settrace(before)


def killed_at(path: Path, line: int) -> bool:
    """Archive in a child that is killed before the line of that number; True if it was, False if it came to the end."""
    child = os.fork()
    if not child:
        lines = itertools.count()

        def kill() -> None:
            if next(lines) == line:
                os.kill(os.getpid(), signal.SIGKILL)

        archive_traced(Journal(path), kill)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def check_resumed(copy: Path, before: str, where: object) -> None:
    """All is there, and archiving again comes to the same end as without the kill."""
    assert everything(copy) == before, where
    with Journal(copy) as journal:
        assert journal.next_sequence == 9
        archive(journal)
    assert everything(copy) == before, where
    assert archived(copy) == [(1, 7)], where
    assert not list(copy.parent.glob("*.archiving*"))


@pytest.mark.slow(2)
def test_a_kill_at_some_lines_of_archiving_loses_nothing(path: Path, tmp_path: Path) -> None:
    before = everything(path)
    kills = 0
    for line in range(0, 10_000, 50):
        (place := tmp_path / str(line)).mkdir()
        copy = Path(shutil.copy(path, place / path.name))
        if not killed_at(copy, line):
            break
        kills += 1
        check_resumed(copy, before, line)
    assert kills > 3


def test_files_as_they_are_before_each_line_of_archiving_lose_nothing(path: Path, tmp_path: Path) -> None:
    """A killed process leaves its files as they are: so one run shows what a kill before any of its lines leaves."""
    before = everything(path)
    (begun := tmp_path / "begun").mkdir()
    original = Path(shutil.copy(path, begun / path.name))
    states: dict[tuple[tuple[str, bytes], ...], Path] = {}
    lines = itertools.count(1)

    def keep() -> None:
        next(lines)
        state = tuple((file.name, file.read_bytes()) for file in sorted(begun.iterdir()))
        if state not in states:
            states[state] = tmp_path / f"state{len(states)}"
            shutil.copytree(begun, states[state])

    with Journal(original) as journal:
        archive_traced(journal, keep)
    assert next(lines) > 150
    shutil.rmtree(begun)
    assert len(states) > 5
    for number, folder in enumerate(states.values()):
        check_resumed(folder / path.name, before, number)
