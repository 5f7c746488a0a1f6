"""Answers of procedures: fields and tables for those who print them, NTScalar with the same fields for programs."""

import json
from typing import Any

import pytest
from p4p.nt import NTScalar

from gnomon.ioc.base.protocols import Table
from gnomon.ioc.servers.pva.replies import reply, sends_texts
from gnomon.recorder.remote import answer_text

ONE = {"id": 3, "device": "HS*", "delay_s": 2.5, "on": True, "names": ["a", "b"]}
ROWS: list[dict[str, Any]] = [{"id": 1, "scale": 0.5, "left": None}, {"id": 2, "text": "b", "left": None}]


def test_calls_of_command_lines_are_known_by_their_texts() -> None:
    assert sends_texts({"names": "A", "values": "1"})
    assert sends_texts({})
    assert not sends_texts({"names": ["A"], "values": [1.0]})


def test_fields_are_printed_with_their_types() -> None:
    value = reply(ONE, plain=True)
    assert value.tolist() == [
        ("id", 3), ("device", "HS*"), ("delay_s", 2.5), ("on", True), ("names", ["a", "b"]),
    ]  # fmt: skip


def test_a_program_gets_json_and_the_same_fields() -> None:
    value = reply(ONE, plain=False)
    assert json.loads(NTScalar.unwrap(value)) == ONE
    assert value["answer.delay_s"] == 2.5
    assert value["timeStamp.secondsPastEpoch"] > 0


def test_rows_are_a_table_without_columns_that_nobody_has() -> None:
    value = reply(ROWS, plain=True)
    assert value.getID() == "epics:nt/NTTable:1.0"
    assert list(value.labels) == ["id", "scale", "text"]
    assert list(value["value.id"]) == [1, 2]
    assert value["value.text"] == ["", "b"]


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (ONE, ONE),
        ("fine", None),
        ([], []),
        ([{"id": 1, "left": 3}, {"id": 2, "left": None}], [{"id": 1, "left": 3}, {"id": 2, "left": None}]),
        (Table({"name": ["A"], "writable": [True]}), [{"name": "A", "writable": True}]),
        (Table({"name": []}), []),
    ],
)
def test_our_own_client_reads_what_was_answered(answer: Any, read: Any, plain: bool) -> None:
    text = answer_text(reply(answer, plain=plain))
    assert text == answer if read is None else json.loads(text) == read
