"""The journal as shown: numbers, times and outcomes of commands, and texts that cannot act on a terminal."""

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from gnomon.lattice import Client, Outcome
from gnomon.recorder import rendering
from gnomon.recorder.entries import Entry, StoredChange, StoredOutcome
from gnomon.recorder.review import Assignment, Difference

HOSTILE = "\x1b[31m[bold]x\n"


def change(**more: Any) -> StoredChange:
    fields: dict[str, Any] = {
        "pv": "T:Q1:set", "device": "Q1", "property": "current", "unit": "A", "old": 1.0, "new": 2.0, "done": 2.0,
        "setting": "current", "setting_old": 1.0, "setting_done": 2.0,
        "physics_old": {"Q1M.k1": 0.1}, "physics_new": {"Q1M.k1": 0.2},
    }  # fmt: skip
    return StoredChange(**fields | more)


def outcome(result: Outcome = Outcome.APPLIED, *effects: StoredChange, reason: str = "") -> StoredOutcome:
    return StoredOutcome(1, result, 0, "after", reason, effects)


def entry(*outcomes: StoredOutcome, **more: Any) -> Entry:
    plain = Entry(7, 1, 1_700_000_000_123_999_999, 5_000_000_000, Client("alice", "console1", "ca"), "", "before",
                  (change(),), outcomes)  # fmt: skip
    return replace(plain, **more)


def lines(table: Table) -> list[str]:
    console = Console(width=240, no_color=True)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_command_is_one_row_with_who_what_and_outcome() -> None:
    row = lines(rendering.entries_table([entry(outcome(Outcome.APPLIED, change()))]))[1]
    assert row.split()[0] == "7"
    assert row.split()[2].endswith(":20.123")
    assert row.split()[3:] == ["alice@console1", "T:Q1:set", "1", "2", "A", "applied"]


def test_a_line_has_the_same_cells_as_the_row() -> None:
    made = entry(outcome(Outcome.APPLIED, change()), note="why")
    assert rendering.EntryLines().line(made).plain.split() == lines(rendering.entries_table([made]))[1].split()


def test_a_command_that_was_applied_with_another_value_says_which() -> None:
    shown = rendering.EntryLines().line(entry(outcome(Outcome.APPLIED, change(done=1.9)), note="a note")).plain
    assert shown.endswith("applied as 1.9 A; a note")


def test_a_command_of_many_shows_how_many_more() -> None:
    more = entry(changes=(change(), change(pv="T:Q2:set"), change(pv="T:Q3:set")))
    assert "T:Q1:set +2 " in rendering.EntryLines().line(more).plain


def test_a_pv_that_does_not_name_its_device_is_shown_with_it() -> None:
    shown = rendering.EntryLines().line(entry(changes=(change(pv="T:PS4:set"),))).plain
    assert "T:PS4:set Q1 current " in shown


def test_a_command_without_an_outcome_is_unknown() -> None:
    assert rendering.EntryLines().line(entry()).plain.endswith(" unknown")


@pytest.mark.parametrize("result", Outcome)
def test_every_outcome_can_be_shown(result: Outcome) -> None:
    assert rendering.outcome_text(result).plain == result


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0, "0"), (-0.5, "-0.5"), (1.23456789012, "1.23456789"), (5e8 + 0.5, "500000000"), (1e-9, "1e-09")],
)
def test_numbers_have_nine_digits(value: float | None, text: str) -> None:
    assert rendering.value_text(value) == text


@pytest.mark.parametrize(
    ("first", "second", "texts"),
    [
        (218.8, 218.8001, ("218.8000", "218.8001")),
        (0.1 + 0.2, 0.3, ("0.30000000000000004", "0.29999999999999999")),
        (1059.24, 1059.24000001, ("1059.24000000", "1059.24000001")),
        (1.0, 2.5, ("1", "2.5")),
        (2.0, 2.0, ("2", "2")),
        (1e-9, 2.5e-9, ("1e-09", "2.5e-09")),
        (float("nan"), float("nan"), ("nan", "nan")),
        (None, 2.0, ("-", "2")),
    ],
)
def test_two_numbers_that_differ_never_look_equal(first: float | None, second: float, texts: tuple[str, str]) -> None:
    assert rendering.difference_texts(first, second) == texts


def test_milliseconds_are_cut_and_never_rounded_into_the_next_second() -> None:
    assert rendering.local_time(1_700_000_000_999_999_999).endswith(":20.999")
    assert rendering.local_time(1_700_000_000_000_000_001).endswith(":20.000")


