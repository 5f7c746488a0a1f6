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
#: Titles of what is measured, and forms of numbers that do not have five decimals.
TITLES = {
    "x": "tune x",
    "y": "tune y",
    "reading_mm": "moved [mm]",
    "current_ma": "current [mA]",
    "lifetime_h": "lifetime [h]",
}
FORMS = {"reading_mm": "+.3f", "current_ma": ".4f", "lifetime_h": ".3g"}


class Silent(Watcher):
    """Shows nothing but what somebody should know or do, and that an interrupt was seen."""

    def interrupted(self) -> None:
        """Say so."""
        say("interrupted: putting the machine back ...", err=True)

    def notice(self, text: str) -> None:
        """Say what the operator should know or do."""
        say(text, err=True)


class LiveRows(Silent):
    """Shows the last rows and how many are to come."""

    def __init__(self, name: str, live: Live, progress: Progress) -> None:
        self._live, self._progress = live, progress
        self._task = progress.add_task(name)
        self._rows: list[MeasuredRow] = []

    def notice(self, text: str) -> None:
        """Say it above the table."""
        self._live.console.print(text, markup=False, highlight=False)

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
    names = list(rows[-1].values)
    arrays = {name for name in names if np.ndim(rows[-1].values[name]) > 0}
    for title in (
        "",
        "set",
        *(f"{name.replace('_', ' ')} rms [mm]" if name in arrays else TITLES.get(name, name) for name in names),
    ):
        table.add_column(title, justify="left" if title == "set" else "right")
    for number in range(max(0, len(rows) - SHOWN), len(rows)):
        row = rows[number]
        knobs = ", ".join(f"{name} {value:.8g}" for name, value in row.knobs.items())
        values = [np.sqrt(np.nanmean(np.square(row.values[n]))) if n in arrays else row.values[n] for n in names]
        shown = (f"{value:{FORMS.get(name, '.5f')}}" for name, value in zip(names, values, strict=True))
        table.add_row(str(number + 1), knobs, *shown)
    return table
