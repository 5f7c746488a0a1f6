"""Cursors of downstreams: small files, each written durably after what it counts was acknowledged."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from gnomon.ioc.base.forward_status import forward_folder
from gnomon.lattice import GnomonError
from gnomon.lattice.files import read_bounded
from gnomon.recorder.journal_feed import Position

__all__ = ["Cursor", "CursorError", "ResultPlace", "cursor_path", "read_cursor", "write_cursor"]

#: Largest file that is read [bytes].
MAX_BYTES = 2**16


class CursorError(GnomonError):
    """A cursor that cannot be read or written: without one, nobody knows what was delivered."""


@dataclass(frozen=True, slots=True, order=True)
class ResultPlace:
    """A place among results: time of the file's last change [ns], and its name."""

    changed_ns: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """All up to here was acknowledged. `journal` is the identity of the journal, empty if none was read yet.

    `delivered` counts items, `skipped` commands that were left out.
    """

    journal: str = ""
    position: Position = field(default_factory=Position)
    results: ResultPlace = field(default_factory=ResultPlace)
    delivered: int = 0
    skipped: int = 0

    def behind(self, position: Position, delivered: int) -> "Cursor":
        """Return the cursor moved to a position, with so many items more."""
        return replace(self, position=position, delivered=self.delivered + delivered)


def cursor_path(journal: Path, name: str) -> Path:
    """Name the file of a downstream's cursor."""
    return forward_folder(journal) / f"{name}.cursor.json"


def read_cursor(path: Path) -> Cursor | None:
    """Read a cursor; None if there is none yet. Raises CursorError."""
    try:
        told = json.loads(read_bounded(path, MAX_BYTES))
        place, times = told["position"], told["position"]["times"]
        return Cursor(
            str(told["journal"]),
            Position(int(place["sequence"]), int(place["outcome"]), (int(times[0]), int(times[1])) if times else None),
            ResultPlace(int(told["results"]["changed_ns"]), str(told["results"]["name"])),
            int(told["delivered"]),
            int(told["skipped"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise CursorError(
            f"{path}: it cannot be read ({error}), so nobody knows what was delivered: remove it, and choose a place "
            "with gnomon forward move"
        ) from error


def write_cursor(path: Path, cursor: Cursor) -> None:
    """Write a cursor, so that it is on the disk, whole, when this returns. Raises CursorError."""
    new = path.with_suffix(".new")
    try:
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(cursor), file)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise CursorError(f"{path}: it cannot be written: {error}") from error
