import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from math import inf, isnan, nan
from pathlib import Path

import pytest

from gnomon.lattice import Client, Outcome
from gnomon.recorder import Journal, JournalError
from gnomon.recorder.reader import Reader
from gnomon.recorder.schema import VERSION, open_for_writing
from programs.running import run
from unit.recorder.records import applied, begin, current, record, settled, small_journal, strength, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "twin.journal"


def test_a_command_that_was_appended_is_read_back_unchanged(path: Path) -> None:
    asked = record(1, strength("M1", 1.5, 1.7, 1.4), current("Q1", 2.0, 2.5), note="undo 12")
    done = settled(1, Outcome.MODIFIED, strength("M1", 1.5, 1.7, 1.4, done=True), current("Q1", 2.0, 2.5, 2.4))
    with Journal(path) as journal:
        run = begin(journal, Q1=2.0)
        journal.append([asked], [done])
    with Reader(path) as reader:
        entry = reader.entry(1)
        assert reader.run(run).baseline == {("Q1", "current"): 2.0}
    assert entry.client == asked.command.client
    assert (entry.wall_ns, entry.monotonic_ns) == (asked.command.wall_ns, asked.command.monotonic_ns)
    assert (entry.note, entry.lattice_before, entry.run) == ("undo 12", "before1", run)
    for stored, given in zip(entry.changes, asked.changes, strict=True):
        assert all(getattr(stored, name) == getattr(given, name) for name in stored.__slots__)
    (outcome,) = entry.outcomes
    assert (outcome.outcome, outcome.lattice_after, outcome.wall_ns) == (Outcome.MODIFIED, "after1", done.wall_ns)
    assert [e.done for e in outcome.effects] == [1.7, 2.4]


def test_numbers_go_on_over_runs_without_a_gap(path: Path) -> None:
    with Journal(path) as journal:
        assert begin(journal) == 1
        write(journal, applied(1, "Q1", 0.0, 1.0), applied(2, "Q1", 1.0, 2.0))
    with Journal(path) as journal:
        assert journal.next_sequence == 3
        assert begin(journal) == 2
        write(journal, applied(3, "Q1", 0.0, 1.0))
    with Reader(path) as reader:
        assert [(e.sequence, e.run) for e in reader.entries()] == [(1, 1), (2, 1), (3, 2)]


@pytest.mark.parametrize("wrong", [0, 1, 3, 4])
def test_a_number_out_of_order_is_refused_and_nothing_is_written(path: Path, wrong: int) -> None:
    with Journal(path) as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        with pytest.raises(JournalError, match="next number is 2"):
            write(journal, applied(wrong, "Q1", 1.0, 2.0))
        assert journal.next_sequence == 2
        write(journal, applied(2, "Q1", 1.0, 2.0))


def test_a_command_before_any_run_is_refused(path: Path) -> None:
    with Journal(path) as journal, pytest.raises(JournalError, match="begin_run"):
        write(journal, applied(1, "Q1", 0.0, 1.0))


@pytest.mark.parametrize("value", [nan, inf, -inf, 5e-324, 1.7976931348623157e308])
def test_a_refused_value_is_kept_whatever_it_is(path: Path, value: float) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(1, current("Q1", 0.0, value))], [settled(1, Outcome.REJECTED, reason="no")])
    with Reader(path) as reader:
        entry = reader.entry(1)
    (change,) = entry.changes
    assert change.new is not None
    assert isnan(change.new) if isnan(value) else change.new == value
    assert change.done is None
    assert entry.outcome is Outcome.REJECTED
    assert entry.reason == "no"
    assert isnan(change.physics_new["Q1M.k1"]) == isnan(value)


def test_a_value_that_is_not_a_number_is_kept_as_none(path: Path) -> None:
    wrong = replace(current("Q1", 0.0, 0.0), new=None)  # type: ignore[arg-type]
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(1, wrong)], [settled(1, Outcome.REJECTED, reason="'abc' is not a number")])
    with Reader(path) as reader:
        assert reader.entry(1).changes[0].new is None


