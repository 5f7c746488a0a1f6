"""The plainest of all: `PV,value` lines, as PSI's snapshot tool writes them, with JSON for what is no number.

Format: https://github.com/paulscherrerinstitute/snapshot: a first line `#{...}` with what the file says of itself, then
`PV,value` or `PV,{"val": value, ...}`. Any other line that begins with `#` is a comment; a PV alone had no value.
"""

import json
from collections.abc import Iterable
from typing import Any

from gnomon.recorder.errors import SaveFileError
from gnomon.recorder.save_files.saved import About, Saved, Value, spelled


def looks_so(text: str) -> bool:
    """Whether a text is such a file: every line has a name without blanks before its first comma."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    named = all(line.strip() and not any(c.isspace() for c in line.strip().partition(",")[0]) for line in lines)
    return named and any("," in line for line in lines)


def parse(text: str) -> Saved:
    """Read. Raises SaveFileError for a value that is neither a number nor JSON."""
    saved = Saved()
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            if number == 1:
                saved.comment = _comment(line[1:])
            continue
        name, comma, rest = line.strip().partition(",")
        if not name:
            continue
        if not comma:
            saved.left_out[name] = "without a value"
            continue
        value = _value(number, rest.strip())
        if isinstance(value, list):
            saved.left_out[name] = "an array"
        elif saved.values.setdefault(name, value) != value:
            raise SaveFileError(f"line {number}: {name} is given twice, as {saved.values[name]} and as {value}")
    return saved


def render(values: Iterable[Value], about: About) -> str:
    """Write."""
    head = "#" + json.dumps({"comment": about.line, "labels": [], "name": about.name, "save_time": about.time_ns / 1e9})
    return "\n".join([head, *(f"{v.pv},{spelled(v.value)}" for v in values)]) + "\n"


def _comment(text: str) -> str:
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()
    return str(about.get("comment", "")) if isinstance(about, dict) else ""


def _value(number: int, text: str) -> Any:
    """A text for what is one value, a list for an array."""
    if not text.startswith(("{", "[", '"')):
        return text
    try:
        value = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise SaveFileError(f"line {number}: {text[:60]!r} is no value: {error}") from error
    if isinstance(value, dict):
        value = value.get("val", "")
    return value if isinstance(value, list) else str(value)
