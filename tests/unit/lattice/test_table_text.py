"""Tables for terminals and notebooks: every number is found below its heading, and nothing is hidden unsaid."""

from html.parser import HTMLParser

import numpy as np
import pytest

from gnomon.lattice.table_text import FIRST, LAST, html_of, number_text, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.23456789, "1.23457"),
        (np.float64(-0.0), "0"),
        (np.float32(0.5), "0.5"),
        (float("nan"), "-"),
        (float("inf"), "inf"),
        (1e-12, "1e-12"),
        (7, "7"),
        ("A/m", "A/m"),
    ],
)
def test_a_number_has_six_digits_and_one_that_is_missing_is_a_dash(value: object, text: str) -> None:
    assert number_text(value) == text


def test_columns_are_aligned_with_units_in_the_head() -> None:
    text = text_of("orbit", "monitor", ["B1", "BPM22"], {"s": [0.5, 12.25], "kind": ["a", "bcd"]}, {"s": "m"})
    assert text.splitlines() == [
        "orbit",
        "monitor  s [m]  kind",
        "B1         0.5     a",
        "BPM22    12.25   bcd",
    ]


@pytest.mark.parametrize("count", [0, 1, FIRST + LAST, FIRST + LAST + 1, FIRST + LAST + 2, 1000])
def test_rows_shown_and_rows_counted_as_left_out_make_the_whole_table(count: int) -> None:
    names = [f"N{k}" for k in range(count)]
    lines = text_of("t", "name", names, {"k": np.arange(count)}, {}).splitlines()[2:]
    told = [line for line in lines if line.startswith("...")]
    rows = [line.split() for line in lines if not line.startswith("...")]
    assert all(name == f"N{k}" for name, k in rows)
    if told:
        (line,) = told
        assert lines.index(line) == FIRST
        assert [name for name, _ in rows] == names[:FIRST] + names[-LAST:]
        assert int(line.split()[1]) == count - FIRST - LAST > 1
    else:
        assert [name for name, _ in rows] == names


class Cells(HTMLParser):
    """Rows of cells as a browser would show them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.caption = ""
        self.feed(html)
        assert self.tags == []

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.tags[-1] == "caption":
            self.caption += data
        else:
            self.rows[-1][-1] += data


def test_a_notebook_shows_the_same_cells() -> None:
    columns = {"x<y": [1.5, float("nan")], "unit": ["A & B", "<i>"]}
    shown = Cells(html_of("a <title>", "name", ["<b>", '"c"'], columns, {"x<y": "m>"}))
    assert shown.caption == "a <title>"
    assert shown.rows == [["name", "x<y [m>]", "unit"], ["<b>", "1.5", "A & B"], ['"c"', "-", "<i>"]]


def test_a_notebook_shows_the_ends_of_a_long_table_and_how_much_lies_between() -> None:
    names = [f"N{k}" for k in range(100)]
    rows = Cells(html_of("t", "name", names, {"k": np.arange(100)}, {})).rows[1:]
    assert rows[FIRST] == ["\N{HORIZONTAL ELLIPSIS} 84 more"]
    assert [row[0] for row in rows[:FIRST] + rows[FIRST + 1 :]] == names[:12] + names[-4:]
