"""The journal as JSON lines or as a table, one command after the other, however many there are."""

import csv
import json
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from gnomon.lattice.text import printable
from gnomon.recorder.command_document import command_document, iso_time
from gnomon.recorder.entries import Entry, Run

__all__ = ["documents", "write_csv", "write_jsonl"]

#: First characters of a cell that a spreadsheet takes for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

#: Columns of the table; one row per change of a command.
COLUMNS = (
    "sequence",
    "run",
    "time",
    "wall_ns",
    "monotonic_ns",
    "user",
    "host",
    "protocol",
    "note",
    "pv",
    "device",
    "property",
    "unit",
    "old",
    "new",
    "done",
    "setting",
    "setting_old",
    "setting_done",
    "lattice_before",
    "lattice_after",
    "outcome",
    "reason",
)


def documents(entries: Iterable[Entry], run: Callable[[int], Run]) -> list[dict[str, Any]]:
    """Make the documents of commands, as plain data for JSON; `run` finds a run by its number."""
    return [command_document(entry, run(entry.run)).model_dump(mode="json", by_alias=True) for entry in entries]


def write_jsonl(entries: Iterable[Entry], run: Callable[[int], Run], out: TextIO) -> int:
    """Write one document per line (see `document`); return their number. `run` finds a run by its number."""
    count = 0
    runs: dict[int, Run] = {}
    for entry in entries:
        count += 1
        if entry.run not in runs:
            runs[entry.run] = run(entry.run)
        out.write(_escaped(command_document(entry, runs[entry.run]).model_dump_json(by_alias=True)) + "\n")
    return count


def write_csv(entries: Iterable[Entry], out: TextIO) -> int:
    """Write one row per change, with a header; a missing value is empty. Return the number of commands."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for entry in entries:
        count += 1
        writer.writerows(_rows(entry))
    return count


def _rows(entry: Entry) -> Iterable[tuple[object, ...]]:
    who = map(_cell, (entry.client.user, entry.client.host, entry.client.protocol, entry.note))
    head = (entry.sequence, entry.run, iso_time(entry.wall_ns), entry.wall_ns, entry.monotonic_ns, *who)
    last = entry.outcomes[-1] if entry.outcomes else None
    after = last.lattice_after if last else ""
    tail = (entry.lattice_before, after, entry.outcome or "", _cell(entry.reason))
    applied = entry.applied
    effects = applied.effects if applied else ()
    done = {(e.pv, e.device, e.property): e for e in effects}
    for c in entry.changes:
        e = done.pop((c.pv, c.device, c.property), None)
        values = (c.old, c.new, e.done if e else None, c.setting, c.setting_old, e.setting_done if e else None)
        yield (*head, *map(_cell, (c.pv, c.device, c.property, c.unit, *values)), *tail)
    for e in done.values():
        values = (e.old, None, e.done, e.setting, e.setting_old, e.setting_done)
        yield (*head, *map(_cell, (e.pv, e.device, e.property, e.unit, *values)), *tail)
    if not entry.changes and not effects:
        yield (*head, *("",) * 10, *tail)


def _escaped(line: str) -> str:
    """Escape all characters that act on a terminal; JSON itself escapes only some of them."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def _cell(value: object) -> object:
    """Make a cell harmless for spreadsheets (not a formula) and terminals (only text); numbers stay numbers."""
    if not isinstance(value, str):
        return value
    shown = printable(value)
    return "'" + shown if value[:1] in FORMULA or shown[:1] in FORMULA else shown
