"""The journal as shown to an operator.

Texts from clients go through `clean`: they may contain characters that would act on a terminal.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gnomon.lattice.text import printable
from gnomon.recorder.entries import Entry, Run, StoredChange
from gnomon.recorder.review import Assignment, Difference

__all__ = [
    "EntryLines",
    "StateName",
    "assignments_table",
    "changes_table",
    "clean",
    "difference_texts",
    "differences_table",
    "entries_table",
    "facts_table",
    "local_time",
    "make_console",
    "make_table",
    "moves_table",
    "no_state",
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

#: Name of a state by run, device, property and value, which has no unit; empty for a value that is a number.
StateName = Callable[[int, str, str, float], str]

#: Columns of a listing with their smallest widths, and the right-aligned ones.
_COLUMNS = {"#": 3, "time": 23, "client": 8, "PV": 20, "old": 8, "new": 8, "unit": 5, "outcome": 9, "reason": 0}
_RIGHT = (0, 4, 5)


def no_state(run: int, device: str, property: str, value: float) -> str:
    """Take every value for a number."""
    return ""


def make_console(*, stderr: bool = False) -> Console:
    """Make a console; piped output is for programs and for grep: one line per command."""
    console = Console(emoji=False, highlight=False, stderr=stderr)
    return console if console.is_terminal else Console(emoji=False, highlight=False, width=240, stderr=stderr)


def make_table(*columns: str, right: tuple[int, ...] = ()) -> Table:
    """Make a table without lines; the columns `right` are right-aligned."""
    table = Table(box=None, pad_edge=False, show_header=bool(columns), header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number in right else "left", overflow="fold")
    return table


def entries_table(entries: Iterable[Entry], state_name: StateName = no_state) -> Table:
    """Make a table with one row per command."""
    table = make_table(*_COLUMNS, right=_RIGHT)
    for entry in entries:
        table.add_row(*_cells(entry, state_name))
    return table


class EntryLines:
    """Commands as single lines in aligned columns, for listings that go on: the widths are those of `entries`."""

    def __init__(self, entries: Sequence[Entry] = (), state_name: StateName = no_state) -> None:
        self._state_name = state_name
        columns = zip(*(_cells(entry, state_name) for entry in entries), strict=True)
        found = [max(map(len, column)) for column in columns] or [0] * len(_COLUMNS)
        self._widths = [max(pair) for pair in zip(found, _COLUMNS.values(), strict=True)]
        self._widths[-1] = 0

    def header(self) -> Text:
        """Format the titles of the columns."""
        return self._line([Text(title, style="bold") for title in _COLUMNS])

    def line(self, entry: Entry, *, later: bool = False) -> Text:
        """Format a command; `later`: its further outcome, with the time of that and how long after the command."""
        cells = list(_cells(entry, self._state_name))
        if later:
            outcome = entry.outcomes[-1]
            after_s = (outcome.wall_ns - entry.wall_ns) / 1e9
            cells[1] = Text(local_time(outcome.wall_ns))
            cells[-1] = Text(f"{after_s:.1f} s later" + ("; " if cells[-1] else "")).append_text(cells[-1])
        return self._line(cells)

    def _line(self, cells: Sequence[Text]) -> Text:
        line = Text()
        for number, (cell, width) in enumerate(zip(cells, self._widths, strict=True)):
            cell.align("right" if number in _RIGHT else "left", max(width, len(cell)))
            line.append_text(cell).append("  ")
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


def changes_table(
    changes: Iterable[StoredChange], *, done: bool, run: int = 0, state_name: StateName = no_state
) -> Table:
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
            *_values(c, c.done if done else c.new, run, state_name),
            clean(c.unit),
            clean(", ".join(drives)),
        )
    return table


def differences_table(
    differences: Iterable[Difference], first: str, second: str, run: int = 0, state_name: StateName = no_state
) -> Table:
    """Make a table of settings at two points; "nominal" is shown if the number is unknown at one of them."""
    table = make_table("device", "property", first, second, "unit", right=(2, 3))
    for d in differences:
        values = _named((d.device, d.setting, d.unit), (d.first, d.second), run, state_name, "nominal")
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


def assignments_table(assignments: Iterable[Assignment], run: int = 0, state_name: StateName = no_state) -> Table:
    """Make a table of settings to be made."""
    table = make_table("device", "property", "now", "will be", "unit", right=(2, 3))
    for a in assignments:
        values = _named((a.device, a.setting, a.unit), (a.now, a.value), run, state_name)
        table.add_row(clean(a.device), clean(a.setting), *values, clean(a.unit))
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


def _named(
    setting: tuple[str, str, str],
    values: tuple[float | None, float | None],
    run: int,
    state_name: StateName,
    nothing: str = "-",
) -> tuple[str, str]:
    """Format two values of a device, property and unit: as names of states, or as numbers that can be told apart."""
    device, name, unit = setting
    names = [state_name(run, device, name, value) if value is not None and not unit else "" for value in values]
    texts = difference_texts(*values, nothing)
    first, second = (printable(name) or text for name, text in zip(names, texts, strict=True))
    return first, second


def _values(change: StoredChange, new: float | None, run: int, state_name: StateName) -> tuple[str, str]:
    return _named((change.device, change.property, change.unit), (change.old, new), run, state_name)


def _cells(entry: Entry, state_name: StateName) -> tuple[Text, ...]:
    asked = entry.changes[0] if entry.changes else None
    more = f" +{len(entry.changes) - 1}" if len(entry.changes) > 1 else ""
    remarks = [entry.note, entry.reason]
    applied = entry.applied
    done = applied.effects[0].done if applied and len(applied.effects) == 1 else None
    if asked is not None and done is not None and done != asked.new:
        setting = (asked.device, asked.property, asked.unit)
        text = _named(setting, (done, asked.new), entry.run, state_name)[0]
        remarks.insert(0, f"applied as {text} {asked.unit}".rstrip())
    return (
        Text(str(entry.sequence)),
        Text(local_time(entry.wall_ns)),
        clean(f"{entry.client.user}@{entry.client.host}"),
        clean((_what(asked) if asked else "") + more),
        *map(Text, _values(asked, asked.new, entry.run, state_name) if asked else ("", "")),
        clean(asked.unit if asked else ""),
        outcome_text(entry.outcome),
        clean("; ".join(filter(None, remarks))),
    )
