from collections.abc import Callable
from pathlib import Path

import pytest

from gnomon.lattice import Outcome
from gnomon.recorder import Journal, JournalError, ReviewError
from gnomon.recorder import reader as reader_module
from gnomon.recorder.filters import Filter
from gnomon.recorder.reader import Reader
from unit.recorder.records import MORNING, SECOND, applied, begin, current, record, settled, small_journal, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return small_journal(tmp_path / "twin.journal")


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (Filter(), [1, 2, 3, 4]),
        (Filter(since_ns=MORNING + 2 * SECOND), [2, 3, 4]),
        (Filter(until_ns=MORNING + 2 * SECOND), [1, 2]),
        (Filter(pv="*Q1*"), [1, 4]),
        (Filter(pv="TWIN:Q?:set"), [1, 2, 3, 4]),
        (Filter(pv="Q1"), [1, 4]),
        (Filter(pv="TWIN:Q"), []),
        (Filter(client="bob"), [3]),
        (Filter(client="cons*"), [1, 2, 4]),
        (Filter(client="alice@console1"), [1, 2, 4]),
        (Filter(outcome=Outcome.REJECTED), [3]),
        (Filter(first=2, last=3), [2, 3]),
        (Filter(changed=True), [1, 2, 4]),
        (Filter(pv="*Q1*", since_ns=MORNING + 2 * SECOND, outcome=Outcome.APPLIED), [4]),
    ],
)
def test_a_filter_lets_through_what_it_says(path: Path, which: Filter, found: list[int]) -> None:
    with Reader(path) as reader:
        assert [e.sequence for e in reader.entries(which)] == found
        assert [e.sequence for e in reader.newest(2, which)] == found[-2:]


def test_a_long_journal_is_read_in_chunks_without_loss(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "CHUNK", 3)
    with Reader(path) as reader:
        assert [e.sequence for e in reader.entries()] == [1, 2, 3, 4]
        assert [len(e.changes) for e in reader.entries()] == [1, 1, 1, 1]


def test_a_search_ends_at_the_limit_and_says_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "FEW_STEPS", 1)
    with Reader(path, limit_s=0.0) as reader, pytest.raises(JournalError, match="took too long; narrow it"):
        reader.newest(10, Filter(pv="*Q*"))
    with Reader(path, limit_s=1e6) as reader:
        assert len(reader.newest(10)) == reader.count() == 4


def test_an_unknown_command_is_refused_with_what_there_is(path: Path) -> None:
    with Reader(path) as reader, pytest.raises(ReviewError, match=r"no command 9 .* 1 to 4"):
        reader.entry(9)


def test_outcome_filter_takes_the_last_outcome(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, current("Q1", 1.0, 2.0))], [settled(5, Outcome.DELAYED)])
        journal.append([], [settled(5, Outcome.ABANDONED)])
    with Reader(path) as reader:
        assert [e.sequence for e in reader.entries(Filter(outcome=Outcome.ABANDONED))] == [5]
        assert not list(reader.entries(Filter(outcome=Outcome.DELAYED)))


class Script:
    """Runs one action at each sleep; time goes by as slept."""

    def __init__(self, *actions: Callable[[], None]) -> None:
        self.actions = list(actions)
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if not self.actions:
            raise KeyboardInterrupt
        self.actions.pop(0)()

    def clock(self) -> float:
        return self.now


def followed(path: Path, script: Script, which: Filter) -> list[tuple[int, Outcome | None]]:
    found = []
    with Reader(path) as reader:
        try:
            for entry, later in reader.follow(
                which, after=4, poll_s=1.0, settle_s=2.0, sleep=script.sleep, clock=script.clock
            ):
                found.append((-entry.sequence if later else entry.sequence, entry.outcome))
        except KeyboardInterrupt:
            pass
    return found


def test_follow_yields_new_commands_once_with_their_outcome(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        script = Script(
            lambda: write(journal, applied(5, "Q1", 1.0, 2.0)),
            lambda: journal.append([record(6, current("Q2", 1.0, 2.0))]),
            lambda: journal.append([], [settled(6, Outcome.APPLIED, current("Q2", 1.0, 2.0, 2.0))]),
            lambda: None,
        )
        assert followed(path, script, Filter()) == [(5, Outcome.APPLIED), (6, Outcome.APPLIED)]


def test_follow_yields_a_delayed_command_again_with_its_later_outcome(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, current("Q1", 1.0, 2.0))], [settled(5, Outcome.DELAYED)])
        script = Script(
            lambda: write(journal, applied(6, "Q2", 1.0, 2.0)),
            lambda: journal.append(
                [record(7, current("Q2", 2.0, 3.0))],
                [settled(5, Outcome.APPLIED, current("Q1", 1.0, 2.0, 2.0)), settled(7, Outcome.DELAYED)],
            ),
            lambda: journal.append([], [settled(7, Outcome.ABANDONED)]),
            lambda: None,
        )
        assert followed(path, script, Filter()) == [
            (5, Outcome.DELAYED), (6, Outcome.APPLIED), (-5, Outcome.APPLIED), (7, Outcome.DELAYED),
            (-7, Outcome.ABANDONED),
        ]  # fmt: skip


def test_commands_are_counted_unless_that_takes_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Reader(path) as reader:
        assert reader.count() == 4
        assert reader.count(Filter(pv="*Q1*")) == 2
        monkeypatch.setattr(reader_module, "STEPS", 1)
        assert reader.count(limit_s=-1.0) is None
        assert reader.count(limit_s=60.0) == 4


def test_follow_does_not_wait_for_ever_for_an_outcome(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        script = Script(lambda: journal.append([record(5, current("Q2", 1.0, 2.0))]), *(lambda: None for _ in range(4)))
        assert followed(path, script, Filter()) == [(5, None)]


def test_follow_filters(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        script = Script(lambda: write(journal, applied(5, "Q1", 1.0, 2.0), applied(6, "Q2", 1.0, 2.0)), lambda: None)
        assert followed(path, script, Filter(pv="*Q2*")) == [(6, Outcome.APPLIED)]


def test_a_lattice_is_found_by_the_beginning_of_its_id(path: Path) -> None:
    with Reader(path) as reader:
        assert reader.command_of_lattice("after2") == 2
        assert reader.command_of_lattice("after") == 4
        assert reader.command_of_lattice("*") is None
        assert reader.command_of_lattice("never") is None
