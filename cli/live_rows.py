"""Rows of a measurement on the terminal as they come: a table and a bar on a terminal, nothing in a pipe."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gnomon.cli.output import say
from gnomon.procedures.runnable import Watcher

if TYPE_CHECKING:
    from gnomon.procedures.plans import MeasuredRow

__all__ = ["live_rows"]

#: Rows of the table.
SHOWN = 10


class Silent(Watcher):
    """Shows nothing but that an interrupt was seen."""

    def interrupted(self) -> None:
        """Say so."""
        say("interrupted: putting the machine back ...", err=True)


class LiveRows(Silent):
    """Shows the last rows and how many are to come."""

    def __init__(self, name: str, live: Live, progress: Progress) -> None:
        self._live, self._progress = live, progress
        self._task = progress.add_task(name)
        self._rows: list[MeasuredRow] = []

    def row(self, row: "MeasuredRow", total: int) -> None:
        """Show a row."""
        self._rows.append(row)
        self._progress.update(self._task, total=total, completed=len(self._rows))
        self._live.update(Group(_table(self._rows), self._progress))


@contextmanager
def live_rows(name: str, *, quiet: bool) -> Iterator[Watcher]:
    """Show rows on a terminal until the context ends."""
    if quiet or not sys.stderr.isatty():
        yield Silent()
        return
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True)
    )
    with Live(progress, console=Console(stderr=True, emoji=False), refresh_per_second=8, transient=True) as live:
        yield LiveRows(name, live, progress)


def _table(rows: "list[MeasuredRow]") -> Any:
    table = Table(box=None, pad_edge=False)
    arrays = np.ndim(rows[-1].values["x"]) > 0
    unit = " rms [mm]" if arrays else ""
    for title in ("", "set", *(f"{'' if arrays else 'tune '}{plane}{unit}" for plane in "xy")):
        table.add_column(title, justify="left" if title == "set" else "right")
    for number in range(max(0, len(rows) - SHOWN), len(rows)):
        row = rows[number]
        knobs = ", ".join(f"{name} {value:.8g}" for name, value in row.knobs.items())
        values = [row.values[plane] for plane in "xy"]
        shown = [np.sqrt(np.nanmean(np.square(each))) if arrays else each for each in values]
        table.add_row(str(number + 1), knobs, *(f"{each:.5f}" for each in shown))
    return table
