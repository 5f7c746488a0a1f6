"""`gnomon log show`, `export` and `diff`: one command, many as a file, and settings at two points."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gnomon.lattice import Outcome
from gnomon.recorder import Entry, Journal, JournalError, Reader, ReviewError
from unit.cli.commands import gnomon
from unit.recorder.records import applied, begin, current, record, settled, write


def test_show_tells_all_of_one_command(path: Path) -> None:
    out = gnomon("log", "--journal", path, "show", 1).stdout
    for words in ("command 1", "alice@console1 over ca", "before1", "after1", "Q1M.k1 0.01 -> 0.02", "boot"):
        assert words in out
    with pytest.raises(ReviewError, match="no command 9"):
        gnomon("log", "show", 9, "--journal", path)


def test_every_table_is_also_data(path: Path) -> None:
    def data(*arguments: object) -> Any:
        return json.loads(gnomon("log", *arguments, "--journal", path, "--json").stdout)

    for command in ((), ("list",)):
        assert [document["sequence"] for document in data(*command)] == [1, 2, 3, 4]
    assert data("show", 3)["changes"][0]["new"] == "nan"
    assert data("diff", 1, 2) == [{"device": "Q2", "setting": "current", "unit": "A", "first": 0.0, "second": 5.0}]


def test_export_writes_json_lines_and_tables(path: Path, tmp_path: Path) -> None:
    lines = gnomon("log", "export", "--journal", path, "-").stdout.splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [1, 2, 3, 4]
    out = tmp_path / "shift.jsonl"
    assert "2 commands written" in gnomon("log", "export", "--journal", path, "--pv", "*Q1*", out).stderr
    assert [json.loads(line)["sequence"] for line in out.read_text().splitlines()] == [1, 4]
    table = tmp_path / "shift.csv"
    gnomon("log", "export", "--journal", path, table)
    assert table.read_text().startswith("sequence,run,time")
    assert gnomon("log", "export", "--journal", path, "--csv", "-").stdout == table.read_text()
    with pytest.raises(JournalError, match="cannot be written"):
        gnomon("log", "export", "--journal", path, tmp_path / "no" / "where.jsonl")
    assert sorted(p.name for p in tmp_path.glob("*.partial")) == []


def test_diff_shows_what_differs(path: Path) -> None:
    lines = gnomon("log", "diff", "--journal", path, 0, 4).stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [["Q1", "current", "1", "3", "A"], ["Q2", "current", "0", "5", "A"]]
    head = gnomon("log", "diff", "--journal", path, 1).stdout.splitlines()[0]
    assert head.split() == ["device", "property", "after", "1", "now", "unit"]
    assert "are the same" in gnomon("log", "diff", "--journal", path, 2, 3).stdout


def test_a_file_below_another_file_is_a_plain_error(path: Path, tmp_path: Path) -> None:
    (tmp_path / "shift").write_text("notes")
    with pytest.raises(JournalError, match=r"shift/all\.jsonl: cannot be written: Not a directory"):
        gnomon("log", "export", "--journal", path, tmp_path / "shift" / "all.jsonl")


def test_an_export_that_fails_half_way_keeps_the_former_file_and_leaves_no_other(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "shift.jsonl"
    out.write_text("yesterday's\n")

    def one_then_fail(reader: Reader, which: object) -> Iterator[Entry]:
        yield reader.entry(1)
        raise JournalError("the disk is gone")

    monkeypatch.setattr(Reader, "entries", one_then_fail)
    monkeypatch.setattr(Reader, "entry", lambda reader, number: reader.newest(1)[0])
    with pytest.raises(JournalError, match="the disk is gone"):
        gnomon("log", "export", "--journal", path, out)
    assert out.read_text() == "yesterday's\n"
    assert sorted(file.name for file in tmp_path.glob("shift*")) == ["shift.jsonl"]


def test_show_tells_each_outcome_of_a_delayed_command_in_the_order_in_which_they_came(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal, Q1=3.0)
        journal.append([record(5, current("Q1", 3.0, 4.0), note="late\x1b[2J")], [settled(5, Outcome.DELAYED)])
        journal.append([], [settled(5, Outcome.APPLIED, current("Q1", 3.0, 4.0, 4.0))])
    shown = gnomon("log", "show", 5, "--journal", path).stdout
    assert "command 5 (late\\x1b[2J)" in shown
    assert shown.index("delayed") < shown.index("applied")
    assert "unknown" not in shown


def test_show_says_what_is_not_known_of_a_command_without_an_outcome(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, current("Q1", 1.0, 2.0))], [])
    shown = gnomon("log", "show", 5, "--journal", path).stdout
    assert "outcome unknown: the server is still working on this command, or ended before" in shown


def test_settings_of_different_documents_are_not_compared(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin_run(machine="toy", digest="d2", prefix="TWIN:", lattice_id="", baseline={})
        write(journal, applied(5, "Q1", 0.0, 9.0))
    with pytest.raises(ReviewError, match=r"run 1 was of .toy. \(document d1\), run 2 of .toy. \(document d2\)"):
        gnomon("log", "diff", 1, 5, "--journal", path)


def test_a_comparison_with_the_present_knows_what_came_last(path: Path) -> None:
    shown = json.loads(gnomon("log", "diff", 1, "--journal", path, "--json").stdout)
    assert [(each["device"], each["first"], each["second"]) for each in shown] == [("Q1", 2.0, 3.0), ("Q2", 0.0, 5.0)]
    assert json.loads(gnomon("log", "diff", 4, "--journal", path, "--json").stdout) == []
