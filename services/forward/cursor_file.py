"""Cursors of downstreams: small files, each written durably after what it counts was acknowledged."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from gnomon.ioc.base.forward_status import forward_folder
from gnomon.lattice import GnomonError
from gnomon.lattice.files import read_bounded
from gnomon.recorder.journal_feed import Position

__all__ = ["Cursor", "CursorError", "ResultPlace", "cursor_path", "read_cursor", "write_cursor"]

#: Largest file that is read [bytes]: the identities of a million results.
MAX_BYTES = 2**24


class CursorError(GnomonError):
    """A cursor that cannot be read or written: without one, nobody knows what was delivered."""


@dataclass(frozen=True, slots=True, order=True)
class ResultPlace:
    """A place among results: time of the file's last change [ns], and its name; `identity` is that of the file."""

    changed_ns: int = 0
    name: str = ""
    identity: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Cursor:
    """All up to here was acknowledged. `journal` is the identity of the journal, empty if none was read yet.

    `known` has the identities of results that were delivered, or are none; without it, those are all up to the place
    `results`. `delivered` counts items, `skipped` commands that were left out.
    """

    journal: str = ""
    position: Position = field(default_factory=Position)
    results: ResultPlace = field(default_factory=ResultPlace)
    delivered: int = 0
    skipped: int = 0
    known: frozenset[str] | None = None

    def behind(self, position: Position, delivered: int) -> "Cursor":
        """Return the cursor moved to a position, with so many items more."""
        return replace(self, position=position, delivered=self.delivered + delivered)

    def knowing(self, places: Iterable[ResultPlace]) -> "Cursor":
        """Return the cursor with results that were dealt with."""
        done = tuple(places)
        known = (self.known or frozenset[str]()).union(each.identity for each in done)
        return replace(self, results=max((self.results, *done)), known=known)


def cursor_path(journal: Path, name: str) -> Path:
    """Name the file of a downstream's cursor."""
    return forward_folder(journal) / f"{name}.cursor.json"


def read_cursor(path: Path) -> Cursor | None:
    """Read a cursor; None if there is none yet. Raises CursorError."""
    try:
        told = json.loads(read_bounded(path, MAX_BYTES))
        place, times = told["position"], told["position"]["times"]
        known = told.get("known")  # files of earlier versions have none
        return Cursor(
            str(told["journal"]),
            Position(int(place["sequence"]), int(place["outcome"]), (int(times[0]), int(times[1])) if times else None),
            ResultPlace(int(told["results"]["changed_ns"]), str(told["results"]["name"])),
            int(told["delivered"]),
            int(told["skipped"]),
            None if known is None else frozenset(known.split()),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise CursorError(
            f"{path}: it cannot be read ({error}), so nobody knows what was delivered: remove it, and choose a place "
            "with gnomon forward move"
        ) from error


def write_cursor(path: Path, cursor: Cursor) -> None:
    """Write a cursor, so that it is on the disk, whole, when this returns. Raises CursorError."""
    new = path.with_suffix(".new")
    told = asdict(replace(cursor, known=None))
    told["results"] = {"changed_ns": cursor.results.changed_ns, "name": cursor.results.name}
    if cursor.known is not None:
        told["known"] = " ".join(sorted(cursor.known))
    try:
        with new.open("w", encoding="utf-8") as file:
            json.dump(told, file)
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
