"""The journal as shown to an operator.

Texts from clients go through `clean`: they may contain characters that would act on a terminal.
"""

from collections.abc import Iterable
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gnomon.lattice.text import printable
from gnomon.recorder.entries import Entry, Run, StoredChange
from gnomon.recorder.review import Assignment, Difference

__all__ = [
    "assignments_table",
    "changes_table",
    "clean",
    "difference_texts",
    "differences_table",
    "entries_table",
    "entry_line",
    "facts_table",
    "local_time",
    "make_console",
    "make_table",
    "moves_table",
    "outcome_text",
    "value_text",
    "values_table",
]

_COLOURS = {
    "applied": "green",
    "delayed": "yellow",
    "modified": "yellow",
    "abandoned": "magenta",
    "rejected": "red",
    "failed": "bold red",
    "unknown": "bold red",
}

#: Columns of a listing with their widths in single lines, and the right-aligned ones.
_COLUMNS = {"#": 6, "time": 23, "client": 18, "PV": 26, "old": 12, "new": 12, "unit": 7, "outcome": 9, "reason": 0}
_RIGHT = (0, 4, 5)


def make_console() -> Console:
    """Make a console; piped output is for programs and for grep: one line per command."""
    console = Console(emoji=False, highlight=False)
    return console if console.is_terminal else Console(emoji=False, highlight=False, width=240)


def make_table(*columns: str, right: tuple[int, ...] = ()) -> Table:
    """Make a table without lines; the columns `right` are right-aligned."""
    table = Table(box=None, pad_edge=False, show_header=bool(columns), header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number in right else "left", overflow="fold")
    return table


def entries_table(entries: Iterable[Entry]) -> Table:
    """Make a table with one row per command."""
    table = make_table(*_COLUMNS, right=_RIGHT)
    for entry in entries:
        table.add_row(*_cells(entry))
    return table


def entry_line(entry: Entry) -> Text:
    """Format one command as a single line, aligned with a table or line above it."""
    line = Text()
    for number, (cell, width) in enumerate(zip(_cells(entry), _COLUMNS.values(), strict=True)):
        cell.align("right" if number in _RIGHT else "left", max(width, len(cell)))
        line.append_text(cell).append(" ")
    line.rstrip()
    return line


def facts_table(entry: Entry, run: Run) -> Table:
    """Make a table of a command's client, time, lattice, run and machine."""
    table = make_table()
    client = entry.client
    for name, value in (
        ("time", f"{local_time(entry.wall_ns)} (monotonic {entry.monotonic_ns / 1e9:.6f} s)"),
        ("client", f"{client.user}@{client.host} over {client.protocol}, as stated by the client"),
        ("lattice before", entry.lattice_before),
        ("run", f"{run.run}, since {local_time(run.wall_ns)}, boot {run.boot_id}"),
        ("machine", f"{run.machine} (document {run.digest}), PVs under {run.prefix!r}"),
    ):
        table.add_row(name, clean(value))
    return table


def changes_table(changes: Iterable[StoredChange], *, done: bool) -> Table:
    """Make a table of requested changes or, with `done`, of applied ones, with the strengths that they drive."""
    table = make_table("PV", "device", "property", "old", "done" if done else "new", "unit", "drives", right=(3, 4))
    for c in changes:
        drives = [
            f"{name} {' -> '.join(difference_texts(c.physics_old.get(name), v))}" for name, v in c.physics_new.items()
        ]
        if done and c.setting != c.property:
            drives.insert(0, f"{c.setting} {' -> '.join(difference_texts(c.setting_old, c.setting_done))}")
        table.add_row(
            clean(c.pv),
            clean(c.device),
            clean(c.property),
            *difference_texts(c.old, c.done if done else c.new),
            clean(c.unit),
            clean(", ".join(drives)),
        )
    return table


