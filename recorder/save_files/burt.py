"""Snapshots of BURT (`.snap`, `.snp`), not SDDS: a header, then `[RO|RON|WO] PV count values`.

Format: "BURT: Back Up and Restore Tool", chapter 3 (APS). `RO` and `RON` mark what is saved for information only.
"""

import re
from collections.abc import Iterable
from itertools import islice

from gnomon.lattice.text import shorten
from gnomon.recorder.recorder_errors import SaveFileError
from gnomon.recorder.save_files.saved import About, Saved, Value, lines_of, number_text

START, END = "--- Start BURT header", "--- End BURT header"
READ_ONLY = ("RO", "RON", "-")
#: BURT's text for a missing value.
NOTHING = r"\0"

#: A word, or several in quotation marks. BURT has no other quotation and no escapes.
#: Number of words of a line that are read: mark, name, count and the one value of a scalar.
MAX_WORDS = 4
_WORD = re.compile(r'"([^"]*)"(?!\S)|(\S+)')


def is_format(text: str) -> bool:
    """True if a text is such a file."""
    return text.lstrip().startswith(START)


def parse(text: str) -> Saved:
    """Read a file. Raises SaveFileError for a header without an end, and for changes instead of values."""
    saved, in_header = Saved(), False
    for number, line in lines_of(text):
        if line.startswith(START):
            in_header = True
        elif line.startswith(END):
            in_header = False
        elif in_header:
            if line.startswith("Comments:"):
                saved.comment = line.removeprefix("Comments:").strip()
            elif line.startswith("Type:"):
                _read_type(saved, number, line.removeprefix("Type:").strip())
        elif line.strip() and not line.startswith("%"):
            _read_line(saved, number, line)
    if in_header:
        raise SaveFileError(f"the line {END!r} is missing: the file was cut short")
    return saved


def render(values: Iterable[Value], about: About) -> str:
    """Make the text of a file."""
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
    lines += [f"{v.pv} 1 {number_text(v.value)}" for v in values]
    return "\n".join(lines) + "\n"


def _read_type(saved: Saved, number: int, kind: str) -> None:
    if not kind:
        saved.skip(number, "the type of the snapshot is empty; its values are taken as absolute ones")
    elif "absolute" not in kind.lower():
        raise SaveFileError(f"line {number}: a snapshot of type {kind!r}; only those of type Absolute have setpoints")


def _read_line(saved: Saved, number: int, line: str) -> None:
    words = [match[1] or match[2] or "" for match in islice(_WORD.finditer(line), MAX_WORDS)]
    read_only = words[0] in READ_ONLY
    if read_only or words[0] in ("WO", "Notify"):
        words = words[1:]
    count = int(words[1]) if len(words) > 1 and re.fullmatch("[0-9]{1,9}", words[1]) else -1
    if count < 0 or len(words) < 2 + min(count, 1):
        saved.skip(number, f"{shorten(line.strip())} is not of the form PV count values")
    elif read_only:
        saved.leave(number, words[0], "saved for reading only")
    elif count != 1:
        saved.leave(number, words[0], "an array" if count else "without a value", missing=not count)
    else:
        saved.take(number, words[0], "" if words[2] == NOTHING else words[2])
