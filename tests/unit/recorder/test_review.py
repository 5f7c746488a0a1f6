from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.lattice import Outcome, Ring
from gnomon.lattice.commands import Change, Record, Settled
from gnomon.recorder import Journal, ReviewError
from gnomon.recorder.entries import Effect, Run
from gnomon.recorder.reader import Reader
from gnomon.recorder.recorded_states import Nominals, RecordedState, same_machine, state_at, state_before, state_now
from gnomon.recorder.review import (
    Assignment,
    Clash,
    Difference,
    differences,
    inverse,
    known_nominals,
    restoration,
    undoing,
)
from unit.recorder.records import applied, begin, current, record, settled, small_journal, strength, write

Q1 = ("Q1", "current")
Q2 = ("Q2", "current")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return small_journal(tmp_path / "twin.journal")


def test_settings_at_a_point_are_the_baseline_and_what_was_done_since(path: Path) -> None:
    with Reader(path) as reader:
        assert state_at(reader, 0).settings == {Q1: 1.0}
        assert state_at(reader, 1).settings == {Q1: 2.0}
        assert state_at(reader, 2).settings == {Q1: 2.0, Q2: 5.0}
        assert state_at(reader, 3).settings == {Q1: 2.0, Q2: 5.0}
        assert state_before(reader, 4).settings == {Q1: 2.0, Q2: 5.0}
        assert state_before(reader, 1).settings == {Q1: 1.0}
        assert state_now(reader).settings == {Q1: 3.0, Q2: 5.0}


def test_a_new_run_begins_with_its_own_baseline(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal, Q3=7.0)
        write(journal, applied(5, "Q1", 1.0, 4.0))
    with Reader(path) as reader:
        assert state_now(reader).settings == {("Q3", "current"): 7.0, Q1: 4.0}
        assert state_at(reader, 4).settings == {Q1: 3.0, Q2: 5.0}


def test_a_delayed_command_counts_when_it_acts(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, current("Q1", 1.0, 8.0))], [settled(5, Outcome.DELAYED)])
        write(journal, applied(6, "Q1", 1.0, 9.0))
        journal.append([], [settled(5, Outcome.APPLIED, current("Q1", 9.0, 8.0, 8.0))])
    with Reader(path) as reader:
        assert state_now(reader).settings == {Q1: 8.0}
        assert inverse(reader.entry(5)) == (Assignment("Q1", "current", "A", 8.0, 9.0),)


def test_differences_name_both_values_and_fill_in_nominals(path: Path) -> None:
    nominal = {Q2: 0.0}
    with Reader(path) as reader:
        a, b = state_at(reader, 0), state_now(reader)
    assert differences(a.settings, b.settings, lambda key: nominal.get(key), {Q1: "A"}) == (
        Difference("Q1", "current", "A", 1.0, 3.0),
        Difference("Q2", "current", "", 0.0, 5.0),
    )
    assert differences(a.settings, b.settings, lambda key: None, {})[1].first is None
    assert differences(a.settings, a.settings, lambda key: nominal.get(key), {}) == ()


def test_the_journal_tells_nominals_of_settings_that_began_nominal(path: Path) -> None:
    with Reader(path) as reader:
        assert known_nominals(reader.runs(), reader.effects()) == {Q2: 0.0}
        nominals = Nominals(reader, reader.run(1), None)
        assert nominals(Q2) == 0.0
        with pytest.raises(ReviewError, match="Q1 current: the nominal value is unknown"):
            nominals(Q1)


def test_the_ring_of_the_run_tells_nominals_and_another_ring_does_not(path: Path, ring: Ring) -> None:
    key = next(iter(ring.properties))
    with Reader(path) as reader:
        assert Nominals(reader, reader.run(1), ring).find(key) is None
    with Journal(path) as journal:
        journal.begin_run(machine=ring.name, digest=ring.digest, prefix="", lattice_id="", baseline={})
    with Reader(path) as reader:
        assert Nominals(reader, reader.run(2), ring)(key) == ring.properties[key].nominal


def test_restoration_sends_only_what_differs(path: Path) -> None:
    with Reader(path) as reader:
        now, then = state_now(reader), state_at(reader, 1)
        nominals = Nominals(reader, now.run, None)
        assert restoration(now.settings, then.settings, nominals, {Q1: "A"}) == (
            Assignment("Q1", "current", "A", 3.0, 2.0),
            Assignment("Q2", "current", "", 5.0, 0.0),
        )
        assert restoration(now.settings, now.settings, nominals, {}) == ()


def test_the_inverse_puts_the_stored_setting_back_exactly(path: Path) -> None:
    asked = strength("M1", 1.7, 1.9, 1.4)
    done = strength("M1", 1.7, 1.9, 1.4, done=True)
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, asked)], [settled(5, Outcome.APPLIED, done)])
    with Reader(path) as reader:
        assert inverse(reader.entry(5)) == (Assignment("M1", "k1_trim", "1/m^2", 1.9 - 1.4, 1.7 - 1.4),)


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.ABANDONED, Outcome.DELAYED, Outcome.FAILED, None])
def test_a_command_that_changed_nothing_has_no_inverse(path: Path, outcome: Outcome | None) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, current("Q1", 1.0, 2.0))], [settled(5, outcome)] if outcome else [])
    with Reader(path) as reader, pytest.raises(ReviewError, match="nothing to undo"):
        inverse(reader.entry(5))