def differences_table(differences: Iterable[Difference], first: str, second: str) -> Table:
    """Make a table of settings at two points; "nominal" is shown if the number is unknown at one of them."""
    table = make_table("device", "property", first, second, "unit", right=(2, 3))
    for d in differences:
        values = difference_texts(d.first, d.second, "nominal")
        table.add_row(clean(d.device), clean(d.setting), *values, clean(d.unit))
    return table


def moves_table(moves: Iterable[tuple[str, float | None, float | None, str]], first: str, second: str) -> Table:
    """Make a table of setpoints in two snapshots: name, both values, unit; None if a snapshot does not have it."""
    table = make_table("PV", first, second, "unit", right=(1, 2))
    for name, one, other, unit in moves:
        table.add_row(clean(name), *difference_texts(one, other), clean(unit))
    return table


def values_table(values: Iterable[tuple[str, float, str]]) -> Table:
    """Make a table of setpoints: name, value, unit."""
    table = make_table("PV", "value", "unit", right=(1,))
    for name, value, unit in values:
        table.add_row(clean(name), value_text(value), clean(unit))
    return table


def assignments_table(assignments: Iterable[Assignment]) -> Table:
    """Make a table of settings to be made."""
    table = make_table("device", "property", "now", "will be", "unit", right=(2, 3))
    for a in assignments:
        table.add_row(clean(a.device), clean(a.setting), *difference_texts(a.now, a.value), clean(a.unit))
    return table


def outcome_text(entry_outcome: str | None) -> Text:
    """Show an outcome in its colour; None is `unknown`: the server still works on the command, or ended before."""
    name = entry_outcome or "unknown"
    return Text(name, style=_COLOURS[name])


def local_time(wall_ns: int) -> str:
    """Format local time with milliseconds."""
    seconds, rest = divmod(wall_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03d}"


def difference_texts(first: float | None, second: float | None, nothing: str = "-") -> tuple[str, str]:
    """Format two numbers to nine digits, or to as many more as tell them apart, with the same number of decimals."""
    one, other = value_text(first, nothing), value_text(second, nothing)
    if first is None or second is None:
        return one, other
    if first != second and one == other:
        digits = next((n for n in range(10, 17) if f"{first:.{n}g}" != f"{second:.{n}g}"), 17)
        one, other = f"{first:.{digits}g}", f"{second:.{digits}g}"
    decimals = [len(text.partition(".")[2]) for text in (one, other)]
    if all(decimals) and "e" not in one + other and decimals[0] != decimals[1]:
        one, other = (text + "0" * (max(decimals) - own) for text, own in zip((one, other), decimals, strict=True))
    return one, other


def value_text(value: float | None, nothing: str = "-") -> str:
    """Format a number to nine digits."""
    return nothing if value is None else f"{value:.9g}"


def clean(text: str) -> Text:
    """Make a text safe to show: nothing in it acts on a terminal or is taken for markup."""
    return Text(printable(text))


def _what(change: StoredChange) -> str:
    """Name the PV, with its device and property if its name does not show them."""
    return change.pv if change.device in change.pv else f"{change.pv} {change.device} {change.property}"


def _cells(entry: Entry) -> tuple[Text, ...]:
    asked = entry.changes[0] if entry.changes else None
    more = f" +{len(entry.changes) - 1}" if len(entry.changes) > 1 else ""
    remarks = [entry.note, entry.reason]
    applied = entry.applied
    done = applied.effects[0].done if applied and len(applied.effects) == 1 else None
    if asked is not None and done is not None and done != asked.new:
        remarks.insert(0, f"applied as {difference_texts(done, asked.new)[0]} {asked.unit}")
    return (
        Text(str(entry.sequence)),
        Text(local_time(entry.wall_ns)),
        clean(f"{entry.client.user}@{entry.client.host}"),
        clean((_what(asked) if asked else "") + more),
        *map(Text, difference_texts(asked.old, asked.new) if asked else ("", "")),
        clean(asked.unit if asked else ""),
        outcome_text(entry.outcome),
        clean("; ".join(filter(None, remarks))),
    )