def test_a_client_cannot_spoil_the_journal_with_its_name(path: Path) -> None:
    rogue = Client("\udcff'; DROP TABLE run; --", "h" * 100_000, "ca\0")
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(1, client=rogue)])
    with Reader(path) as reader:
        client = reader.entry(1).client
    assert client.user == "?'; DROP TABLE run; --"
    assert len(client.host) == 2000


def test_the_last_of_several_outcomes_counts(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(1, current("Q1", 0.0, 1.0))], [settled(1, Outcome.DELAYED)])
        journal.append([], [settled(1, Outcome.APPLIED, current("Q1", 0.0, 1.0, 1.0))])
        journal.append([], [settled(1, Outcome.APPLIED, reason="applied without result")])
    with Reader(path) as reader:
        entry = reader.entry(1)
    assert [o.outcome for o in entry.outcomes] == [Outcome.DELAYED, Outcome.APPLIED, Outcome.APPLIED]
    assert entry.reason == "applied without result"
    assert entry.applied is entry.outcomes[1]


def test_a_batch_with_one_bad_member_leaves_nothing_behind(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        with pytest.raises(JournalError, match="cannot be written"):
            journal.append([record(1, current("Q1", 0.0, 1.0))], [settled(7, Outcome.APPLIED)])
        assert journal.next_sequence == 1
        write(journal, applied(1, "Q1", 0.0, 2.0))
    with Reader(path) as reader:
        assert [c.new for e in reader.entries() for c in e.changes] == [2.0]


def test_a_second_recorder_is_refused_with_the_process_that_has_the_journal(path: Path) -> None:
    with Journal(path):
        second = run("journals", "open", str(path))
        assert second.returncode == 1
        assert f"process {os.getpid()}" in second.stderr
        with pytest.raises(JournalError, match=f"process {os.getpid()}"):
            Journal(path)
    Journal(path).close()


def test_a_forked_child_does_not_keep_the_journal_of_its_dead_parent(path: Path) -> None:
    parent = run("journals", "orphan", str(path), timeout_s=30.0)
    assert parent.returncode == 0, parent.stderr
    try:
        with Journal(path) as journal:
            assert journal.next_sequence == 1
    finally:
        os.kill(int(parent.stdout), 9)


def test_readers_look_in_while_it_is_written(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        with Reader(path) as reader:
            assert reader.last_sequence() == 0
            write(journal, applied(1, "Q1", 0.0, 1.0))
            assert reader.last_sequence() == 1


def test_a_newer_journal_is_refused_for_writing_and_reading(path: Path) -> None:
    small_journal(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(JournalError, match="newer gnomon"):
        Journal(path)
    with pytest.raises(JournalError, match="newer gnomon"):
        Reader(path)


def test_another_database_is_not_taken_for_a_journal(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE run (x)")
    connection.close()
    with pytest.raises(JournalError, match="not a journal"):
        Journal(path)
    with pytest.raises(JournalError, match="not a journal"):
        Reader(path)


def test_a_file_that_is_not_a_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"precious notes " * 1000)
    with pytest.raises(JournalError):
        Journal(path)
    with pytest.raises(JournalError):
        Reader(path)
    assert path.read_bytes() == b"precious notes " * 1000


def test_a_folder_that_is_not_there_is_an_error_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"nowhere/twin\.journal"):
        Journal(tmp_path / "nowhere" / "twin.journal")
    with pytest.raises(JournalError, match="no journal here"):
        Reader(tmp_path / "nowhere" / "twin.journal")


class FailingConnection(sqlite3.Connection):
    """Fails at a statement as a disk would: before it, or, as with a sync, after the data has gone out."""

    fail_at = ""
    after = False

    def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
        cls = FailingConnection
        fails = bool(cls.fail_at) and sql.startswith(cls.fail_at)
        if fails and not cls.after:
            raise sqlite3.OperationalError("disk I/O error")
        cursor = super().execute(sql, *arguments)  # type: ignore[arg-type]
        if fails:
            raise sqlite3.OperationalError("disk I/O error")
        return cursor


def failing(path: Path) -> sqlite3.Connection:
    open_for_writing(path).close()
    connection = sqlite3.connect(
        path, timeout=0.1, isolation_level=None, check_same_thread=False, factory=FailingConnection
    )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def impatient(path: Path) -> sqlite3.Connection:
    """Waits for readers for a moment only."""
    connection = open_for_writing(path)
    connection.execute("PRAGMA busy_timeout = 50")
    return connection


@pytest.mark.parametrize(("statement", "after"), [("BEGIN", False), ("COMMIT", False), ("COMMIT", True)])
def test_after_a_failed_commit_nothing_of_it_is_there_and_the_journal_works_again(
    path: Path, statement: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(path, failing) as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        monkeypatch.setattr(FailingConnection, "fail_at", statement)
        monkeypatch.setattr(FailingConnection, "after", after)
        for _ in range(2):
            with pytest.raises(JournalError, match="disk I/O error"):
                write(journal, applied(2, "Q1", 1.0, 666.0), applied(3, "Q1", 666.0, 667.0))
            assert journal.next_sequence == 2
        monkeypatch.setattr(FailingConnection, "fail_at", "")
        write(journal, applied(2, "Q1", 1.0, 2.0))
        journal.append([], [settled(1, Outcome.APPLIED, reason="late")])
    with Reader(path) as reader:
        assert [(e.sequence, e.changes[0].new) for e in reader.entries()] == [(1, 1.0), (2, 2.0)]
        assert [o.reason for o in reader.entry(1).outcomes] == ["", "late"]


def test_after_a_failure_the_log_is_moved_into_the_file_before_anything_new(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(path, failing) as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM command").fetchall()
        monkeypatch.setattr(FailingConnection, "fail_at", "COMMIT")
        with pytest.raises(JournalError):
            write(journal, applied(2, "Q1", 1.0, 2.0))
        monkeypatch.setattr(FailingConnection, "fail_at", "")
        write_log = path.with_name(path.name + "-wal")
        assert write_log.stat().st_size > 0
        with pytest.raises(JournalError, match="reader holds its log"):
            write(journal, applied(2, "Q1", 1.0, 2.0))
        reader.close()
        write(journal, applied(2, "Q1", 1.0, 2.0))
    with Reader(path) as again:
        assert again.last_sequence() == 2


def test_a_closed_journal_says_so(path: Path) -> None:
    journal = Journal(path)
    begin(journal)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        write(journal, applied(1, "Q1", 0.0, 1.0))


def test_a_finished_journal_can_be_read_from_a_read_only_medium(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_journal(path)
    assert sorted(p.name for p in path.parent.iterdir()) == ["twin.journal", "twin.journal.lock"]
    real = sqlite3.connect

    class Unwritable(sqlite3.Connection):
        """A connection that behaves as SQLite does where it cannot create the files of a log."""

        def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
            raise sqlite3.OperationalError("unable to open database file")

    def read_only(location: str, **options: object) -> sqlite3.Connection:
        factory = sqlite3.Connection if "immutable" in location else Unwritable
        return real(location, factory=factory, **options)  # type: ignore[call-overload]

    with Reader(path) as reader:
        whole = repr(list(reader.entries()))
    monkeypatch.setattr("gnomon.recorder.schema.sqlite3.connect", read_only)
    with Reader(path) as reader:
        assert repr(list(reader.entries())) == whole


def test_a_run_and_its_first_command_are_written_together_or_not_at_all(path: Path) -> None:
    with Journal(path) as journal:
        with pytest.raises(JournalError, match="next number is 1"):
            journal.begin_run(
                machine="toy", digest="d1", prefix="T:", lattice_id="x", baseline={}, first=applied(2, "Q1", 0.0, 1.0)
            )
        assert (journal.run, journal.next_sequence) == (0, 1)
        journal.begin_run(
            machine="toy", digest="d1", prefix="T:", lattice_id="x", baseline={}, first=applied(1, "Q1", 0.0, 1.0)
        )
        write(journal, applied(2, "Q1", 1.0, 2.0))
    with Reader(path) as reader:
        assert [(e.sequence, e.run, e.outcome) for e in reader.entries()] == [
            (1, 1, Outcome.APPLIED),
            (2, 1, Outcome.APPLIED),
        ]
        assert reader.newest_run_of("toy", "T:") == reader.run(1)
        assert reader.newest_run_of("toy", "U:") is None


def values(path: Path) -> list[float | None]:
    with Reader(path) as reader:
        return [entry.changes[0].new for entry in reader.entries()]


def set_aside(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def replace_it(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    path.rename(path.with_name("elsewhere"))
    other.rename(path)


@pytest.mark.parametrize(
    ("disturb", "why"),
    [
        (Path.unlink, "was removed while"),
        (set_aside, "was renamed"),
        (move_folder, "was renamed, or the folder it is in"),
        (replace_it, "another file was put in the journal's place"),
    ],
)
@pytest.mark.parametrize("through", ["its name", "a link"])
def test_a_journal_that_is_taken_away_refuses_every_command_and_says_what_to_do(
    tmp_path: Path, disturb: Callable[[Path], None], why: str, through: str
) -> None:
    path = tmp_path / "folder" / "twin.journal"
    path.parent.mkdir()
    name = path
    if through == "a link":
        name = tmp_path / "link.journal"
        name.symlink_to(path)
    with Journal(name) as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        disturb(path)
        for _ in range(2):
            with pytest.raises(JournalError, match=why) as error:
                write(journal, applied(2, "Q1", 1.0, 2.0))
            assert str(name) in str(error.value)
            assert "commands are refused until the same file is back" in str(error.value)
        assert journal.next_sequence == 2


@pytest.mark.parametrize("disturb", [set_aside, replace_it])
def test_a_journal_that_is_moved_back_goes_on_with_all_that_was_acknowledged(
    path: Path, disturb: Callable[[Path], None]
) -> None:
    with Journal(path) as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        disturb(path)
        with pytest.raises(JournalError, match="Move it back"):
            write(journal, applied(2, "Q1", 1.0, 666.0))
        path.with_name("elsewhere").rename(path)
        write(journal, applied(2, "Q1", 1.0, 2.0))
    assert values(path) == [1.0, 2.0]


def test_a_journal_that_was_renamed_is_whole_without_its_log(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        set_aside(path)
    assert values(path.with_name("elsewhere")) == [1.0]


def test_a_journal_that_was_deleted_is_rescued_by_the_server_that_still_has_it(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        path.unlink()
        for _ in range(2):
            with pytest.raises(JournalError, match=r"All of it is in .*twin\.journal\.rescued-\d+: stop the server"):
                write(journal, applied(2, "Q1", 1.0, 2.0))
    (rescued,) = path.parent.glob("*.rescued-*")
    rescued.rename(path)
    with Journal(path) as journal:
        assert journal.next_sequence == 2
        begin(journal)
        write(journal, applied(2, "Q1", 1.0, 2.0))
    assert values(path) == [1.0, 2.0]


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_log_that_is_taken_away_is_saved_into_the_journal_before_anything_else(path: Path, how: str) -> None:
    log = path.with_name(path.name + "-wal")
    with Journal(path) as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        log.unlink()
        if how == "replaced":
            log.write_bytes(b"something else")
        with pytest.raises(
            JournalError, match=r"twin\.journal-wal, was removed or replaced; what it held has been saved"
        ):
            write(journal, applied(2, "Q1", 1.0, 666.0))
        write(journal, applied(2, "Q1", 1.0, 2.0))
        write(journal, applied(3, "Q1", 2.0, 3.0))
    assert values(path) == [1.0, 2.0, 3.0]


def test_a_log_that_is_taken_away_while_a_reader_holds_it_is_saved_when_the_reader_ends(path: Path) -> None:
    with Journal(path, impatient) as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM command").fetchall()
        path.with_name(path.name + "-wal").unlink()
        for _ in range(2):
            with pytest.raises(JournalError, match="cannot be saved: a reader holds it"):
                write(journal, applied(2, "Q1", 1.0, 666.0))
        reader.close()
        with pytest.raises(JournalError, match="has been saved into the journal"):
            write(journal, applied(2, "Q1", 1.0, 666.0))
        write(journal, applied(2, "Q1", 1.0, 2.0))
    assert values(path) == [1.0, 2.0]


def test_a_journal_that_has_lost_what_was_acknowledged_is_not_continued(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(path, failing) as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0), applied(2, "Q1", 1.0, 2.0))
        monkeypatch.setattr(FailingConnection, "fail_at", "BEGIN")
        with pytest.raises(JournalError):
            write(journal, applied(3, "Q1", 2.0, 3.0))
        monkeypatch.setattr(FailingConnection, "fail_at", "")
        with sqlite3.connect(path) as stranger:
            for table in ("effect", "change", "outcome", "command"):
                stranger.execute(f"DELETE FROM {table}")
        stranger.close()
        with pytest.raises(JournalError, match="it ends at command 0, but 2 were acknowledged"):
            write(journal, applied(3, "Q1", 2.0, 3.0))


def test_a_command_that_is_committed_where_nobody_finds_it_is_refused_and_taken_out(path: Path) -> None:
    """The file goes between the check and the commit."""

    class Meddled(sqlite3.Connection):
        def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
            if sql == "COMMIT" and meddle:
                set_aside(path)
            return super().execute(sql, *arguments)  # type: ignore[arg-type]

    def connect(place: Path) -> sqlite3.Connection:
        open_for_writing(place).close()
        return sqlite3.connect(place, isolation_level=None, check_same_thread=False, factory=Meddled)

    meddle = False
    with Journal(path, connect) as journal:
        begin(journal)
        meddle = True
        with pytest.raises(JournalError, match="was renamed"):
            write(journal, applied(1, "Q1", 0.0, 666.0))
        meddle = False
        path.with_name("elsewhere").rename(path)
        write(journal, applied(1, "Q1", 0.0, 1.0))
    assert values(path) == [1.0]


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
@pytest.mark.parametrize("where", ["here", "in another process"])
def test_a_second_recorder_is_refused_through_a_link(path: Path, kind: str, where: str) -> None:
    link = path.with_name("link.journal")
    with Journal(path) as journal:
        begin(journal)
        link.symlink_to(path) if kind == "symbolic" else link.hardlink_to(path)
        if where == "here":
            with pytest.raises(JournalError) as error:
                Journal(link)
            refusal = str(error.value)
        else:
            second = run("journals", "open", str(link))
            assert second.returncode == 1
            refusal = second.stderr
        assert "link.journal" in refusal
        # Within a process the file itself tells; from another one, links are counted before.
        assert (
            "2 names (hard links)" if (kind, where) == ("hard", "in another process") else "another recorder"
        ) in refusal
        write(journal, applied(1, "Q1", 0.0, 1.0))
    assert values(path) == [1.0]


def test_the_journal_itself_is_locked_not_only_the_file_beside_it(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        path.with_name(path.name + ".lock").unlink()
        second = run("journals", "open", str(path))
        assert second.returncode == 1
        assert "it has opened the file under another name" in second.stderr
        write(journal, applied(1, "Q1", 0.0, 1.0))
        # SQLite's own locks are untouched: a stranger that closes the database does not remove the log.
        code = f"import sqlite3; c = sqlite3.connect({str(path)!r})\n"
        code += "print(c.execute('SELECT max(sequence) FROM command').fetchone())"
        stranger = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert stranger.stdout.strip() == "(1,)"
        assert path.with_name(path.name + "-wal").exists()
        write(journal, applied(2, "Q1", 1.0, 2.0))


def test_a_journal_with_two_names_is_refused_at_the_start(path: Path) -> None:
    small_journal(path)
    path.with_name("link.journal").hardlink_to(path)
    with pytest.raises(JournalError, match=r"2 names \(hard links\).*copy"):
        Journal(path)
