"""Tables of results: rows by name, columns with units, for scripts, terminals and notebooks."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice._errors import GnomonError, LatticeError
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.table_text import html_of, number_text, text_of
from gnomon.lattice.text import shorten

__all__ = [
    "MatrixTable",
    "MissingLibraryError",
    "Planes",
    "Row",
    "Table",
    "UnknownNameError",
    "end_name",
    "fitting",
    "unknown_name",
]


class UnknownNameError(LatticeError, KeyError):
    """A name that a table or a ring does not have; the text has near names."""

    def __str__(self) -> str:
        return str(self.args[0])


class MissingLibraryError(GnomonError):
    """An optional library that is not installed; the text says which extra has it."""


class Planes(NamedTuple):
    """A number for the horizontal plane and one for the vertical; with coupling, for mode 1 and mode 2."""

    x: float
    y: float

    def __repr__(self) -> str:
        return f"x {self.x:.6f}, y {self.y:.6f}"


class Row(Mapping[str, Any]):
    """One row of a table: values by column, also as attributes; `units` has those of the columns that have one."""

    __slots__ = ("_values", "name", "units")

    def __init__(self, name: str, values: Mapping[str, Any], units: Mapping[str, str]) -> None:
        self.name = name
        self.units = units
        self._values = dict(values)

    def __getitem__(self, column: str) -> Any:
        return self._values[column]

    def __getattr__(self, column: str) -> Any:
        if column in Row.__slots__ or column not in self._values:
            raise AttributeError(f"{self.name} has no column {column!r}")
        return self._values[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        told = (f"{column} {number_text(value)} {self.units.get(column, '')}" for column, value in self.items())
        return f"{self.name}: {', '.join(each.rstrip() for each in told)}"


@dataclass(frozen=True, eq=False, repr=False)
class Table(Mapping[str, Row]):
    """Rows by name: `table["BPMZ6D1R"]` is a row, `table.x` a column (read-only array), `table.units["x"]` its unit.

    `axis` says what the names name ("monitor"). It is a mapping of names to rows: `len`, `in`, `items()` work.
    """

    title: str
    axis: str
    names: tuple[str, ...]
    columns: Mapping[str, NDArray[Any]]
    units: Mapping[str, str]

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if hasattr(type(self), name) or name in type(self).__dataclass_fields__:
                raise ValueError(f"a column cannot be called {name!r}: a table has something else of that name")
            if column.shape != (len(self.names),):
                raise ValueError(f"column {name!r} has shape {column.shape} beside {len(self.names)} names")
            column.flags.writeable = False
        object.__setattr__(self, "_rows", {name: row for row, name in enumerate(self.names)})

    def __getitem__(self, name: str) -> Row:
        try:
            row = self._rows[name]
        except (KeyError, TypeError):
            raise unknown_name(self.title, self.axis, name, self.names) from None
        return Row(name, {column: _plain(values[row]) for column, values in self.columns.items()}, self.units)

    def __getattr__(self, column: str) -> NDArray[Any]:
        columns = self.__dict__.get("columns", {})
        if column not in columns:
            raise AttributeError(f"{self.__dict__.get('title')}: no column {column!r}; it has {', '.join(columns)}")
        found: NDArray[Any] = columns[column]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.columns]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.names)

    def find(self, *patterns: str) -> "Table":
        """The rows whose name fits a pattern (`*`, `?`, `[...]`). Raises UnknownNameError when none does."""
        rows = fitting(self.title, self.axis, self.names, patterns)
        names = tuple(self.names[row] for row in rows)
        return Table(self.title, self.axis, names, {c: v[rows] for c, v in self.columns.items()}, self.units)

    def to_pandas(self) -> Any:
        """A pandas.DataFrame, indexed by name; units are in its `attrs`. Raises MissingLibraryError."""
        pandas = _library("pandas", "to_pandas()")
        frame = pandas.DataFrame(dict(self.columns), index=pandas.Index(self.names, name=self.axis))
        frame.attrs |= {"title": self.title, "units": dict(self.units)}
        return frame

    def to_xarray(self) -> Any:
        """An xarray.Dataset along `axis`; each variable has its unit in `attrs`. Raises MissingLibraryError."""
        xarray = _library("xarray", "to_xarray()")
        return xarray.Dataset(
            {c: (self.axis, v.copy(), _attributes(self.units, c)) for c, v in self.columns.items()},
            coords={self.axis: list(self.names)},
            attrs={"title": self.title},
        )

    def __repr__(self) -> str:
        return text_of(self.title, self.axis, self.names, self.columns, self.units)

    def _repr_html_(self) -> str:
        return html_of(self.title, self.axis, self.names, self.columns, self.units)


@dataclass(frozen=True, eq=False, repr=False)
class MatrixTable:
    """Numbers by two names: `table["BPMZ6D1R", "HS4P1D1R"]` has one of each column, `table.x` is the whole array.

    Columns have the shape (rows, knobs) and one unit. `axis` and `knob_axis` say what the two kinds of names name.
    """

    title: str
    axis: str
    names: tuple[str, ...]
    knob_axis: str
    knobs: tuple[str, ...]
    columns: Mapping[str, NDArray[np.float64]]
    unit: str

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if column.shape != (len(self.names), len(self.knobs)):
                raise ValueError(f"{name!r} has shape {column.shape}, not {(len(self.names), len(self.knobs))}")
            column.flags.writeable = False

    @property
    def units(self) -> Mapping[str, str]:
        """The unit of each column: the same for all."""
        return dict.fromkeys(self.columns, self.unit)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """All columns below each other (columns * rows, knobs), as a correction needs them."""
        return np.concatenate(list(self.columns.values()))

    def __getitem__(self, key: tuple[str, str]) -> Row:
        if isinstance(key, str) or len(key) != 2:  # type: ignore[redundant-expr]
            raise LatticeError(f"{self.title}: give two names, of a {self.axis} and of a {self.knob_axis}, not {key!r}")
        row = self._place(self.axis, self.names, key[0])
        knob = self._place(self.knob_axis, self.knobs, key[1])
        return Row(" by ".join(key), {c: float(v[row, knob]) for c, v in self.columns.items()}, self.units)

    def __getattr__(self, column: str) -> NDArray[np.float64]:
        columns = self.__dict__.get("columns", {})
        if column not in columns:
            raise AttributeError(f"{self.__dict__.get('title')}: no column {column!r}; it has {', '.join(columns)}")
        found: NDArray[np.float64] = columns[column]
        return found

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.columns]

    def by(self, knob: str) -> Table:
        """The response to one knob. Raises UnknownNameError."""
        place = self._place(self.knob_axis, self.knobs, knob)
        columns = {c: v[:, place].copy() for c, v in self.columns.items()}
        return Table(f"{self.title}, by {knob}", self.axis, self.names, columns, self.units)

    def at(self, name: str) -> Table:
        """The response of one row to all knobs. Raises UnknownNameError."""
        place = self._place(self.axis, self.names, name)
        columns = {c: v[place].copy() for c, v in self.columns.items()}
        return Table(f"{self.title}, at {name}", self.knob_axis, self.knobs, columns, self.units)

    def _place(self, axis: str, names: tuple[str, ...], name: str) -> int:
        if name not in names:
            raise unknown_name(self.title, axis, name, names)
        return names.index(name)

    def to_pandas(self) -> Any:
        """A pandas.DataFrame: knobs across, column and name downward. Raises MissingLibraryError."""
        pandas = _library("pandas", "to_pandas()")
        index = pandas.MultiIndex.from_product([list(self.columns), self.names], names=["column", self.axis])
        frame = pandas.DataFrame(self.matrix, index=index, columns=pandas.Index(self.knobs, name=self.knob_axis))
        frame.attrs |= {"title": self.title, "unit": self.unit}
        return frame

    def to_xarray(self) -> Any:
        """An xarray.Dataset of two dimensions; each variable has its unit in `attrs`. Raises MissingLibraryError."""
        xarray = _library("xarray", "to_xarray()")
        axes = (self.axis, self.knob_axis)
        return xarray.Dataset(
            {c: (axes, v.copy(), _attributes(self.units, c)) for c, v in self.columns.items()},
            coords={self.axis: list(self.names), self.knob_axis: list(self.knobs)},
            attrs={"title": self.title},
        )

    def _outline(self) -> Table:
        """The rms response to each knob, for people."""
        rms = {c: np.sqrt(np.mean(v**2, axis=0)) for c, v in self.columns.items()}
        title = f"{self.title}: {len(self.knobs)} by {self.knob_axis}, {len(self.names)} by {self.axis}; rms by each"
        return Table(title, self.knob_axis, self.knobs, rms, self.units)

    def __repr__(self) -> str:
        return repr(self._outline())

    def _repr_html_(self) -> str:
        return self._outline()._repr_html_()


def unknown_name(owner: str, axis: str, name: object, names: Iterable[str]) -> UnknownNameError:
    """The error of a name that is not there, with near ones."""
    asked = str(name)
    return UnknownNameError(f"{owner}: there is no {axis} {shorten(asked)}{near_names_hint(asked, names, 4)}")


def end_name(elements: Container[str]) -> str:
    """The name of the end of the ring in a table of elements, which none of them has."""
    end = "end"
    while end in elements:
        end += "_"
    return end


def fitting(owner: str, axis: str, names: Sequence[str], patterns: Sequence[str]) -> list[int]:
    """Places of the names that fit any of the patterns. Raises UnknownNameError for a pattern that none fits."""
    found: set[int] = set()
    for pattern in patterns:
        fits = {place for place, name in enumerate(names) if fnmatchcase(name, pattern)}
        if not fits:
            raise unknown_name(owner, axis, pattern, names)
        found |= fits
    return sorted(found)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _attributes(units: Mapping[str, str], column: str) -> dict[str, str]:
    return {"units": units[column]} if units.get(column) else {}


def _library(name: str, what: str) -> Any:
    if find_spec(name) is None:
        raise MissingLibraryError(f"{what} needs {name}, which is not installed; pip install 'gnomon[tables]'")
    return import_module(name)
