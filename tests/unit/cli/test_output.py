"""Tables and JSON of commands: aligned where they are piped, coloured on a terminal, whole as JSON."""

import io
import json
import sys
from typing import Any

import numpy as np
import pytest

from gnomon.cli.output import aligned_lines, cell_text, print_json, print_table

ROWS: list[dict[str, Any]] = [
    {"name": "Q1", "value": 1.5, "hidden": [1]},
    {"name": "Q[red]22", "value": None, "hidden": [2]},
]
COLUMNS = {"name": "PV", "value": "now"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_has_the_named_columns_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(ROWS, COLUMNS, right=["value"])
    assert capsys.readouterr().out == "PV        now\nQ1        1.5\nQ[red]22    -\n"


def test_a_terminal_gets_the_same_cells_and_brackets_are_not_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    print_table(ROWS, COLUMNS, right=["value"])
    shown = [line.split() for line in terminal.getvalue().splitlines()]
    assert shown[1:] == [["Q1", "1.5"], ["Q[red]22", "-"]]


def test_json_has_all_fields_of_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(ROWS, COLUMNS, as_json=True)
    assert json.loads(capsys.readouterr().out) == ROWS


def test_a_table_without_rows_says_so_and_as_json_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([], COLUMNS, empty="no PV")
    print_table([], COLUMNS, empty="no PV", as_json=True)
    assert capsys.readouterr().out == "no PV\n[]\n"


def test_json_is_one_line_where_it_is_piped_and_readable_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"x": np.array([1.0, np.nan]), "y": (float("inf"), "µ"), "n": 3, "table": {"a": np.array([True])}}
    print_json(data)
    piped = capsys.readouterr().out
    assert piped.count("\n") == 1
    assert "µ" in piped
    assert json.loads(piped) == {"x": [1.0, None], "y": [None, "µ"], "n": 3, "table": {"a": [True]}}
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    print_json(data)
    assert json.loads(terminal.getvalue()) == json.loads(piped)
    assert terminal.getvalue().count("\n") > 10


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.1 + 0.2, "0.3"), (1234567890.5, "1.23456789e+09"), (3, "3"), (True, "True"), ("\x1b", r"\x1b")],
)
def test_a_cell_has_nine_digits_and_no_control_characters(value: object, text: str) -> None:
    assert cell_text(value) == text


def test_columns_are_as_wide_as_their_longest_cell_and_no_line_ends_with_spaces() -> None:
    assert aligned_lines([["a", "b"], ["long", "1"], ["", ""]], [False, True]) == ["a     b", "long  1", ""]
