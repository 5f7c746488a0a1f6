"""`gnomon log` and `log list`: which commands are shown, in which words, and those that follow."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.lattice import Client, Outcome, Setting
from gnomon.recorder import Filter, Journal, Reader
from gnomon.recorder.reader import Followed
from unit.cli.commands import gnomon
from unit.recorder.conftest import bessy2
from unit.recorder.records import begin, current, record, settled
from unit.recorder.test_replay_steps import Recording


def test_log_lists_the_newest_commands_with_who_what_and_outcome(path: Path) -> None:
    result = gnomon("log", "--journal", path)
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["#", "1", "2", "3", "4"]
    for words in ("alice@console1", "TWIN:Q1:set", "2025-10-09", "applied"):
        assert words in lines[1]
    assert "bob@office" in lines[3]
    assert "rejected" in lines[3]
    assert "is not a finite number" in lines[3]
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--pv", "*Q1*"], ["1", "4"]),
        (["--client", "bob"], ["3"]),
        (["--outcome", "rejected"], ["3"]),
        (["-n", "2"], ["3", "4"]),
        (["--since", "10m"], []),
        (["--until", "10m"], ["1", "2", "3", "4"]),
        (["--until", "2025-10-01T00:00"], []),
    ],
)
@pytest.mark.parametrize("command", [["log"], ["log", "list"]])
def test_log_filters(path: Path, command: list[str], options: list[str], numbers: list[str]) -> None:
    result = gnomon(*command, "--journal", path, *options)
    lines = [line for line in result.stdout.splitlines() if not line.startswith("no matching command")]
    assert [line.split()[0] for line in lines[1:]] == numbers


def test_commands_that_are_not_shown_are_counted_beside_the_listing(path: Path) -> None:
    result = gnomon("log", "--journal", path, "-n", 1, "--until", "10m")
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr == "... 3 earlier commands not shown; --last 4\n"
    assert gnomon("log", "--journal", path).stderr == ""


def test_follow_goes_on_in_the_columns_of_the_listing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def later(reader: Reader, which: object, *, after: int) -> Iterator[Followed]:
        assert after == 4
        yield Followed(reader.entry(4), True)
        raise KeyboardInterrupt

    monkeypatch.setattr(Reader, "follow", later)
    lines = gnomon("log", "--journal", path, "-f").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["#", "1", "2", "3", "4", "4"]
    assert len({line.index("applied") for line in (lines[1], lines[2], *lines[4:])} | {lines[0].index("outcome")}) == 1
    assert lines[5].endswith("0.0 s later")


def test_a_switch_is_shown_by_the_name_of_its_state(tmp_path: Path) -> None:
    made = Recording(tmp_path / "twin.journal", bessy2())
    made.put(Setting("TWIN:QSPAZR:cmd1", "QSPAZR", "on", 0.0))
    made.put(Setting("TWIN:dt:set", "PMUXZR", "selected", 2.0))
    made.journal.close()
    rows = [line.split() for line in gnomon("log", "--journal", made.path).stdout.splitlines()[1:]]
    assert rows[0][5:7] == ["on", "off"]
    assert "Q1M1T1R" in rows[1]
    assert ["QSPAZR", "on", "on", "off"] in [
        line.split() for line in gnomon("log", "--journal", made.path, "diff", 0, 1).stdout.splitlines()
    ]


def test_a_command_without_outcome_is_shown_as_unknown(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, current("Q1", 1.0, 2.0))], [settled(4, Outcome.APPLIED, reason="again")])
    assert "unknown" in gnomon("log", "--journal", path, "-n", 1).stdout


def test_a_claimed_name_cannot_act_on_the_terminal(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        rogue = Client("\x1b[2J[red]bob", "h\nost", "ca")
        journal.append([record(5, current("Q1", 0.0, 1.0), client=rogue, note="[/]\x07")])
    for arguments in (["log"], ["log", "show", "5"]):
        out = gnomon(*arguments, "--journal", path).stdout
        assert r"\x1b[2J[red]bob@h\nost" in out
        assert "\x1b[2J" not in out


def test_json_lists_all_that_is_recorded_and_an_empty_list_where_nothing_fits(path: Path) -> None:
    documents = json.loads(gnomon("log", "list", "--journal", path, "--json", "--pv", "Q2").stdout)
    assert [each["sequence"] for each in documents] == [2, 3]
    assert [each["outcomes"][-1]["outcome"] for each in documents] == ["applied", "rejected"]
    assert json.loads(gnomon("log", "--journal", path, "--json", "--pv", "nobody").stdout) == []
    assert gnomon("log", "--journal", path, "--pv", "nobody").stdout == "no matching command in the journal\n"


def test_followed_json_is_one_line_for_each_command_and_each_later_outcome(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def later(reader: Reader, which: Filter, *, after: int) -> Iterator[Followed]:
        assert (which.pv, after) == ("Q1", 4)
        yield Followed(reader.entry(4), True)
        raise KeyboardInterrupt

    monkeypatch.setattr(Reader, "follow", later)
    result = gnomon("log", "--journal", path, "-f", "--json", "--pv", "Q1")
    assert [json.loads(line)["sequence"] for line in result.stdout.splitlines()] == [1, 4, 4]
    assert result.exit_code == 0


def test_a_listing_that_cannot_be_counted_in_time_says_that_there_is_more(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "count", lambda *_: None)
    assert gnomon("log", "--journal", path).stderr == "... earlier commands are not shown; --last N shows more\n"
    assert gnomon("log", "--journal", path, "--pv", "nobody").stderr == ""


def test_options_before_the_subcommand_are_those_of_the_subcommand(path: Path) -> None:
    before = gnomon("log", "--journal", path, "list", "--pv", "Q1")
    assert before.stdout == gnomon("log", "list", "--journal", path, "--pv", "Q1").stdout
    assert len(before.stdout.splitlines()) == 3
