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


def forward_folder(journal: Path) -> Path:
    """Name the folder beside a journal with the cursors and the status of its downstreams."""
    place = journal.resolve()
    return place.with_name(place.name + ".forward")


def write_forward_status(journal: Path, statuses: Sequence[ForwardStatus]) -> None:
    """Write the status of all downstreams. Raises OSError."""
    path = forward_folder(journal) / "status.json"
    told = {"pid": os.getpid(), "time_ns": time.time_ns(), "downstreams": [asdict(each) for each in statuses]}
    new = path.with_suffix(".new")
    new.write_text(json.dumps(told) + "\n", encoding="utf-8")
    new.rename(path)


def read_forward_status(journal: Path) -> tuple[float, tuple[ForwardStatus, ...]] | None:
    """Read the age of the status [s], and that of each downstream; None if there is none that can be read."""
    try:
        told: Any = json.loads(read_bounded(forward_folder(journal) / "status.json", MAX_BYTES))
        names = [each.name for each in fields(ForwardStatus)]
        found = tuple(ForwardStatus(**{name: each[name] for name in names}) for each in told["downstreams"])
        return (time.time_ns() - int(told["time_ns"])) / 1e9, found
    except (OSError, ValueError, KeyError, TypeError):
        return None


def summarise_forward(journal: Path, is_used: bool) -> Forwarding:
    """Put the downstreams of a journal together; `is_used`: the configuration has some.

    Where it has none, and no process feeds any, forwarding is off.
    """
    found = read_forward_status(journal)
    age_s, each = found if found is not None else (OLD_S + 1.0, ())
    runs = -OLD_S <= age_s <= OLD_S
    if not runs and not is_used:
        return Forwarding(OFF)
    backlog, oldest = max((s.backlog for s in each), default=0), max((s.age_s for s in each), default=0.0)
    if not runs:
        return Forwarding(NOT_RUNNING, backlog, oldest, "gnomon forward does not run")
    reason = "; ".join(f"{s.name}: {s.reason}" for s in each if s.reason)
    worst = max((STATES.index(s.state) for s in each if s.state in STATES), default=OFF)
    return Forwarding(worst, backlog, oldest, reason)
