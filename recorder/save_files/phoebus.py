"""Snapshots that Phoebus' save and restore exports (`.csv`), and those of its forerunner in CS-Studio (`.snp`, `.bms`).

Format: Phoebus, application save-and-restore, CSV import and export: comments, one row of column names, a row per PV.
"""

import csv
from collections.abc import Iterable
from datetime import datetime

from gnomon.recorder.errors import SaveFileError
from gnomon.recorder.save_files.saved import About, Saved, Value, spelled

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
NO_VALUE = ("", "---")


def looks_so(text: str) -> bool:
    """Whether a text is such a file."""
    head = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return {"PV", "VALUE"} <= set(head.strip().split(","))


def parse(text: str) -> Saved:
    """Read. Raises SaveFileError for a row that has no PV or a quotation mark too few."""
    saved, described = Saved(), False
    rows: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            words = line[1:].strip()
            if described and not saved.comment and not words.endswith(":"):
                saved.comment = words
            described = words == DESCRIPTION
        elif line.strip():
            rows.append(line)
    try:
        for number, row in enumerate(csv.DictReader(rows, strict=True), 1):
            _read_row(saved, number, row)
    except csv.Error as error:
        raise SaveFileError(f"the table cannot be read: {error}") from error
    return saved


def render(values: Iterable[Value], about: About) -> str:
    """Write."""
    seconds, nanoseconds = divmod(about.time_ns, 1_000_000_000)
    moment = f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}.{nanoseconds // 1_000_000:03d}"
    tags = "AUTO-GENERATED. DON'T EDIT {} IF YOU DON'T KNOW HOW THOSE WORK!"
    lines = [tags.format("BELOW"), "Hierarchy:", "gnomon", "Snapshot name:", about.name, DESCRIPTION, about.line or "-"]
    lines += ["Creator:", about.user, "Date:", moment, "Tags:", tags.format("ABOVE")]
    head = [f"# {line}" for line in lines] + [",".join(COLUMNS)]
    stamp = f"{seconds}.{nanoseconds:09d}"
    body = [f'{v.pv},1,{stamp},NONE,NONE,double,"{spelled(v.value)}",,"---",,0' for v in values]
    return "\n".join(head + body) + "\n"


def _read_row(saved: Saved, number: int, row: dict[str | None, str | None]) -> None:
    if None in row:
        raise SaveFileError(f"row {number} of the table has more values than columns")
    name, value = (row.get("PV") or "").strip(), (row.get("VALUE") or "").strip()
    if not name:
        raise SaveFileError(f"row {number} of the table has no PV")
    name = name.removeprefix("ca://").removeprefix("pva://")
    if (row.get("SELECTED") or "1").strip() in ("0", "false"):
        saved.left_out[name] = "not selected"
    elif (row.get("READ_ONLY") or "0").strip() in ("1", "true"):
        saved.left_out[name] = "saved for reading only"
    elif value in NO_VALUE:
        saved.left_out[name] = "without a value"
    elif (row.get("VALUE_TYPE") or "").strip().endswith("_array"):
        saved.left_out[name] = "an array"
    else:
        state = value.partition("~")[0]  # a state of an enumeration stands before the list of all states
        if saved.values.setdefault(name, state) != state:
            raise SaveFileError(f"row {number}: {name} is given twice, as {saved.values[name]} and as {state}")
