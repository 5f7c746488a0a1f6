"""Messages: by the committed schema, the same whenever they are sent again, and readable."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gnomon.lattice import Outcome
from gnomon.recorder import Journal
from gnomon.recorder.journal_feed import JournalFeed, JournalItem, Position
from gnomon.services.forward.forward_messages import StateMessage, kind_of, of_journal, of_result
from unit.recorder.records import begin, current, record, settled, small_journal
from unit.services.dashboard.sample_runs import tune_response_run

SCHEMA = json.loads((Path(__file__).parents[4] / "services" / "schemas" / "message.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def checked(message: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(message.model_dump_json(by_alias=True))
    VALIDATOR.validate(document)
    return document


@pytest.fixture
def items(tmp_path: Path) -> list[JournalItem]:
    path = small_journal(tmp_path / "journal")
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, note="added fault 3: HS*: every command is lost")], [settled(5, Outcome.APPLIED)])
        journal.append(
            [record(6, current("Q1", 1.0, float("nan")))], [settled(6, Outcome.REJECTED, reason="no\nnumber")]
        )
    return JournalFeed(path).read(Position(), 100)[0]


def test_every_item_of_a_journal_fits_the_schema(items: list[JournalItem]) -> None:
    documents = [checked(of_journal(item, "j")) for item in items]
    assert [each["kind"] for each in documents[-4:]] == ["fault", "outcome", "command", "outcome"]
    assert len({each["key"] for each in documents}) == len(documents)
    assert documents[-4]["text"].endswith("added fault 3: HS*: every command is lost")


def test_a_command_does_not_change_when_its_outcome_is_there(items: list[JournalItem]) -> None:
    command = checked(of_journal(items[0], "j"))
    assert command["key"] == "j:1"
    assert command["command"]["outcomes"] == []
    assert command["command"]["outcome"] is None
    assert command["text"] == "#1 alice@console1: TWIN:Q1:set 1 -> 2 A"


def test_an_outcome_tells_what_happened_to_which_command(items: list[JournalItem]) -> None:
    outcome = checked(of_journal(items[-1], "j"))
    assert (outcome["key"], outcome["sequence"], outcome["outcome"]["outcome"]) == ("j:6:6", 6, "rejected")
    assert outcome["text"].endswith("1 -> nan A: rejected: no\nnumber")


def test_kinds(items: list[JournalItem]) -> None:
    assert [kind_of(item) for item in items[-4:]] == ["faults", "outcomes", "commands", "outcomes"]


def test_a_result_is_told_without_its_data() -> None:
    run = tune_response_run()
    document = checked(of_result(run, "ab" * 32))
    assert document["name"] == run.name
    assert document["key"] == f"{run.name}:{'ab' * 8}"
    assert document["summary"]
    assert "data" not in document


def test_a_state_fits_the_schema() -> None:
    state = StateMessage(key="k", prefix="T:", text="t", runs=False, time_ns=1, attention=("no server",), readings={})
    assert checked(state)["kind"] == "state"
