import csv
import io
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from gnomon.lattice import Client, Outcome
from gnomon.lattice.commands import Change
from gnomon.recorder import Journal
from gnomon.recorder.command_document import SCHEMA_FILE, CommandDocument, command_document, json_schema
from gnomon.recorder.export import COLUMNS, write_csv, write_jsonl
from gnomon.recorder.reader import Reader
from unit.recorder.records import begin, current, record, settled, small_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return small_journal(tmp_path / "twin.journal")


def test_the_committed_schema_is_that_of_the_models() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == json_schema(), "write json_schema() to it; raise SCHEMA's number"


def test_json_lines_hold_every_command_and_read_back_to_the_same_documents(path: Path) -> None:
    out = io.StringIO()
    with Reader(path) as reader:
        assert write_jsonl(reader.entries(), reader.run, out) == 4
        documents = [command_document(e, reader.run(e.run)) for e in reader.entries()]
    lines = out.getvalue().splitlines()
    for line, document in zip(lines, documents, strict=True):
        json.loads(line, parse_constant=pytest.fail)
        assert CommandDocument.model_validate_json(line).model_dump_json() == document.model_dump_json()


def test_a_refused_not_a_number_is_a_text_in_json(path: Path) -> None:
    out = io.StringIO()
    with Reader(path) as reader:
        write_jsonl([reader.entry(3)], reader.run, out)
    document = json.loads(out.getvalue())
    assert document["schema"] == "gnomon.command/1"
    assert document["changes"][0]["new"] == "nan"
    assert (document["outcome"], document["user"], document["time"][-1]) == ("rejected", "bob", "Z")


def test_a_document_with_an_unknown_key_or_another_version_is_refused(path: Path) -> None:
    with Reader(path) as reader:
        document = json.loads(command_document(reader.entry(1), reader.run(1)).model_dump_json(by_alias=True))
    CommandDocument.model_validate(document)
    for wrong in ({"extra": 1}, {"schema": "gnomon.command/2"}):
        with pytest.raises(ValidationError):
            CommandDocument.model_validate({**document, **wrong})


def test_the_table_has_one_row_per_change_with_what_became_of_it(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        asked = (current("Q1", 3.0, 4.0), current("Q2", 5.0, 6.0))
        done = (current("Q1", 3.0, 4.0, 3.9), current("Q2", 5.0, 6.0, 6.0))
        journal.append([record(5, *asked)], [settled(5, Outcome.MODIFIED, *done)])
        journal.append([record(6)], [settled(6, Outcome.REJECTED, reason="give names")])
    out = io.StringIO()
    with Reader(path) as reader:
        assert write_csv(reader.entries(), out) == 6
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert tuple(rows[0]) == COLUMNS
    assert [(r["sequence"], r["pv"], r["new"], r["done"], r["outcome"]) for r in rows[2:]] == [
        ("3", "TWIN:Q2:set", "nan", "", "rejected"),
        ("4", "TWIN:Q1:set", "3.0", "3.0", "applied"),
        ("5", "TWIN:Q1:set", "4.0", "3.9", "modified"),
        ("5", "TWIN:Q2:set", "6.0", "6.0", "modified"),
        ("6", "", "", "", "rejected"),
    ]
    assert rows[-1]["reason"] == "give names"


def test_a_setting_that_moved_without_being_asked_for_has_a_row_of_its_own(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        done = (current("Q1", 3.0, 4.0, 4.0), current("Q7", 1.0, 2.0, 2.5))
        journal.append([record(5, current("Q1", 3.0, 4.0))], [settled(5, Outcome.APPLIED, *done)])
    out = io.StringIO()
    with Reader(path) as reader:
        assert write_csv([reader.entry(5)], out) == 1
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [(r["pv"], r["old"], r["new"], r["done"], r["setting_done"]) for r in rows] == [
        ("TWIN:Q1:set", "3.0", "4.0", "4.0", "4.0"),
        ("TWIN:Q7:set", "1.0", "", "2.5", "2.5"),
    ]


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b2J", "\u202eabc", "\x7f", "\u2028", "\U000e0001", "µ°é"])
def test_no_text_of_a_client_acts_on_a_terminal_in_json_lines_and_all_of_it_is_there(path: Path, text: str) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, client=Client(text, "h", "ca"))])
    out = io.StringIO()
    with Reader(path) as reader:
        write_jsonl([reader.entry(5)], reader.run, out)
    assert out.getvalue().removesuffix("\n").isprintable()
    assert json.loads(out.getvalue())["user"] == text


@pytest.mark.parametrize("begin_with", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_of_a_client_is_a_formula_in_a_spreadsheet_or_acts_on_a_terminal(path: Path, begin_with: str) -> None:
    text = begin_with + "cmd()\x1b[2J"
    refused = Change(text, text, text, text, 0.0, -1.0, None, text, 0.0, None, {}, {})
    with Journal(path) as journal:
        begin(journal)
        client = Client(text, text, text)
        journal.append([record(5, refused, client=client, note=text)], [settled(5, Outcome.REJECTED, reason=text)])
    out = io.StringIO()
    with Reader(path) as reader:
        write_csv([reader.entry(5)], out)
    assert "\x1b" not in out.getvalue()
    row = next(csv.DictReader(io.StringIO(out.getvalue())))
    texts = ("user", "host", "protocol", "note", "pv", "device", "property", "unit", "setting", "reason")
    assert {row[name][:1] for name in texts} == {"'"}
    assert (row["old"], row["new"]) == ("0.0", "-1.0")
