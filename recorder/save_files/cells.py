"""The cells of tables as spreadsheets write them."""

import csv
import re

_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")


def cells_of(line: str, separator: str) -> list[str]:
    """Split a line into cells, without white space around them. Raises csv.Error."""
    (cells,) = csv.reader([line], delimiter=separator, strict=True)
    return [cell.strip() for cell in cells]


def with_decimal_point(text: str) -> str:
    """Convert a decimal comma to a point; only for tables that do not separate columns by commas."""
    return text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text
