"""Results that were not delivered yet; which those are depends on no clock.

Files are known by name, size and time of their content, compared for equality alone: clocks of computers differ, and
are set back. Clocks decide in which order results come that wait together, and whether a file may be read at once.
"""

import os
import time
from hashlib import sha256
from pathlib import Path

from gnomon.lattice.files import file_digest
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.results import Results
from gnomon.services.forward.cursor_file import ResultPlace

__all__ = ["ResultFeed"]

#: A file that changed so recently may still be written [ns]; files of runs are made in one go.
QUIET_NS = 1_000_000_000
#: A file that is not one of a run is looked at again for so long [ns]; then it counts as somebody else's.
PATIENCE_NS = 60_000_000_000
#: Identities that are kept of files that are gone, at most, besides as many as there are files.
MAX_GONE = 1000


class ResultFeed:
    """A folder of results, without those that are known."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder_seen = (-1, 0)  # time of its change, and when it was first seen [ns]
        self._complete: tuple[int, frozenset[str]] | None = None
        self._first_seen: dict[str, int] = {}
        self._present = frozenset[str]()

    def all_known(self) -> frozenset[str]:
        """Return the identities of all results; none if there is no folder."""
        return frozenset(each.identity for each in self._places() or ())

    def known_up_to(self, place: ResultPlace) -> frozenset[str] | None:
        """Return the identities of the results up to a place; None while the folder cannot be read."""
        places = self._places()
        return None if places is None else frozenset(each.identity for each in places if each <= place)

    def read(self, known: frozenset[str], count: int) -> list[tuple[ResultPlace, Path]]:
        """List at most `count` files that are not known, the oldest first, without those that may still be written."""
        try:
            changed_ns = self._folder.stat().st_mtime_ns
        except OSError:
            return []
        if self._folder_seen[0] != changed_ns:
            self._folder_seen = changed_ns, time.monotonic_ns()
        if self._complete is not None and self._complete[0] == changed_ns and self._complete[1] <= known:
            return []
        quiet_folder = time.monotonic_ns() - self._folder_seen[1] >= QUIET_NS
        places = self._places()
        if places is None:
            return []
        self._present = frozenset(each.identity for each in places)
        found = sorted(each for each in places if each.identity not in known)
        now_ns = time.monotonic_ns()
        self._first_seen = {each.identity: self._first_seen.get(each.identity, now_ns) for each in found}
        if not found and quiet_folder:
            self._complete = changed_ns, known  # until the folder changes
        quiet = [each for each in found if not self._is_recent(each, QUIET_NS)]
        return [(each, self._folder / each.name) for each in quiet[:count]]

    def load(self, place: ResultPlace) -> tuple[Run, str] | None:
        """Read a run and the digest of its file; None if it is not one. Raises ProcedureError if it may become one."""
        path = self._folder / place.name
        try:
            return Results(self._folder).read(path.stem), file_digest(path)
        except FileNotFoundError:
            return None
        except (OSError, ProcedureError) as error:
            if self._is_recent(place, PATIENCE_NS):
                raise ProcedureError(f"{path}: it cannot be read yet: {error}") from error
            return None

    def without_gone(self, known: frozenset[str]) -> frozenset[str]:
        """Forget files that are gone, if they are many. An empty folder may be one that is not mounted."""
        if not self._present or len(known) <= 2 * len(self._present) + MAX_GONE:
            return known
        return known & self._present

    def _is_recent(self, place: ResultPlace, span_ns: int) -> bool:
        """Tell whether a file changed so recently, by the wall clock, and by the time since it was seen first."""
        now_ns = time.monotonic_ns()
        seen_ns = self._first_seen.get(place.identity, now_ns)
        return place.changed_ns > time.time_ns() - span_ns and now_ns - seen_ns < span_ns

    def _places(self) -> list[ResultPlace] | None:
        try:
            with os.scandir(self._folder) as entries:
                named = (_place(entry) for entry in entries if entry.name.endswith(".h5"))
                return [place for place in named if place is not None]
        except OSError:
            return None


def _place(entry: "os.DirEntry[str]") -> ResultPlace | None:
    try:
        facts = entry.stat()
    except FileNotFoundError:  # removed meanwhile, or a link to nowhere
        return None
    text = f"{entry.name}\0{facts.st_size}\0{facts.st_mtime_ns}"
    identity = sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
    return ResultPlace(facts.st_ctime_ns, entry.name, identity)
