"""Snapshots of BURT (`.snap`, `.snp`), not SDDS: a header, then `[RO|RON|WO] PV count values`.

Format: "BURT: Back Up and Restore Tool", chapter 3 (APS). `RO` and `RON` mark what is saved for information only.
"""

import shlex
from collections.abc import Iterable

from gnomon.recorder.errors import SaveFileError
from gnomon.recorder.save_files.saved import About, Saved, Value, spelled

START, END = "--- Start BURT header", "--- End BURT header"
READ_ONLY = ("RO", "RON", "-")


def looks_so(text: str) -> bool:
    """Whether a text is such a file."""
    return text.lstrip().startswith(START)


def parse(text: str) -> Saved:
    """Read. Raises SaveFileError for a header without an end and for a line that is none of a snapshot."""
    saved, in_header = Saved(), False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(START):
            in_header = True
        elif line.startswith(END):
            in_header = False
        elif in_header:
            if line.startswith("Comments:"):
                saved.comment = line.removeprefix("Comments:").strip()
            elif line.startswith("Type:") and "absolute" not in line.lower():
                kind = line.removeprefix("Type:").strip()
                raise SaveFileError(f"line {number}: a snapshot of type {kind!r}; only Absolute ones hold setpoints")
        elif line.strip() and not line.startswith("%"):
            _read_line(saved, number, line)
    if in_header:
        raise SaveFileError(f"the line {END!r} is missing: the file was cut short")
    return saved


def render(values: Iterable[Value], about: About) -> str:
    """Write."""
    lines = [
        START,
        f"Time:     {about.local:%a %b %e %H:%M:%S %Y}",
        f"Login ID: {about.user} ()",
        "Eff  UID: 0 ",
        "Group ID: 0 ",
        f"Keywords: gnomon {about.name}",
        f"Comments: {about.line}",
        "Type:     Absolute",
        "Directory ",
        "Req File: ",
        END,
    ]
    lines += [f"{v.pv} 1 {spelled(v.value)}" for v in values]
    return "\n".join(lines) + "\n"


def _read_line(saved: Saved, number: int, line: str) -> None:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise SaveFileError(f"line {number}: {error}") from error
    read_only = words[0] in READ_ONLY
    if read_only or words[0] in ("WO", "Notify"):
        words = words[1:]
    if len(words) < 2 or not words[1].isdecimal() or len(words) < 2 + int(words[1]):
        raise SaveFileError(f"line {number}: {line.strip()!r} is not of the form PV count values")
    name, count = words[0], int(words[1])
    if read_only:
        saved.left_out[name] = "saved for reading only"
    elif count != 1:
        saved.left_out[name] = "an array" if count else "without a value"
    elif saved.values.setdefault(name, words[2]) != words[2]:
        raise SaveFileError(f"line {number}: {name} is given twice, as {saved.values[name]} and as {words[2]}")
