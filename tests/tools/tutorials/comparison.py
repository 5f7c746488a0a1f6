"""Compare the output that a page shows with what a command printed: all but what differs from run to run."""

import getpass
import math
import re
from collections.abc import Sequence

from tools.tutorials.pages import LEFT_OUT

#: What differs from run to run, and what stands for it in a comparison.
VOLATILE = (
    (re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?)?"), "TIME"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?\b"), "TIME"),
    (re.compile(r"\b[\w.-]+@[\w.-]+"), "USER"),
    (re.compile(r"\b(?:process|pid) \d+(?: on \S+?(?=,|$))?"), "PROCESS"),
    (re.compile(r"\b(EPICS_\w+)=\S+"), r"\1=VALUE"),
    (re.compile(r"(?<![\w.])\d+(?:\.\d+)? (?:ms|MB|kB)\b"), "FIGURE"),
    (re.compile(r"^ +\d+\.\d\d s\b|(?<=held, )\d+\.\d s$"), "TIME"),
    (re.compile(r"\b(after|since|for|up|took)(?: \d+(?:\.\d+)? (?:s|min|h|d)\b)+"), r"\1 TIME"),
    (re.compile(rf"\b(?:root|{re.escape(getpass.getuser())})(?=\s|$)"), "USER"),
)


def same_output(shown: Sequence[str], real: Sequence[str]) -> bool:
    """Return True if the lines agree; `...` on a line of its own stands for any number of lines."""
    if not shown:
        return not real
    if shown[0] == LEFT_OUT:
        return any(same_output(shown[1:], real[skipped:]) for skipped in range(len(real) + 1))
    return bool(real) and same_line(shown[0], real[0]) and same_output(shown[1:], real[1:])


def same_line(shown: str, real: str) -> bool:
    """Return True if two lines agree: numbers within 1e-5 of each other, any text for `...`, spaces as one."""
    left, right = _words(shown), _words(real)
    if LEFT_OUT in left:
        at = left.index(LEFT_OUT)
        after = len(left) - 1 - at
        if len(right) < at + after:
            return False
        left, right = left[:at] + left[at + 1 :], right[:at] + right[len(right) - after :]
    return len(left) == len(right) and all(_same_word(*pair) for pair in zip(left, right, strict=True))


def _words(line: str) -> list[str]:
    for pattern, name in VOLATILE:
        line = pattern.sub(name, line)
    return line.split()


def _same_word(shown: str, real: str) -> bool:
    if shown == real:
        return True
    try:
        return math.isclose(float(shown), float(real), rel_tol=1e-5, abs_tol=1e-9)
    except ValueError:
        return False
