"""Results on disk: a file for each run, and its document without raw data in the document store."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from gnomon.db import StorePlace
from gnomon.db.store import NEW, StoreError
from gnomon.lattice.files import file_digest
from gnomon.lattice.identifiers import Identifier
from gnomon.lattice.near_names import near_names_hint
from gnomon.procedures.documents import Run, quantities
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.nexus import read_head, read_identifier, read_run, write_run
from gnomon.procedures.optics_fit import OpticsFitOutcome
from gnomon.procedures.registry import typed

__all__ = ["STUDIES", "Difference", "NotPublishedError", "Results", "compare", "fit_of", "new_name"]

#: Kind of the documents in the store.
KIND = "result"
#: Folder of kept studies within that of results.
STUDIES = "studies"
#: Arrays in the store's document have at most this many values; larger ones stand in the file alone.
MAX_STORED = 500


class NotPublishedError(ProcedureError):
    """A run that is kept, but that the catalogue did not take."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One array of two outcomes: largest and rms difference, and rms difference over the stated errors, or NaN."""

    field: str
    unit: str
    largest: float
    rms: float
    in_errors: float


@dataclass(frozen=True, slots=True)
class Results:
    """A folder of results, and the place of the document store, a file or an address (None: the folder alone).

    `catalogue` is the address of a container in a catalogue of tiled, to which `publish` writes a run, too.
    """

    folder: Path
    store: Path | str | None = None
    catalogue: str | None = None

    def save(self, run: Run) -> Path:
        """Write a run's file, and its document without large arrays; return the file. Raises ProcedureError."""
        path = self.folder / f"{run.name}.h5"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProcedureError(f"{self.folder}: the folder of results cannot be made: {error}") from error
        write_run(run, path)
        if self.store is not None:
            identifier = run.identifier
            document = {
                **run.model_dump(mode="json", by_alias=True, exclude={"data", "parameters", "outcome"}),
                "file": str(path),
                "sha256": file_digest(path),
                "digest": identifier.digits,
                "identifier": str(identifier),
                "parameters": _small(run.parameters),
                "outcome": None if run.outcome is None else _small(run.outcome),
            }
            try:
                with StorePlace.of(str(self.store)).open_blocking() as store:
                    store.put(KIND, run.name, document, NEW)
            except StoreError as error:
                raise ProcedureError(f"{path} is written, but not its document: {error}") from error
        return path

    def publish(self, path: Path) -> None:
        """Write a run's file to the catalogue, if there is one. Raises NotPublishedError; the file stays."""
        if self.catalogue is None:
            return
        from gnomon.procedures.tiled_catalogue import publish_run

        try:
            publish_run(path, self.catalogue)
        except ProcedureError as error:
            again = f"`gnomon results publish {path.stem}` tries again"
            raise NotPublishedError(f"{path} is written, but: {error}; {again}") from error

    def names(self) -> list[str]:
        """List the names of all runs, the oldest first."""
        found = self.folder.glob("*.h5") if self.folder.is_dir() else ()
        return sorted((path.stem for path in found), key=lambda name: (name.rpartition("-")[2], name))

    def all(self) -> Iterator[Run]:
        """Yield all runs, the oldest first; files that are not runs are left out."""
        for name in self.names():
            try:
                yield self.read(name)
            except ProcedureError:
                continue

    def read(self, name: str) -> Run:
        """Read a run of this folder by its whole name. Raises ProcedureError if its file is not one."""
        return read_run(self.folder / f"{name}.h5")

    def head(self, name: str) -> tuple[Run, Identifier]:
        """Read a run of this folder without its arrays, by its whole name, and its identifier. Raises ProcedureError.

        The file is opened once; one from before there were identifiers is read as a whole, too.
        """
        path = self.folder / f"{name}.h5"
        head = read_head(path)
        try:
            run = Run.model_validate({**head.document, "data": {}, "parameters": {}, "outcome": None})
        except ValueError as error:
            raise ProcedureError(f"{path}: not a file of a run of gnomon: {error}") from error
        return run, read_identifier(path, head)

    def load(self, name: str) -> Run:
        """Load a run by its name, by its file, or the newest of a procedure by the procedure's name.

        Raises ProcedureError with near names.
        """
        path = Path(name).expanduser()
        if path.suffix == ".h5" and path.exists():
            return read_run(path)
        names = self.names()
        if name not in names:
            newest = [known for known in names if known.rpartition("-")[0] == name]
            if not newest:
                raise ProcedureError(
                    f"there is no result {name!r} in {self.folder}{near_names_hint(name, names)}; "
                    "`gnomon results list` shows all"
                )
            name = newest[-1]
        return self.read(name)


def new_name(procedure: str, at: datetime | None = None) -> str:
    """Make a run's name from procedure and time: `orm-20261127T101502.123`."""
    at = datetime.now(UTC) if at is None else at
    return f"{procedure}-{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}"


def compare(first: Run, second: Run) -> Sequence[Difference]:
    """Compare the outcomes of two runs of one procedure, array by array. Raises ProcedureError if they have none."""
    if first.procedure != second.procedure:
        raise ProcedureError(f"{first.name} is of {first.procedure}, {second.name} of {second.procedure}")
    outcomes = [typed(run)[2] for run in (first, second)]
    if outcomes[0] is None or outcomes[1] is None:
        raise ProcedureError("a run that failed has no outcome to compare")
    a, b = (quantities(outcome) for outcome in outcomes if outcome is not None)
    found = []
    for name in a:
        if name not in b or _is_error(name):
            continue
        if a[name].values.shape != b[name].values.shape:
            raise ProcedureError(f"{name} has the shapes {a[name].values.shape} and {b[name].values.shape}")
        change = b[name].values - a[name].values
        valid = np.isfinite(change)
        if not valid.any():
            continue
        errors = next((each for each in a if _is_error(each) and _without_error(each) == name), None)
        ratio = np.nan
        if errors is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                scaled = change / np.hypot(a[errors].values, b[errors].values)
            ratio = _rms(scaled[np.isfinite(scaled)])
        found.append(Difference(name, a[name].unit, float(np.abs(change[valid]).max()), _rms(change[valid]), ratio))
    return found


def _rms(values: "np.typing.NDArray[np.float64]") -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else np.nan


def _is_error(name: str) -> bool:
    return "_error" in name


def _without_error(name: str) -> str:
    return re.sub("_errors?", "", name)


def _small(part: dict[str, object]) -> dict[str, object]:
    """Return a part of a run without its large arrays."""
    return {
        name: _small(value) if isinstance(value, dict) else value
        for name, value in part.items()
        if not isinstance(value, list | tuple) or len(json.dumps(value)) < 20 * MAX_STORED
    }


def fit_of(results: Results, name: str) -> tuple[str, OpticsFitOutcome]:
    """Load a stored fit of the optics, or the newest (`optics-fit`), and its whole name. Raises ProcedureError."""
    run = results.load(name)
    if run.procedure != "optics-fit" or run.outcome is None:
        raise ProcedureError(f"{run.name} is not a finished result of optics-fit")
    return run.name, OpticsFitOutcome.model_validate(run.outcome)
