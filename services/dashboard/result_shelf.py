"""Stored results as pages show them: a list that is read once for each file, and what a run's pictures need."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gnomon.db import shipped_machines
from gnomon.db.machine_files import find_document
from gnomon.lattice import GnomonError, Lattice, Ring
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.registry import PROCEDURES
from gnomon.procedures.results import Results
from gnomon.services.dashboard.pictures.picture_context import PictureContext
from gnomon.services.dashboard.pictures.ring_places import RingPlaces

__all__ = ["ResultLine", "ResultShelf", "procedure_of", "title_of"]

#: Results whose heads are looked at when a text is searched, the newest.
MAX_SEARCHED = 1000


@dataclass(frozen=True, slots=True)
class ResultLine:
    """The head of a stored run."""

    name: str
    procedure: str
    status: str
    reason: str
    machine: str
    prefix: str
    user: str
    started: str
    note: str

    def holds(self, text: str) -> bool:
        """Tell whether all words of a text are somewhere in it."""
        whole = " ".join((self.name, self.status, self.machine, self.prefix, self.user, self.note)).casefold()
        return all(word in whole for word in text.casefold().split())


def procedure_of(name: str) -> str:
    """Return the procedure of a run by the run's name."""
    return name.rpartition("-")[0]


def title_of(procedure: str) -> str:
    """Return the title of a procedure; of one that is not gnomon's, its name."""
    return PROCEDURES[procedure].title if procedure in PROCEDURES else procedure


class ResultShelf:
    """The folder of results, for pages."""

    def __init__(self, folder: Path) -> None:
        self._results = Results(folder)

    def lines(self, procedure: str = "", text: str = "", count: int = 50) -> tuple[Sequence[ResultLine], int]:
        """List the newest results of a procedure that hold a text; also how many names there are of the procedure."""
        names = [name for name in self._results.names()[::-1] if procedure in ("", procedure_of(name))]
        found: list[ResultLine] = []
        for name in names[:MAX_SEARCHED]:
            if len(found) == count:
                break
            line = self._line(name)
            if line is not None and line.holds(text):
                found.append(line)
        return found, len(names)

    def procedures(self) -> Sequence[str]:
        """List the procedures of which there are results."""
        return sorted({procedure_of(name) for name in self._results.names()}, key=title_of)

    def others(self, run: Run) -> Sequence[str]:
        """List the other runs of a run's procedure, the newest first."""
        return [
            name for name in self._results.names()[::-1] if procedure_of(name) == run.procedure and name != run.name
        ]

    def read(self, name: str) -> Run:
        """Read a run by its name. Raises ProcedureError."""
        if name not in self._results.names():
            raise ProcedureError(f"there is no result {name!r}")
        return self._results.read(name)

    def file(self, name: str) -> Path:
        """Return the file of a run. Raises ProcedureError."""
        if name not in self._results.names():
            raise ProcedureError(f"there is no result {name!r}")
        return self._results.folder / f"{name}.h5"

    def _line(self, name: str) -> ResultLine | None:
        path = self._results.folder / f"{name}.h5"
        try:
            changed_ns = path.stat().st_mtime_ns
        except OSError:
            return None
        return _read_line(self._results, name, changed_ns)


@lru_cache(maxsize=4 * MAX_SEARCHED)
def _read_line(results: Results, name: str, changed_ns: int) -> ResultLine | None:
    try:
        run = results.read(name)
    except ProcedureError:
        return None
    told = run.provenance
    return ResultLine(
        name, run.procedure, run.status, run.reason, told.machine, told.prefix, told.user, told.started, run.note
    )


def picture_context(run: Run, beside: Run | None = None) -> PictureContext:
    """Find the ring of a run among the shipped machines, and its nominal model; without it, devices are numbered."""
    lattice = _nominal(run.provenance.machine)
    if lattice is None:
        return PictureContext(beside=beside)
    at_nominal = run.provenance.settings_id == lattice.id
    name = "model at the same settings" if at_nominal else "model at nominal settings"
    return PictureContext(_places(run.provenance.machine), lattice, name, beside)


@lru_cache(maxsize=8)
def _nominal(machine: str) -> Lattice | None:
    if machine not in shipped_machines():
        return None
    try:
        return Ring(find_document(machine)).nominal
    except GnomonError:
        return None


@lru_cache(maxsize=8)
def _places(machine: str) -> RingPlaces:
    return RingPlaces.of_ring(Ring(find_document(machine)))
