"""Snapshots that Phoebus' save and restore exports (`.csv`), and those of its forerunner in CS-Studio (`.snp`, `.bms`).

Format: Phoebus, application save-and-restore, CSV import and export: comments, one row of column names, a row per PV.
"""

import csv
from collections.abc import Iterable
from datetime import datetime

from gnomon.lattice.text import shorten
from gnomon.recorder.recorder_errors import SaveFileError
from gnomon.recorder.save_files.cells import cells_of, with_decimal_point
from gnomon.recorder.save_files.saved import About, Saved, Value, lines_of, number_text

COLUMNS = (
    "PV",
    "SELECTED",
    "TIMESTAMP",
    "STATUS",
    "SEVERITY",
    "VALUE_TYPE",
    "VALUE",
    "READBACK",
    "READBACK_VALUE",
    "DELTA",
    "READ_ONLY",
)
DESCRIPTION = "Description:"
NO_VALUE = ("", "---", "(Disconnected)")
#: Severities of a value that was meaningless when it was saved.
MEANINGLESS = ("INVALID", "UNDEFINED")
#: Longest row of column names [characters].
MAX_HEADER = 10_000
#: Separators of columns: Phoebus' own, and those of spreadsheets.
SEPARATORS = (",", ";", "\t")


def is_format(text: str) -> bool:
    """True if a text is such a file."""
    head = next((line for _, line in lines_of(text) if line.strip() and not line.startswith("#")), "")
    return _header(head) is not None


def parse(text: str) -> Saved:
    """Read a file; a row that cannot be read is noted. Raises SaveFileError if there is no row of column names."""
    saved, described = Saved(), False
    header: tuple[str, list[str]] | None = None
    for number, line in lines_of(text):
        if line.startswith("#"):
            words = line[1:].strip().rstrip(",;")
            if described and not saved.comment and not words.endswith(":"):
                saved.comment = words
            described = words == DESCRIPTION
        elif line.strip(" ,;\t") and header is None:
            header = _header(line)
            if header is None:
                raise SaveFileError(f"line {number}: {shorten(line)} does not name the columns PV and VALUE")
        elif line.strip(" ,;\t") and header is not None:
            _read_row(saved, number, line, *header)
    return saved


def render(values: Iterable[Value], about: About) -> str:
    """Make the text of a file."""
    seconds, nanoseconds = divmod(about.time_ns, 1_000_000_000)
    moment = f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}.{nanoseconds // 1_000_000:03d}"
    tags = "AUTO-GENERATED. DON'T EDIT {} IF YOU DON'T KNOW HOW THOSE WORK!"
    lines = [tags.format("BELOW"), "Hierarchy:", "gnomon", "Snapshot name:", about.name, DESCRIPTION, about.line or "-"]
    lines += ["Creator:", about.user, "Date:", moment, "Tags:", tags.format("ABOVE")]
    head = [f"# {line}" for line in lines] + [",".join(COLUMNS)]
    stamp = f"{seconds}.{nanoseconds:09d}"
    body = [f'{v.pv},1,{stamp},NONE,NONE,double,"{number_text(v.value)}",,"---",,0' for v in values]
    return "\n".join(head + body) + "\n"


def _header(line: str) -> tuple[str, list[str]] | None:
    """Find the separator and the names of the columns."""
    if len(line) > MAX_HEADER:
        return None
    for separator in SEPARATORS:
        try:
            names = [name.upper() for name in cells_of(line, separator)]
        except csv.Error:
            continue
        if {"PV", "VALUE"} <= set(names):
            return separator, names
    return None


def _read_row(saved: Saved, number: int, line: str, separator: str, columns: list[str]) -> None:
    try:
        cells = cells_of(line, separator)
    except csv.Error as error:
        saved.skip(number, f"{shorten(line)} is not a row of the table: {error}")
        return
    while len(cells) > len(columns) and not cells[-1]:
        cells.pop()  # spreadsheets fill up all rows to the longest one
    row = dict(zip(columns, cells, strict=False))
    name = row.get("PV", "")
    if len(cells) > len(columns):
        saved.skip(number, f"{shorten(line)} has {len(cells)} cells, the table has {len(columns)} columns")
        return
    if not name:
        saved.skip(number, f"{shorten(line)} does not name a PV")
        return
    value = row.get("VALUE", "")
    severity = row.get("SEVERITY", "").upper()
    if row.get("SELECTED", "").lower() in ("0", "false"):
        saved.leave(number, name, "not selected")
    elif row.get("READ_ONLY", "").lower() in ("1", "true"):
        saved.leave(number, name, "saved for reading only")
    elif severity in MEANINGLESS:
        saved.leave(number, name, f"was {severity}", missing=True)
    elif row.get("VALUE_TYPE", "").endswith("_array"):
        saved.leave(number, name, "an array")
    else:
        state = value.partition("~")[0]  # a state of an enumeration stands before the list of all states
        state = with_decimal_point(state) if separator != "," else state
        saved.take(number, name, "" if state in NO_VALUE else state)
