"""State of each downstream of `gnomon forward`: a file beside the journal, written by it, read by the server."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from gnomon.lattice.files import read_bounded

__all__ = [
    "BEHIND",
    "DELIVERING",
    "NOT_RUNNING",
    "OFF",
    "OLD_S",
    "STATES",
    "STOPPED",
    "ForwardStatus",
    "Forwarding",
    "WrittenStatus",
    "forward_folder",
    "read_forward_status",
    "summarise_forward",
    "write_forward_status",
]

#: States of one downstream, and of all of them together; the later one counts.
STATES = ("off", "delivering", "behind", "stopped", "not running")
OFF, DELIVERING, BEHIND, STOPPED, NOT_RUNNING = range(5)

#: Age of a status file from which on nobody writes it any more [s].
OLD_S = 10.0
#: Largest status file that is read [bytes].
MAX_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class ForwardStatus:
    """One downstream. `backlog` counts items that it has not acknowledged, `age_s` is the age of the oldest [s].

    `skipped` are commands that it will never get; `reason` says what is wrong, empty if nothing is.
    """

    name: str
    state: str
    backlog: int = 0
    age_s: float = 0.0
    delivered: int = 0
    skipped: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Forwarding:
    """All downstreams together: the number of the worst state in `STATES`, largest backlog and age, reasons."""

    state: int
    backlog: int = 0
    age_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WrittenStatus:
    """All downstreams as the process wrote them, `age_s` ago [s]; `has_ended`: at its end."""

    age_s: float
    has_ended: bool
    downstreams: tuple[ForwardStatus, ...]

    @property
    def runs(self) -> bool:
        """Tell whether the process runs, as far as its file shows: one that was killed is missed after `OLD_S`."""
        return not self.has_ended and -OLD_S <= self.age_s <= OLD_S


def forward_folder(journal: Path) -> Path:
    """Name the folder beside a journal with the cursors and the status of its downstreams."""
    place = journal.resolve()
    return place.with_name(place.name + ".forward")


def write_forward_status(journal: Path, statuses: Sequence[ForwardStatus], *, has_ended: bool = False) -> None:
    """Write the status of all downstreams, at the end of the process with `has_ended`. Raises OSError."""
    path = forward_folder(journal) / "status.json"
    each = [asdict(status) for status in statuses]
    told = {"pid": os.getpid(), "time_ns": time.time_ns(), "ended": has_ended, "downstreams": each}
    new = path.with_suffix(".new")
    new.write_text(json.dumps(told) + "\n", encoding="utf-8")
    new.rename(path)


def read_forward_status(journal: Path) -> WrittenStatus | None:
    """Read what the process wrote last; None if there is nothing that can be read."""
    try:
        told: Any = json.loads(read_bounded(forward_folder(journal) / "status.json", MAX_BYTES))
        names = [each.name for each in fields(ForwardStatus)]
        found = tuple(ForwardStatus(**{name: each[name] for name in names}) for each in told["downstreams"])
        age_s = (time.time_ns() - int(told["time_ns"])) / 1e9
        return WrittenStatus(age_s, bool(told.get("ended", False)), found)  # earlier versions do not say
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def summarise_forward(journal: Path, is_used: bool) -> Forwarding:
    """Put the downstreams of a journal together; `is_used`: the configuration has some.

    Where it has none, and no process feeds any, forwarding is off.
    """
    found = read_forward_status(journal)
    if (found is None or not found.runs) and not is_used:
        return Forwarding(OFF)
    each = () if found is None else found.downstreams
    backlog, oldest = max((s.backlog for s in each), default=0), max((s.age_s for s in each), default=0.0)
    if found is None or not found.runs:
        told = "was stopped" if found is not None and found.has_ended else "does not run"
        return Forwarding(NOT_RUNNING, backlog, oldest, f"gnomon forward {told}")
    reason = "; ".join(f"{s.name}: {s.reason}" for s in each if s.reason)
    worst = max((STATES.index(s.state) for s in each if s.state in STATES), default=OFF)
    return Forwarding(worst, backlog, oldest, reason)
