"""Results that were not delivered yet; which those are depends on no clock.

Files are known by name, size and time of their content, compared for equality alone: clocks of computers differ, and
are set back. Clocks decide in which order results come that wait together, and whether a file may be read at once.
"""

import os
import time
from collections import deque
from hashlib import sha256
from itertools import islice
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
#: Time for which files that one look has found are given out before the folder is looked at again [ns].
AGAIN_NS = 1_000_000_000
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
        self._found: deque[ResultPlace] = deque()
        self._looked_ns = -AGAIN_NS

    def all_known(self) -> frozenset[str]:
        """Return the identities of all results; none if there is no folder."""
        return frozenset(each.identity for each in self._places() or ())

    def known_up_to(self, place: ResultPlace) -> frozenset[str] | None:
        """Return the identities of the results up to a place; None while the folder cannot be read."""
        places = self._places()
        return None if places is None else frozenset(each.identity for each in places if each <= place)

    def read(self, known: frozenset[str], count: int) -> list[tuple[ResultPlace, Path]]:
        """List at most `count` files that are not known, the oldest first, without those that may still be written.

        The folder is looked at once a second while more of them wait: each look takes as long as there are files.
        """
        try:
            changed_ns = self._folder.stat().st_mtime_ns
        except OSError:
            return []
        if self._folder_seen[0] != changed_ns:
            self._folder_seen = changed_ns, time.monotonic_ns()
        if self._complete is not None and self._complete[0] == changed_ns and self._complete[1] <= known:
            return []
        if time.monotonic_ns() - self._looked_ns >= AGAIN_NS or not self._quiet(known, 1):
            self._look(changed_ns, known)
        return [(each, self._folder / each.name) for each in self._quiet(known, count)]

    def _look(self, changed_ns: int, known: frozenset[str]) -> None:
        """Find the files that are not known."""
        now_ns = time.monotonic_ns()
        quiet_folder = now_ns - self._folder_seen[1] >= QUIET_NS
        self._found.clear()
        places = self._places()
        if places is None:
            return
        self._looked_ns = now_ns
        self._present = frozenset(each.identity for each in places)
        self._found.extend(sorted(each for each in places if each.identity not in known))
        self._first_seen = {each.identity: self._first_seen.get(each.identity, now_ns) for each in self._found}
        if not self._found and quiet_folder:
            self._complete = changed_ns, known  # until the folder changes

    def _quiet(self, known: frozenset[str], count: int) -> list[ResultPlace]:
        """List at most `count` files of the last look that are not known and are not being written."""
        while self._found and self._found[0].identity in known:
            self._found.popleft()
        left = (each for each in self._found if each.identity not in known and not self._is_recent(each, QUIET_NS))
        return list(islice(left, count))

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
