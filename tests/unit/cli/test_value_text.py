"""Values of PVs as text for people: short, with all digits that matter, and safe on a terminal."""

from typing import Any

import numpy as np
import pytest

from gnomon.cli.value_text import alarm_text, difference_text, table_lines, value_text
from gnomon.clients.reading import Reading


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1059.123456789, "1059.12346"),
        (1e-12, "1e-12"),
        (-0.0, "-0"),
        (float("nan"), "nan"),
        (7, "7"),
        (123456789012, "123456789012"),
        ("twin", "twin"),
        ("", "''"),
        ("a\x1b[2Jb\n", r"a\x1b[2Jb\n"),
        (None, "None"),
        ({"X": [1.0, 2.0], "N\x07": [1.0]}, r"table of 2 rows: X, N\x07"),
        ({}, "table of 0 rows:"),
    ],
)
def test_a_value_is_one_short_line(value: object, text: str) -> None:
    assert value_text(value).rstrip() == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([3.0, -4.0], "3 -4  (2 values, min -4, max 3, rms 3.53553)"),
        (np.arange(7.0), "0 1 2 3 4 5 6  (7 values, min 0, max 6, rms 3.60555)"),
        (np.arange(8), "0 1 2 ... 5 6 7  (8 values, min 0, max 7, rms 4.1833)"),
        ([float("nan"), 1.0, 2.0], "nan 1 2  (3 values, min 1, max 2, rms 1.58114)"),
        ([1e200, 1e200], "1e+200 1e+200  (2 values, min 1e+200, max 1e+200, rms 1e+200)"),
        ([5.0], "5  (1 values)"),
        ([], "(0 values)"),
        (["a", "\x1b"], r"a \x1b  (2 values)"),
    ],
)
def test_a_waveform_is_shown_by_its_ends_and_what_it_holds(values: Any, text: str) -> None:
    assert value_text(values) == text


def test_all_values_are_shown_where_that_is_wanted() -> None:
    assert value_text(np.arange(100.0), everything=True).split() == [str(number) for number in range(100)]


@pytest.mark.parametrize(
    ("old", "new", "texts"),
    [
        (1.5, 2.0, ("1.5", "2")),
        (1.5, 1.5000000000001, ("1.5", "1.5000000000001")),
        (1059.1234561, 1059.1234562, ("1059.1234561", "1059.1234562")),
        (0.3, 0.3, ("0.3", "0.3")),
        ("off", "on", ("off", "on")),
    ],
)
def test_two_numbers_that_differ_never_look_equal(old: object, new: object, texts: tuple[str, str]) -> None:
    assert difference_text(old, new) == texts


@pytest.mark.parametrize(
    ("severity", "alarm", "text"),
    [(0, "", ""), (0, "HIHI", ""), (1, "HIGH", "MINOR HIGH"), (3, "", "INVALID"), (9, "\x1b", r"9 \x1b")],
)
def test_an_alarm_is_named_by_severity_and_word_and_is_empty_where_all_is_well(
    severity: int, alarm: str, text: str
) -> None:
    assert alarm_text(Reading("X", 1.0, severity=severity, alarm=alarm)) == text


def test_a_table_shows_its_first_and_last_rows_and_all_of_them_where_one_would_be_hidden() -> None:
    def first_cells(rows: int, *, everything: bool = False) -> list[str]:
        table = {"BPM": [f"B{n}" for n in range(rows)], "X": np.arange(rows) / 2}
        return [line.split()[0] for line in table_lines(table, everything=everything)]

    assert first_cells(7) == ["BPM", *(f"B{n}" for n in range(7))]
    assert first_cells(8) == ["BPM", "B0", "B1", "B2", "...", "B5", "B6", "B7"]
    assert first_cells(8, everything=True) == ["BPM", *(f"B{n}" for n in range(8))]
    assert first_cells(0) == ["BPM"]


def test_numbers_of_a_table_stand_to_the_right_and_a_short_column_hides_no_row() -> None:
    lines = table_lines({"N\x07": ["a", "bc"], "X": [10.5, 2.0], "Y": [1]})
    assert lines == [r"    N\x07     X  Y", "    a      10.5  1", "    bc        2  -"]
