"""Tables as text for terminals and as HTML for notebooks: the first and the last rows of a long one."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

#: Rows that are shown of a long table: first and last ones.
FIRST, LAST = 12, 4

STYLE = "text-align: right; padding: 1px 8px"


def number_text(value: Any) -> str:
    """A value for people: six digits of a number, `-` for NaN."""
    if isinstance(value, float | np.floating):
        return "-" if np.isnan(value) else f"{value + 0.0:.6g}"
    return str(value)


def text_of(title: str, axis: str, names: Sequence[str], columns: Mapping[str, Any], units: Mapping[str, str]) -> str:
    """Write a table as lines of equal columns, numbers to the right."""
    rows, left_out = _shown(len(names))
    cells = [[axis, *(_head(column, units) for column in columns)]]
    cells += [[names[row], *(number_text(values[row]) for values in columns.values())] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            text.ljust(width) if k == 0 else text.rjust(width)
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    if left_out:
        lines.insert(1 + FIRST, f"... {left_out} more")
    return "\n".join([title, *lines])


def html_of(title: str, axis: str, names: Sequence[str], columns: Mapping[str, Any], units: Mapping[str, str]) -> str:
    """Write a table as HTML; all texts are escaped."""
    rows, left_out = _shown(len(names))
    head = "".join(f'<th style="{STYLE}">{escape(_head(column, units))}</th>' for column in columns)
    body = []
    for place, row in enumerate(rows):
        if left_out and place == FIRST:
            body.append(f'<tr><td colspan="{1 + len(columns)}">&hellip; {left_out} more</td></tr>')
        cells = "".join(f'<td style="{STYLE}">{escape(number_text(v[row]))}</td>' for v in columns.values())
        body.append(f'<tr><th style="text-align: left">{escape(names[row])}</th>{cells}</tr>')
    return (
        f'<table><caption style="text-align: left">{escape(title)}</caption>'
        f'<thead><tr><th style="text-align: left">{escape(axis)}</th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _head(column: str, units: Mapping[str, str]) -> str:
    return f"{column} [{units[column]}]" if units.get(column) else column


def _shown(count: int) -> tuple[list[int], int]:
    if count <= FIRST + LAST + 1:
        return list(range(count)), 0
    return [*range(FIRST), *range(count - LAST, count)], count - FIRST - LAST
