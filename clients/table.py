"""A table with named columns and units, for scripts and notebooks."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import numpy as np

_SHOWN = 6


class Table(Mapping[str, Any]):
    """Columns by name, as numpy arrays; `units` has the unit of each. Columns are also attributes: `table.x`."""

    def __init__(self, columns: Mapping[str, Any], units: Mapping[str, str]) -> None:
        self._columns = {name: np.asarray(column) for name, column in columns.items()}
        self.units = dict(units)

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __getattr__(self, name: str) -> Any:
        columns = self.__dict__.get("_columns", {})
        if name in columns:
            return columns[name]
        raise AttributeError(f"no column {name!r}; columns: {', '.join(columns)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """Return the number of columns; `rows` has that of rows."""
        return len(self._columns)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return min((len(column) for column in self._columns.values()), default=0)

    def to_pandas(self) -> Any:
        """Return a pandas data frame, whose `attrs["units"]` are the units. Needs pandas."""
        import pandas

        frame = pandas.DataFrame({name: column[: self.rows] for name, column in self._columns.items()})
        frame.attrs["units"] = self.units
        return frame

    def __repr__(self) -> str:
        lines = ["  ".join(cells) for cells in self._cells()]
        return "\n".join([*lines, f"[{self.rows} rows]"])

    def _repr_html_(self) -> str:
        head, *rows = self._cells()
        parts = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
        parts += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
        return f"<table>{''.join(f'<tr>{part}</tr>' for part in parts)}</table><p>{self.rows} rows</p>"

    def _cells(self) -> list[list[str]]:
        """Return titles with units, and the first and last rows, as texts of equal width in each column."""
        titles = [f"{name} [{self.units[name]}]" if self.units.get(name) else name for name in self]
        hidden = self.rows > 2 * _SHOWN
        numbers = [*range(_SHOWN), None, *range(self.rows - _SHOWN, self.rows)] if hidden else range(self.rows)
        rows = [
            ["..." if number is None else _text(column[number]) for column in self._columns.values()]
            for number in numbers
        ]
        widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
        return [[cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in (titles, *rows)]


def _text(value: Any) -> str:
    return f"{float(value):.6g}" if isinstance(value, np.floating | float) else str(value)
