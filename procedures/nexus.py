"""One HDF5 file for a run, by NeXus conventions: NXentry with raw data, parameters and outcome, NXdata with the plot.

Arrays are datasets with units and the names of their axes, all else of a document is JSON beside them, so that the file
holds the whole run, bit for bit. Needs h5py (`pip install 'gnomon[study]'`).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

import gnomon
from gnomon.lattice.hdf5_files import MAX_BYTES, BoundsError, check_bounds, check_size
from gnomon.lattice.identifiers import Identifier, parse_identifier
from gnomon.procedures.documents import Part, Run, quantities
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.registry import find_procedure, typed

__all__ = ["RunHead", "read_head", "read_identifier", "read_run", "require_h5py", "write_run"]

#: Parts of a run that are documents of the procedure, by their group.
PARTS = ("data", "parameters", "outcome")
#: Group names: the raw data are not NXdata, which is the plot.
GROUPS = {"data": "raw_data", "parameters": "parameters", "outcome": "outcome"}
#: Arrays with fewer values are not compressed.
LARGE = 4096
#: Largest arrays of an older file whose identifier is computed for a list [bytes].
MAX_HEAD_BYTES = 2**26


def require_h5py() -> Any:
    """Import h5py. Raises ProcedureError with the command that installs it."""
    try:
        import h5py
    except ImportError as error:
        raise ProcedureError(
            "files of results need h5py, which is not installed; pip install 'gnomon[study]'"
        ) from error
    return h5py


def write_run(run: Run, path: Path) -> None:
    """Write a run to a new file. Raises ProcedureError if the file exists, or cannot be written."""
    h5py = require_h5py()
    procedure = find_procedure(run.procedure)
    parts = _parts(run)
    told = run.provenance
    try:
        with h5py.File(path, "x") as file:
            file.attrs.update({"NX_class": "NXroot", "default": "entry", "file_name": path.name, "creator": "gnomon"})
            file.attrs["file_time"] = told.ended or told.started
            entry = _group(file, "entry", "NXentry")
            if run.status == "done" and _has_plot(procedure.plot, parts):
                entry.attrs["default"] = "plot"
            facts = {
                "title": procedure.title,
                "entry_identifier": run.name,
                "start_time": told.started,
                "end_time": told.ended,
                "experiment_description": run.note,
                "experiment_identifier": told.proposal,
            }
            for name, text in facts.items():
                if text:
                    entry[name] = text
            entry["program_name"] = "gnomon"
            entry["program_name"].attrs["version"] = gnomon.__version__
            if told.user:
                _group(entry, "user", "NXuser")["name"] = told.user
            whole = run.model_dump(mode="json", by_alias=True, exclude=set(PARTS))
            source = _group(entry, "run", "NXcollection")
            source["document"] = json.dumps(whole, sort_keys=True)
            source["identifier"] = str(run.identifier)
            for name, fact in told.model_dump(mode="json").items():
                source[name] = json.dumps(fact, sort_keys=True) if isinstance(fact, dict | list) else fact
            for name, part in parts.items():
                if isinstance(part, Part):
                    _write_part(entry, GROUPS[name], part)
                elif part is not None:
                    _group(entry, GROUPS[name], "NXcollection")["values"] = json.dumps(part, sort_keys=True)
            if isinstance(part := parts[procedure.plot[0]], Part):
                _write_plot(entry, procedure.plot, part, procedure.title)
    except OSError as error:
        raise ProcedureError(f"{path}: cannot be written: {error}") from error


def read_run(path: Path, max_bytes: int = MAX_BYTES) -> Run:
    """Read a run from its file, with arrays of at most a number of bytes. Raises ProcedureError if it is not one."""
    with _opened(path, max_bytes) as entry:
        whole = json.loads(entry["run/document"][()])
        parts = {name: _read_part(entry[group]) if group in entry else None for name, group in GROUPS.items()}
        return Run.model_validate({**whole, **parts})


@dataclass(frozen=True, slots=True)
class RunHead:
    """A run without its arrays.

    `document` lacks data, parameters and outcome; `names` are their texts, as names of devices. `identifier` is None in
    a file from before there were identifiers.
    """

    document: dict[str, Any]
    identifier: Identifier | None
    names: tuple[str, ...]


def read_head(path: Path) -> RunHead:
    """Read what a run's file says without its arrays. Raises ProcedureError if it is not one."""
    with _opened(path) as entry:
        document = json.loads(entry["run/document"][()])
        if not isinstance(document, dict):
            raise ValueError("it is not an object")
        stated = entry["run"].get("identifier")
        identifier = None if stated is None else parse_identifier(stated.asstr()[()])
        names: dict[str, None] = {}
        for group in GROUPS.values():
            if group in entry and "values" in entry[group]:
                names |= dict.fromkeys(_texts(json.loads(entry[f"{group}/values"][()])))
        return RunHead(document, identifier, tuple(names))


