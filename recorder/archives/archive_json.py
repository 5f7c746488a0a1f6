"""The Archiver Appliance's JSON: histories (`getData.json`), and values at one time (`getDataAtTime`).

Format: a list of objects with `meta` (its `name` is the PV) and `data`, or an object of values by PV; a value has
`secs`, `nanos`, `val` and `severity`.
"""

import json
from typing import Any

from gnomon.lattice.text import printable
from gnomon.recorder.archives.archive_samples import Archive, ArchiveError, Sample, time_of


def parse_history_json(text: str | bytes) -> Archive:
    """Read a history. A sample that cannot be read is noted. Raises ArchiveError for a document of another form."""
    document = _parsed(text)
    if not isinstance(document, list):
        raise ArchiveError("not a history of the Archiver Appliance (JSON): it is not a list")
    found = Archive()
    for each in document:
        meta, rows = (each.get("meta"), each.get("data")) if isinstance(each, dict) else (None, None)
        name = meta.get("name") if isinstance(meta, dict) else None
        if not isinstance(name, str) or not isinstance(rows, list):
            raise ArchiveError("not a history of the Archiver Appliance (JSON): a PV has no meta.name and data")
        for number, row in enumerate(rows, 1):
            _add(found, name, row, f"sample {number} of")
    return found


def parse_answer_at(text: str | bytes) -> Archive:
    """Read the values at one time; PVs without one are not in it. Raises ArchiveError."""
    document = _parsed(text)
    if not isinstance(document, dict):
        raise ArchiveError("not an answer of the Archiver Appliance to getDataAtTime: it is not an object")
    found = Archive()
    for name, row in document.items():
        _add(found, name, row, "the value of")
    return found


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"not JSON: {error}") from error


def _add(found: Archive, name: str, row: Any, which: str) -> None:
    value = row.get("val") if isinstance(row, dict) else None
    if isinstance(value, list):
        found.arrays.add(name)
        return
    try:
        time_ns = time_of(int(row["secs"]), int(row.get("nanos", 0)))
        severity = int(row.get("severity", 0))
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise TypeError
        if isinstance(value, int):
            float(value)
    except (KeyError, TypeError, ValueError, OverflowError):
        found.leave(f"{which} {printable(name)} has no time or value")
        return
    found.samples.append(Sample(time_ns, name, value, severity))