def test_changes_show_what_was_asked_or_with_done_what_was_done() -> None:
    trim = change(done=1.9, setting="k1_trim", setting_old=0.25, setting_done=0.75)
    (asked,) = lines(rendering.changes_table([trim], done=False))[1:]
    (done,) = lines(rendering.changes_table([trim], done=True))[1:]
    assert asked.split() == ["T:Q1:set", "Q1", "current", "1", "2", "A", "Q1M.k1", "0.1", "->", "0.2"]
    drives = "k1_trim 0.25 -> 0.75, Q1M.k1 0.1 -> 0.2"
    assert done.split() == ["T:Q1:set", "Q1", "current", "1", "1.9", "A", *drives.split()]


def test_a_value_that_the_journal_does_not_have_is_said_to_be_so() -> None:
    (row,) = lines(rendering.differences_table([Difference("Q1", "current", "A", None, 2.0)], "a", "b"))[1:]
    assert row.split() == ["Q1", "current", "nominal", "2", "A"]
    (row,) = lines(rendering.differences_table([Difference("Q1", "k", "A", 1.0, None)], "a", "b"))[1:]
    assert row.split() == ["Q1", "k", "1", "nominal", "A"]
    (row,) = lines(rendering.assignments_table([Assignment("Q1", "current", "A", None, 2.0)]))[1:]
    assert row.split() == ["Q1", "current", "-", "2", "A"]
    (row,) = lines(rendering.moves_table([("T:Q1", None, 2.0, "A")], "a", "b"))[1:]
    assert row.split() == ["T:Q1", "-", "2", "A"]


def test_texts_of_others_cannot_act_on_the_terminal() -> None:
    hostile = change(pv=HOSTILE, device=HOSTILE, property=HOSTILE, unit=HOSTILE, physics_new={HOSTILE: 1.0})
    made = entry(
        outcome(Outcome.FAILED, reason=HOSTILE), client=Client(HOSTILE, HOSTILE, HOSTILE), note=HOSTILE,
        lattice_before=HOSTILE, changes=(hostile,),
    )  # fmt: skip
    tables = [
        rendering.entries_table([made]),
        rendering.changes_table([hostile], done=True),
        rendering.differences_table([Difference(HOSTILE, HOSTILE, HOSTILE, 1.0, 2.0)], "a", "b"),
        rendering.moves_table([(HOSTILE, 1.0, 2.0, HOSTILE)], "a", "b"),
        rendering.values_table([(HOSTILE, 1.0, HOSTILE)]),
        rendering.assignments_table([Assignment(HOSTILE, HOSTILE, HOSTILE, 1.0, 2.0)]),
    ]
    for shown in ("\n".join(lines(table)) for table in tables):
        assert "[bold]x" in shown
        assert "\x1b" not in shown
    assert "\x1b" not in rendering.EntryLines().line(made).plain
    assert "\n" not in rendering.EntryLines().line(made).plain


def test_lines_stand_below_their_titles_as_in_the_first_listing() -> None:
    long = entry(outcome(Outcome.APPLIED, change()), client=Client("operator", "console.example.org", "ca"))
    shown = rendering.EntryLines([long])
    header, row = shown.header().plain, shown.line(long).plain
    for title, cell in (("client", "operator@"), ("PV", "T:Q1:set"), ("unit", "A "), ("outcome", "applied")):
        assert header.index(title) == row.index(cell)
    assert shown.line(entry(outcome(Outcome.DELAYED))).plain.index("delayed") == header.index("outcome")


def test_a_further_outcome_says_when_it_came() -> None:
    late = entry(outcome(Outcome.DELAYED), replace(outcome(Outcome.APPLIED, change(done=2.0)), wall_ns=2_500_000_000))
    assert " 2.5 s later" in rendering.EntryLines().line(replace(late, wall_ns=0), later=True).plain


def test_states_are_shown_by_name_where_there_is_no_unit() -> None:
    def name(run: int, device: str, property: str, value: float) -> str:
        return f"{device} {property} state {value:.0f} of run {run}"

    switch = change(unit="", old=0.0, new=1.0, device="S", property="on")
    made = entry(outcome(Outcome.APPLIED, change(unit="", device="S", property="on", done=1.0)), changes=(switch,))
    assert "S on state 0 of run 1  S on state 1 of run 1" in rendering.EntryLines([], name).line(made).plain
    assert "state" not in rendering.EntryLines([], name).line(entry(changes=(change(),))).plain
    (row,) = lines(rendering.assignments_table([Assignment("S", "on", "", 1.0, 0.0)], 1, name))[1:]
    assert "S on state 1 of run 1  S on state 0 of run 1" in row
