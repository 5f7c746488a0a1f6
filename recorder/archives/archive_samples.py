"""Samples of an archive, and the setpoints that were in force at a time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from gnomon.lattice import GnomonError
from gnomon.recorder.save_files import Saved
from gnomon.recorder.save_files.saved import number_text

#: Severity of a value that nobody knows.
INVALID = 3
#: Times that a sample can have [s since 1970]: up to 2200, as in a journal, whose nanoseconds end in 2262.
MAX_TIME_S = 7_258_118_400
#: Lines that cannot be read, in one file; more of them, and it is something else.
MAX_UNREAD = 10_000


class ArchiveError(GnomonError):
    """A file or an answer of an archiver that cannot be read; the text says which and why."""


class Sample(NamedTuple):
    """One archived scalar: a number, an index of an enumeration's state, or a text."""

    time_ns: int
    pv: str
    value: float | str
    severity: int = 0


@dataclass(slots=True)
class Archive:
    """Samples in the order of the file; `unread` has the lines that could not be read, `arrays` PVs that are arrays."""

    samples: list[Sample] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    arrays: set[str] = field(default_factory=set)

    def leave(self, line: str) -> None:
        """Note a line that cannot be read. Raises ArchiveError if there are too many of them."""
        self.unread.append(line)
        if len(self.unread) > MAX_UNREAD:
            raise ArchiveError(f"more than {MAX_UNREAD} lines cannot be read, the first one: {self.unread[0]}")

    def add(self, other: "Archive") -> None:
        """Add what another file has."""
        self.samples += other.samples
        self.unread += other.unread
        self.arrays |= other.arrays


def saved_at(samples: Iterable[Sample], time_ns: int) -> Saved:
    """Take the last value of each PV at or before a time; a value that was INVALID then is missing."""
    last: dict[str, Sample] = {}
    for sample in samples:
        known = last.get(sample.pv)
        if sample.time_ns <= time_ns and (known is None or known.time_ns <= sample.time_ns):
            last[sample.pv] = sample
    saved = Saved()
    for number, sample in enumerate(last.values(), 1):
        if sample.severity >= INVALID:
            saved.leave(number, sample.pv, "was INVALID", missing=True)
        else:
            saved.take(number, sample.pv, text_of(sample.value))
    return saved


def time_of(second: int, nanosecond: int) -> int:
    """Make the time of a sample [ns since 1970]. Raises ValueError for one that no archiver can have."""
    time_ns = second * 1_000_000_000 + nanosecond
    if not 0 <= time_ns <= MAX_TIME_S * 1_000_000_000:
        raise ValueError("its time is not from 1970 to 2200")
    return time_ns


def text_of(value: float | str) -> str:
    """Format a value so that it reads back to the last bit; whole numbers, such as states, without a point."""
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else number_text(value)
