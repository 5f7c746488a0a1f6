"""Rows of a measurement as they come: what was set, what was read. What is there when it fails is kept."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MeasuredRow", "Recording"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """One reading: settings of the knobs that moved, number of the group, values by name, time since the start [s]."""

    knobs: Mapping[str, float]
    group: int
    values: Mapping[str, Any]
    time_s: float


@dataclass
class Recording:
    """Rows of a run; `listener` is called with each new one. `total` is how many are expected.

    `notice` is told what the operator should know or do meanwhile.
    """

    listener: Callable[[MeasuredRow], None] | None = None
    notice: Callable[[str], None] | None = None
    total: int = 0
    rows: list[MeasuredRow] = field(default_factory=list)
    _start: float = field(default_factory=time.monotonic)

    def add(self, knobs: Mapping[str, float], group: int, **values: Any) -> None:
        """Add a row."""
        row = MeasuredRow(dict(knobs), group, values, time.monotonic() - self._start)
        self.rows.append(row)
        if self.listener is not None:
            self.listener(row)

    def say(self, text: str) -> None:
        """Tell the operator something. A terminal that is gone keeps no plan from its end."""
        if self.notice is not None:
            with suppress(OSError):
                self.notice(text)

    def column(self, name: str) -> Array:
        """Return a value of all rows: (rows,) or (rows, n)."""
        return np.array([row.values[name] for row in self.rows], dtype=float)

    def knobs(self, names: Sequence[str], base: Mapping[str, float]) -> Array:
        """Return the settings of knobs (rows, knobs); one that was not moved in a row is at its base."""
        return np.array(
            [[row.knobs[name] if name in row.knobs else base[name] for name in names] for row in self.rows]
        ).reshape(len(self.rows), len(names))

    @property
    def groups(self) -> Array:
        """Numbers of the groups (rows,)."""
        return np.array([row.group for row in self.rows], dtype=float)

    @property
    def times(self) -> Array:
        """Times since the start (rows,) [s]."""
        return np.array([row.time_s for row in self.rows])
