"""The common parts of all such files: values, reasons, lines."""

import re
from dataclasses import dataclass, field
from datetime import datetime

from gnomon.lattice.text import printable

_NEWLINE = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class Value:
    """One setpoint: the PV's name, and its value in the PV's own unit."""

    pv: str
    value: float


@dataclass(frozen=True, slots=True)
class About:
    """The description of a file: the snapshot's name, comment, user and time [ns since 1970]."""

    name: str
    comment: str
    user: str
    time_ns: int

    @property
    def local(self) -> datetime:
        """Local time, to the microsecond."""
        return datetime.fromtimestamp(self.time_ns // 1000 / 1e6)

    @property
    def line(self) -> str:
        """The comment as one line."""
        return printable(" ".join(self.comment.split()))


@dataclass(frozen=True, slots=True)
class ValueText:
    """The text of a scalar value, with the name and the line that the file has it under."""

    pv: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class OmittedPv:
    """A PV that the file names without a value to use. `missing`: its value was not available when it was saved."""

    pv: str
    reason: str
    line: int
    missing: bool = False


@dataclass(frozen=True, slots=True)
class UnreadLine:
    """A line that cannot be read, and the reason."""

    line: int
    reason: str


@dataclass(slots=True)
class Saved:
    """The content of a file, in its order: values, PVs that it leaves out, and lines that cannot be read.

    Nothing is compared here: a name may be there twice, under several spellings.
    """

    comment: str = ""
    given: list[ValueText] = field(default_factory=list)
    left: list[OmittedPv] = field(default_factory=list)
    unread: list[UnreadLine] = field(default_factory=list)

    @property
    def values(self) -> dict[str, str]:
        """Texts of values by name, the last one of each."""
        return {given.pv: given.text for given in self.given}

    @property
    def left_out(self) -> dict[str, str]:
        """Reasons by name."""
        return {left.pv: left.reason for left in self.left}

    def take(self, line: int, pv: str, text: str) -> None:
        """Take a value, or note that there is none."""
        if text:
            self.given.append(ValueText(pv, text, line))
        else:
            self.leave(line, pv, "without a value", missing=True)

    def leave(self, line: int, pv: str, reason: str, *, missing: bool = False) -> None:
        """Note a PV without a value to use."""
        self.left.append(OmittedPv(pv, reason, line, missing))

    def skip(self, line: int, reason: str) -> None:
        """Note a line that cannot be read."""
        self.unread.append(UnreadLine(line, reason))


def lines_of(text: str) -> list[tuple[int, str]]:
    """Split into lines, numbered from 1. Only line feeds and carriage returns end a line, unlike in Python."""
    return list(enumerate(_NEWLINE.split(text), 1))


def number_text(value: float) -> str:
    """Format a number so that it reads back to the last bit."""
    return repr(float(value))
