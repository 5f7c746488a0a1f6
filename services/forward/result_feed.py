"""Results that came after a place, in the order in which their files were finished."""

import os
import time
from hashlib import sha256
from pathlib import Path

from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.results import Results
from gnomon.services.forward.cursor_file import ResultPlace

__all__ = ["ResultFeed"]

#: A file that changed so recently may still be written [ns]; files of runs are made in one go.
QUIET_NS = 1_000_000_000
#: A file that is not one of a run is looked at again for so long [ns]; then it counts as somebody else's.
PATIENCE_NS = 60_000_000_000


class ResultFeed:
    """A folder of results, read from a place on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen_ns = -1
        self._complete_after = ResultPlace()

    def end(self) -> ResultPlace:
        """Return the place behind all results."""
        return max(self._places(), default=ResultPlace())

    def read(self, place: ResultPlace, count: int) -> list[tuple[ResultPlace, Path]]:
        """List at most `count` files behind a place, the oldest first; those that may still be written are left out."""
        try:
            changed_ns = self._folder.stat().st_mtime_ns
        except OSError:
            return []
        if changed_ns == self._seen_ns and self._complete_after <= place:
            return []
        now_ns = time.time_ns()
        found = sorted(each for each in self._places() if each > place)
        quiet = [each for each in found if each.changed_ns <= now_ns - QUIET_NS]
        if not found and changed_ns <= now_ns - QUIET_NS:
            self._seen_ns, self._complete_after = changed_ns, place  # until the folder changes
        return [(each, self._folder / each.name) for each in quiet[:count]]

    def load(self, place: ResultPlace) -> tuple[Run, str] | None:
        """Read a run and the digest of its file; None if it is not one. Raises ProcedureError if it may become one."""
        path = self._folder / place.name
        try:
            return Results(self._folder).read(path.stem), sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:
            return None
        except (OSError, ProcedureError) as error:
            if place.changed_ns > time.time_ns() - PATIENCE_NS:
                raise ProcedureError(f"{path}: it cannot be read yet: {error}") from error
            return None

    def _places(self) -> list[ResultPlace]:
        try:
            with os.scandir(self._folder) as entries:
                return [
                    ResultPlace(entry.stat().st_ctime_ns, entry.name) for entry in entries if entry.name.endswith(".h5")
                ]
        except OSError:
            return []