def test_a_command_without_changes_has_no_inverse_and_its_note_says_what_it_was(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, note="fault add abandon")], [settled(5, Outcome.APPLIED)])
    with Reader(path) as reader, pytest.raises(ReviewError, match=r"command 5 set nothing \(fault add abandon\)"):
        inverse(reader.entry(5))


def test_settings_that_did_not_change_or_did_not_act_are_not_in_the_inverse(path: Path) -> None:
    asked = [current("Q1", 1.0, 2.0), current("Q2", 5.0, 5.0), current("Q3", 0.0, 1.0)]
    done = [current("Q1", 1.0, 2.0, 2.0), current("Q2", 5.0, 5.0, 5.0), current("Q3", 0.0, 1.0)]
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, *asked)], [settled(5, Outcome.MODIFIED, *done)])
    with Reader(path) as reader:
        assert inverse(reader.entry(5)) == (Assignment("Q1", "current", "A", 2.0, 1.0),)


def test_nominal_values_come_from_the_first_effect_in_a_run_that_is_known() -> None:
    run = Run(1, "", "toy", "d1", "", 0, "", {Q2: 7.0})
    effects = [
        Effect(1, 9, Q1, "A", 4.0, 5.0),  # of a run of another machine
        Effect(2, 1, Q1, "A", None, 2.0),
        Effect(3, 1, Q1, "A", 2.0, 3.0),  # no longer nominal
        Effect(4, 1, Q2, "A", 7.0, 8.0),  # began elsewhere than nominal
        Effect(5, 1, ("Q3", "current"), "A", 0.5, 1.0),
        Effect(6, 1, ("Q3", "current"), "A", 1.0, 2.0),
    ]
    assert known_nominals([run], effects) == {("Q3", "current"): 0.5}


def test_undoing_several_commands_goes_back_through_what_each_one_left(path: Path) -> None:
    with Reader(path) as reader:
        way = undoing([reader.entry(n) for n in (1, 4, 2)], state_now(reader).settings, lambda key: 0.0)
    assert [entry.sequence for entry in way.entries] == [4, 2, 1]
    assert way.settings == {Q1: 1.0, Q2: 0.0}
    assert way.clashes == ()


def test_a_value_that_a_command_did_not_leave_is_a_clash_and_nothing_else_is(path: Path) -> None:
    with Reader(path) as reader:
        entry = reader.entry(1)  # Q1 1 -> 2
    assert undoing([entry], {Q1: 3.0}, lambda key: 0.0).clashes == (Clash(Q1, "A", 1, 2.0, 3.0),)
    assert undoing([entry], {}, lambda key: 0.0).clashes == (Clash(Q1, "A", 1, 2.0, 0.0),)
    back = undoing([entry], {Q1: 2.0}, lambda key: 0.0)  # whoever has put it there meanwhile
    assert (back.clashes, back.settings) == ((), {Q1: 1.0})


def test_points_of_different_machines_are_not_compared(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin_run(machine="toy", digest="d2", prefix="", lattice_id="", baseline={})
    with Reader(path) as reader, pytest.raises(ReviewError, match="cannot be compared"):
        same_machine(*reader.runs())


DEVICES = st.sampled_from(["Q1", "Q2", "Q3"])
VALUES = st.floats(allow_nan=False, allow_infinity=False, width=32)
KINDS = st.sampled_from(
    [Outcome.APPLIED, Outcome.MODIFIED, Outcome.ABANDONED, Outcome.REJECTED, Outcome.DELAYED, Outcome.FAILED]
)
COMMANDS = st.lists(st.tuples(KINDS, st.dictionaries(DEVICES, VALUES, min_size=1)), max_size=12)


@given(
    baseline=st.dictionaries(DEVICES, VALUES),
    commands=COMMANDS,
    late=st.lists(st.integers(0, 11), unique=True),
    point=st.integers(0, 12),
)
def test_settings_at_a_point_equal_the_done_values_replayed(
    baseline: dict[str, float],
    commands: list[tuple[Outcome, dict[str, float]]],
    late: list[int],
    point: int,
) -> None:
    """Any mixture of outcomes, delayed ones acting in any order: a plain dictionary must agree with the journal."""
    point = min(point, len(commands))
    model = dict(baseline)
    now = dict(baseline)
    records: list[Record] = []
    outcomes: list[Settled] = []
    acts = [(n, *c) for n, c in enumerate(commands, 1)]
    delayed = [acts[i] for i in late if i < len(acts) and acts[i][1] is Outcome.DELAYED]

    def act(number: int, values: dict[str, float], factor: float) -> tuple[Change, ...]:
        changes = []
        for device, value in values.items():
            done = value * factor
            changes.append(current(device, now.get(device, 0.0), value, done))
            now[device] = done
            if number <= point:
                model[device] = done
        return tuple(changes)

    for number, outcome, values in acts:
        records.append(record(number, *(current(d, now.get(d, 0.0), v) for d, v in values.items())))
        match outcome:
            case Outcome.APPLIED:
                outcomes.append(settled(number, outcome, *act(number, values, 1.0)))
            case Outcome.MODIFIED:
                outcomes.append(settled(number, outcome, *act(number, values, 0.5)))
            case _:
                outcomes.append(settled(number, outcome))
    for number, _, values in delayed:
        outcomes.append(settled(number, Outcome.APPLIED, *act(number, values, 1.0)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "twin.journal"
        with Journal(path) as journal:
            begin(journal, **baseline)
            journal.append(records, outcomes)
        with Reader(path) as reader:
            found: RecordedState = state_at(reader, point)
    assert found.settings == {(device, "current"): value for device, value in model.items()}