def read_identifier(path: Path, head: RunHead, max_bytes: int = MAX_HEAD_BYTES) -> Identifier:
    """Return the identifier that a run's file states; compute that of an older one. Raises ProcedureError."""
    return read_run(path, max_bytes).identifier if head.identifier is None else head.identifier


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts of a JSON value that name something: those without a line break."""
    if isinstance(value, str):
        if value and "\n" not in value:
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)


@contextmanager
def _opened(path: Path, max_bytes: int = MAX_BYTES) -> Iterator[Any]:
    """Open the entry of a run's file; whatever is wrong with it there and then becomes a ProcedureError."""
    h5py = require_h5py()
    if path.exists() and not path.is_file():  # a pipe would be waited for without end
        raise ProcedureError(f"{path}: not a file of a run of gnomon: not a regular file")
    if not path.exists():
        raise ProcedureError(f"{path}: there is no such file; `gnomon results list` shows what there is")
    try:
        check_size(path)
        with h5py.File(path, "r") as file:
            check_bounds(file, max_bytes)
            yield file["entry"]
    except BoundsError as error:
        raise ProcedureError(f"{path}: not a file of a run of gnomon: {error}; remove it from the folder") from error
    except OSError as error:
        if isinstance(error, PermissionError):
            raise ProcedureError(f"{path}: it may not be read; check its permissions") from error
        raise ProcedureError(
            f"{path}: not a file of a run of gnomon: it is damaged, or no file of HDF5; take it from a backup, or "
            "remove it and measure again"
        ) from error
    except KeyError as error:
        raise ProcedureError(
            f"{path}: not a file of a run of gnomon: parts are missing in it; take it from a backup, or remove it"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its document"
        raise ProcedureError(
            f"{path}: not a file of a run of gnomon of this version: {place}: {first['msg']}"
        ) from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ProcedureError(f"{path}: not a file of a run of gnomon: its document cannot be read: {error}") from error


def _has_plot(plot: tuple[str, tuple[str, ...], str], parts: dict[str, Part | dict[str, Any] | None]) -> bool:
    """Tell whether a run has a default plot: of a user's script, if its outcome has an array."""
    part = parts[plot[0]]
    return bool(plot[1]) or (isinstance(part, Part) and bool(quantities(part)))


def _parts(run: Run) -> dict[str, Part | dict[str, Any] | None]:
    """Return the run's documents as their types; of a run that failed, rows and all else as they are."""
    if run.status == "done":
        return dict(zip(PARTS, typed(run), strict=True))
    return {"data": run.data, "parameters": run.parameters, "outcome": run.outcome}


def _group(parent: Any, name: str, kind: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _write_part(parent: Any, name: str, part: Part) -> None:
    group = _group(parent, name, "NXcollection")
    arrays, rest = quantities(part), {}
    for field, value in part:
        if field in arrays:
            quantity = arrays[field]
            more = {"compression": "gzip", "shuffle": True} if quantity.values.size > LARGE else {}
            dataset = group.create_dataset(field, data=quantity.values, **more)
            dataset.attrs["units"] = quantity.unit
            dataset.attrs["axes_names"] = list(quantity.axes)
            if quantity.description:
                dataset.attrs["long_name"] = quantity.description
        elif isinstance(value, Part):
            _write_part(group, field, value)
        else:
            rest[field] = value.tolist() if isinstance(value, np.ndarray) else value
    group["values"] = json.dumps(rest, sort_keys=True)


def _read_part(group: Any) -> dict[str, Any]:
    found: dict[str, Any] = dict(json.loads(group["values"][()]))
    for name, item in group.items():
        if name != "values":
            found[name] = _read_part(item) if hasattr(item, "keys") else item[()]
    return found


def _write_plot(entry: Any, plot: tuple[str, tuple[str, ...], str], part: Part, title: str) -> None:
    """Link the default plot's arrays; an axis without numbers of its own is counted."""
    kind, signals, abscissa = plot
    arrays = quantities(part)
    signals = signals or tuple(arrays)[:1]  # of a user's script, the first array
    if not signals:
        return
    group = _group(entry, "plot", "NXdata")
    first = arrays[signals[0]]
    axes = []
    for dimension, axis in enumerate(first.axes):
        if axis == abscissa or (abscissa and dimension == 0):
            group[abscissa] = entry[f"{GROUPS[kind]}/{abscissa}"]
            name = abscissa
        else:
            name = f"{axis}_number"
            group[name] = np.arange(1, first.values.shape[dimension] + 1)
            group[name].attrs.update({"units": "", "long_name": f"number of the {axis.rstrip('s')}"})
        group.attrs[f"{name}_indices"] = dimension
        axes.append(name)
    for signal in signals:
        group[signal] = entry[f"{GROUPS[kind]}/{signal}"]
    group.attrs["signal"] = signals[0]
    if len(signals) > 1:
        group.attrs["auxiliary_signals"] = list(signals[1:])
    group.attrs["axes"] = axes
    group["title"] = title
