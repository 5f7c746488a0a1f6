"""The simplest format: `PV,value` lines, as PSI's snapshot tool writes them, with JSON for values of other types.

Format: https://github.com/paulscherrerinstitute/snapshot: a first line `#{...}` with what the file says of itself, then
`PV,value` or `PV,{"val": value, ...}`. Any other line that begins with `#` is a comment; a PV alone had no value.
Spreadsheets write such lines with a tab, or with `;` and a decimal comma, and may quote every cell.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from gnomon.lattice.text import shorten
from gnomon.recorder.save_files.cells import with_decimal_point
from gnomon.recorder.save_files.saved import About, Saved, Value, lines_of, number_text

#: A name, quoted or not, and the separator before its value, if there is one.
_LINE = re.compile(r'\s*(?:"([^"\s]+)"|([^\s,;"]+))[ ]*(?:([,;\t])(.*))?', re.DOTALL)


def is_format(text: str) -> bool:
    """True if a text is such a file: most lines match, and one has a separator."""
    lines = [line for _, line in lines_of(text) if line.strip() and not line.startswith("#")]
    found = [match for line in lines if (match := _LINE.fullmatch(line.rstrip())) is not None]
    return 2 * len(found) >= len(lines) and any(match[3] for match in found)


def parse(text: str) -> Saved:
    """Read a file."""
    saved = Saved()
    for number, line in lines_of(text):
        if line.startswith("#"):
            if number == 1:
                saved.comment = _comment(line[1:])
        elif line.strip():
            _read_line(saved, number, line.rstrip())
    return saved


def render(values: Iterable[Value], about: About) -> str:
    """Make the text of a file."""
    head = "#" + json.dumps({"comment": about.line, "labels": [], "name": about.name, "save_time": about.time_ns / 1e9})
    return "\n".join([head, *(f"{v.pv},{number_text(v.value)}" for v in values)]) + "\n"


def _comment(text: str) -> str:
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()
    return str(about.get("comment", "")) if isinstance(about, dict) else ""


def _read_line(saved: Saved, number: int, line: str) -> None:
    match = _LINE.fullmatch(line)
    if match is None:
        saved.skip(number, f"{shorten(line)} is not of the form PV,value")
        return
    quoted, plain, separator, rest = match.groups()
    name, text = quoted or plain, (rest or "").strip()
    if separator in (";", "\t") and not text.startswith(("{", "[", '"')):
        text = text.partition(separator)[0].strip()  # what stands in further columns is for people
    try:
        value = _value(text)
    except (ValueError, RecursionError) as error:
        saved.skip(number, f"{name}: {shorten(text)} is not a value: {error}")
        return
    if isinstance(value, list):
        saved.leave(number, name, "an array")
    else:
        saved.take(number, name, with_decimal_point(value) if separator == ";" else value)


def _value(text: str) -> Any:
    """Read a value: a text for a single one, a list for an array. Raises ValueError."""
    if not text.startswith(("{", "[", '"')):
        return text
    value = json.loads(text, parse_float=str, parse_int=str)
    if isinstance(value, dict):
        value = value.get("val", "")
    if value is None:
        return ""
    return value if isinstance(value, list) else str(value)
