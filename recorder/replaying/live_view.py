"""A gated replay live in a terminal: the step, its prediction and band, the measurement, the margin."""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gnomon.recorder.rendering import clean, make_table
from gnomon.recorder.replay_steps import Step
from gnomon.recorder.replaying.gated_steps import StepView
from gnomon.recorder.replaying.step_record import StepRecord, record_of

__all__ = ["LEGEND", "LiveView", "line_of", "steps_table"]

#: Rows of the live table, and lines of events below it.
ROWS, LINES = 12, 6

_COLOURS = {"as predicted": "green", "accepted": "cyan", "stopped": "bold red", "refused": "bold red"}


class LiveView(AbstractContextManager["LiveView"]):
    """In a terminal a table that is drawn again at each event, elsewhere a plain line for each."""

    def __init__(self, console: Console) -> None:
        self.records: list[StepRecord] = []
        self._console = console
        self._events: list[Text] = []
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def observe(self, view: StepView) -> None:
        """Show a step that was decided, or measured."""
        record = record_of(view)
        if record.measured:
            self.records[-1] = record
        else:
            self.records.append(record)
        if self._live is None:
            self._console.print(clean(line_of(record)), soft_wrap=True)
        self._draw()

    def report(self, event: str, step: Step, remark: str) -> None:
        """Show an event of the replay: a write, its readback, a value that was put back."""
        way = (step.start, step.target) if event in ("write", "verified") else (step.target, step.start)
        self.say(f"{event:9} {step.pv}  {way[0]:.9g} -> {way[1]:.9g} {step.unit}  {remark}".rstrip())

    def say(self, text: str) -> None:
        """Show a line."""
        if self._live is None:
            self._console.print(clean(text), soft_wrap=True)
        else:
            self._events = [*self._events, clean(text)][-LINES:]
            self._draw()

    def _draw(self) -> None:
        if self._live is not None:
            self._live.update(Group(steps_table(self.records[-ROWS:]), *self._events), refresh=True)


def steps_table(records: Iterable[StepRecord]) -> Table:
    """Make a table with one row for each write."""
    table = make_table(
        "step", "PV", "from", "to", "unit", "dx", "dy", "dQx", "dQy", "band x", "band y", "miss", "margin", "verdict",
        right=(0, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12),
    )  # fmt: skip
    for record in records:
        planes = {plane.name: plane for plane in record.planes}
        tunes = [""] * 2
        if "tune" in planes:
            tunes = [_number(float(v), "+.5f") for v in planes["tune"].expected - planes["tune"].before]
        x, y = planes.get("x"), planes.get("y")
        table.add_row(
            f"{record.number + 1}/{record.steps}",
            clean(record.pv),
            f"{record.start:.6g}",
            f"{record.target:.6g}",
            clean(record.unit),
            *("" if plane is None else _number(plane.change, ".4f") for plane in (x, y)),
            *tunes,
            *("" if plane is None else _number(plane.half_width, ".4f") for plane in (x, y)),
            _number(record.share, ".2f"),
            _number(100.0 * record.margin, ".0f", " %"),
            Text(record.verdict, style=_COLOURS[record.verdict]),
        )
    return table


#: What the columns of the table are.
LEGEND = (
    "largest expected change at a monitor (dx, dy) and largest half width of its band [mm]; miss: deviation of the "
    "measurement in half widths, inside up to 1; margin: distance to the nearest limit, in per cent of it"
)


def line_of(record: StepRecord) -> str:
    """Describe a step in one line with the first reason, for an output that is not a terminal."""
    planes = {plane.name: plane for plane in record.planes}
    parts = [f"step {record.number + 1}/{record.steps}", record.pv, f"{record.start:.9g} -> {record.target:.9g}"]
    if record.unit:
        parts.append(record.unit)
    for name in ("x", "y"):
        if name in planes:
            parts.append(f"d{name} {planes[name].change:.4f}+-{planes[name].half_width:.4f} mm")
    if record.measured:
        parts.append(f"miss {record.share:.2f}")
    if math.isfinite(record.margin):
        parts.append(f"margin {100.0 * record.margin:.0f} %")
    more = [f"and {len(record.reasons) - 1} more reasons"] if len(record.reasons) > 1 else []
    return "  ".join([*parts, record.verdict, "; ".join([*record.reasons[:1], *more])]).rstrip()


def _number(value: float, form: str, after: str = "") -> str:
    if math.isnan(value):
        return ""
    return "inf" if math.isinf(value) else f"{value:{form}}{after}"
