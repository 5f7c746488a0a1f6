"""Files of study results: JSON or HDF5 by the file's ending, every array with its unit and the meaning of its axes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon._version import __version__
from gnomon.lattice import GnomonError, Lattice
from gnomon.lattice.files import read_bounded
from gnomon.lattice.hdf5_files import check_bounds, check_size
from gnomon.lattice.identifiers import Identifier, content_digest

JSON, HDF5 = (".json",), (".h5", ".hdf5")
#: Largest arrays of a file that is read as a whole, and of an older one whose identifier is computed for the catalogue,
#: and largest facts of an older file [bytes].
MAX_BYTES, MAX_HEAD_BYTES, MAX_FACTS = 2**28, 2**25, 2**20
#: Number of values that are turned into text at once.
BLOCK = 2**14


class StudyError(GnomonError):
    """A study cannot be made, written or drawn as asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """One array of a result, with its unit and the names of its axes."""

    data: NDArray[Any]
    unit: str
    axes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class StudyResult:
    """Result of a study: facts about it, names along its axes, and quantities."""

    study: str
    facts: Mapping[str, str]
    names: Mapping[str, tuple[str, ...]]
    quantities: Mapping[str, Quantity]


def check_output(path: Path | None) -> None:
    """Raise StudyError, before the work starts, for a file that could not be written at the end."""
    if path is None:
        return
    if path.suffix not in JSON + HDF5:
        raise StudyError(
            f"{path}: results are written as .json or .h5, not as {path.suffix or 'a name without ending'!r}"
        )
    if path.suffix in HDF5:
        require("h5py", f"writing {path.name}")
    if not path.absolute().parent.is_dir():
        raise StudyError(f"{path}: there is no folder {path.absolute().parent}; make it first")


def check_plot(path: Path | None) -> None:
    """Raise StudyError, before the work starts, for a picture that could not be drawn at the end."""
    if path is None:
        return
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise StudyError(f"{path}: plots are written as .png, .pdf or .svg")
    require("matplotlib", "a plot")
    if not path.absolute().parent.is_dir():
        raise StudyError(f"{path}: there is no folder {path.absolute().parent}; make it first")


def require(library: str, what: str) -> None:
    """Raise StudyError, with the command to install it, if an optional library is missing."""
    if find_spec(library) is None:
        raise StudyError(f"{what} needs {library}, which is not installed; pip install 'gnomon[study]'")


def signed(
    result: StudyResult, lattice: Lattice, *, user: str, made: str, note: str = "", proposal: str = ""
) -> StudyResult:
    """Add who made a result, when and of which machine document; empty texts are left out.

    `made` is the time, UTC, ISO 8601.
    """
    ring = lattice.ring
    told = {
        "machine document": ring.digest,
        "optics": lattice.optics_name,
        "user": user,
        "made": made,
        "note": note,
        "proposal": proposal,
    }
    return replace(result, facts={**result.facts, **{name: text for name, text in told.items() if text}})


def write_result(result: StudyResult, path: Path, *, new: bool = False) -> None:
    """Write a result; NaN becomes null in JSON; with `new`, not over a file. Raises StudyError if it can't be."""
    try:
        if path.suffix in HDF5:
            _write_hdf5(result, path, "x" if new else "w")
        else:
            with path.open("x" if new else "w", encoding="utf-8") as file:
                file.write(json.dumps(result_document(result), indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise StudyError(f"{path}: can't be written: {error}") from error


def result_document(result: StudyResult) -> dict[str, Any]:
    """Make a result's JSON document; NaN becomes null. Its identifier is that of everything else."""
    document = {
        "study": result.study,
        **result.facts,
        "names": {axis: list(names) for axis, names in result.names.items()},
        "quantities": {
            name: {"unit": q.unit, "axes": list(q.axes), "data": _plain(q.data)}
            for name, q in result.quantities.items()
        },
    }
    return {**document, "identifier": str(Identifier("study", content_digest(document)))}


def read_study(path: Path) -> dict[str, Any]:
    """Read the document of a study's result from its file, JSON or HDF5; older ones get their identifier.

    Raises StudyError with the file and the reason, also if the content does not have its identifier.
    """
    document = _identified(path, MAX_BYTES)
    for quantity in document.get("quantities", {}).values() if path.suffix in HDF5 else ():
        quantity["data"] = _plain(quantity["data"])
    return document


def read_study_head(path: Path) -> dict[str, Any]:
    """Read a study's document without its arrays. Raises StudyError.

    JSON and older files are read as a whole, and checked against their identifiers.
    """
    if path.suffix in HDF5:
        head = _read_document(path, MAX_BYTES, arrays=False)
        if "identifier" in head:
            return head
    head = _identified(path, MAX_HEAD_BYTES)
    return {name: fact for name, fact in head.items() if name != "quantities"}


def _identified(path: Path, max_bytes: int) -> dict[str, Any]:
    """Read a whole document, check its identifier or compute it; arrays of HDF5 stay arrays."""
    document = _read_document(path, max_bytes, arrays=True)
    try:
        found = str(Identifier("study", _digest({k: v for k, v in document.items() if k != "identifier"})))
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from error
    if document.setdefault("identifier", found) != found:
        raise StudyError(f"{path}: its content does not have its identifier: it was changed; take it from a backup")
    return document


def _read_document(path: Path, max_bytes: int, *, arrays: bool) -> dict[str, Any]:
    try:
        check_size(path)
        if path.suffix in HDF5:
            require("h5py", f"reading {path.name}")
            document = _read_hdf5(path, max_bytes, arrays=arrays)
        else:
            document = dict(json.loads(read_bounded(path)))
        if not isinstance(document.get("study"), str):
            raise StudyError(f"{path}: not a result of a study of gnomon; remove it from the folder")
        return document
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> StudyError:
    return StudyError(
        f"{path}: not a result of a study of gnomon, or damaged: {error}; take it from a backup, or remove it"
    )


def _digest(document: Mapping[str, Any]) -> str:
    """Calculate the content digest of a document with arrays, without making lists of them."""
    found = sha256()
    for piece in _pieces(document):
        found.update(piece.encode())
    return found.hexdigest()


def _pieces(value: Any) -> Iterator[str]:
    """Yield the JSON text of `content_digest` in pieces: an array has that of its lists."""
    if isinstance(value, dict):
        yield "{"
        for number, name in enumerate(sorted(value)):
            yield f"{', ' if number else ''}{json.dumps(name)}: "
            yield from _pieces(value[name])
        yield "}"
    elif isinstance(value, np.ndarray) and value.size > BLOCK:
        step = max(1, BLOCK * len(value) // value.size)  # at least one of the outermost axis
        yield "["
        for first in range(0, len(value), step):
            yield ", " if first else ""
            part = value[first : first + step]
            if part.size > BLOCK:
                yield from _pieces(part[0])
            else:
                yield json.dumps(_plain(part), allow_nan=False)[1:-1]
        yield "]"
    else:
        plain = _plain(value) if isinstance(value, np.ndarray) else value
        yield json.dumps(plain, sort_keys=True, allow_nan=False)


def _plain(data: NDArray[Any]) -> Any:
    plain = data.astype(object)
    plain[~np.isfinite(data)] = None
    return plain.tolist()


def _write_hdf5(result: StudyResult, path: Path, mode: str) -> None:
    """Write by NeXus conventions: an NXentry with names and quantities, and the identifier of the content."""
    import h5py

    facts = result.facts
    with h5py.File(path, mode) as file:
        file.attrs.update({"NX_class": "NXroot", "default": "entry", "creator": "gnomon"})
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["title"] = f"study {result.study} of {facts.get('machine', 'a machine')}"
        entry["program_name"] = "gnomon"
        entry["program_name"].attrs["version"] = __version__
        for name, fact in (("start_time", "made"), ("experiment_description", "note")):
            if fact in facts:
                entry[name] = facts[fact]
        if "proposal" in facts:
            entry["experiment_identifier"] = facts["proposal"]
        if "user" in facts:
            entry.create_group("user").attrs["NX_class"] = "NXuser"
            entry["user/name"] = facts["user"]
        told = entry.create_group("study")
        told.attrs["NX_class"] = "NXcollection"
        told["name"] = result.study
        told["identifier"] = result_document(result)["identifier"]
        told["document"] = json.dumps({"study": result.study, **facts}, sort_keys=True)
        for place in ("names", "quantities"):
            entry.create_group(place).attrs["NX_class"] = "NXcollection"
        for axis, names in result.names.items():
            entry["names"].create_dataset(axis, data=list(names), dtype=h5py.string_dtype())
        for name, quantity in result.quantities.items():
            dataset = entry["quantities"].create_dataset(name, data=quantity.data)
            dataset.attrs["units"] = quantity.unit
            dataset.attrs["axes_names"] = list(quantity.axes)
        _write_plot(entry, result)


def _write_plot(entry: Any, result: StudyResult) -> None:
    """Link the first array of numbers as the default plot, over numbers that count along its axes."""
    first = next(
        (n for n, q in result.quantities.items() if q.data.ndim and q.data.size and q.data.dtype.kind == "f"), ""
    )
    if not first:
        return
    quantity = result.quantities[first]
    plot = entry.create_group("plot")
    plot.attrs.update({"NX_class": "NXdata", "signal": "data"})
    plot["data"] = entry["quantities"][first]
    plot["title"] = first
    axes = []
    for dimension, size in enumerate(quantity.data.shape):
        name = f"number_{dimension + 1}"
        plot[name] = np.arange(1, size + 1)
        along = quantity.axes[dimension] if dimension < len(quantity.axes) else "axis"
        plot[name].attrs.update({"units": "", "long_name": f"number along {along}"})
        plot.attrs[f"{name}_indices"] = dimension
        axes.append(name)
    plot.attrs["axes"] = axes
    entry.attrs["default"] = "plot"


def _read_hdf5(path: Path, max_bytes: int, *, arrays: bool) -> dict[str, Any]:
    """Read a study's file, also one of version 0.1, in which all stood at the root and a unit was called `unit`."""
    import h5py

    with h5py.File(path, "r") as file:
        check_bounds(file, max_bytes)
        new = "entry" in file
        if new:
            told = file["entry/study"]
            document: dict[str, Any] = dict(json.loads(told["document"][()]))
            document["identifier"] = told["identifier"].asstr()[()]
        else:
            document = _old_facts(file.attrs)
        root = file["entry"] if new else file
        document["names"] = {axis: item.asstr()[()].tolist() for axis, item in root.get("names", {}).items()}
        if arrays:
            unit, axes = ("units", "axes_names") if new else ("unit", "axes")
            document["quantities"] = {
                name: {
                    "unit": str(item.attrs[unit]),
                    "axes": [str(axis) for axis in item.attrs[axes]],
                    "data": np.asarray(item[()]),
                }
                for name, item in root["quantities"].items()
            }
        return document


def _old_facts(attributes: Any) -> dict[str, Any]:
    """Read the facts of a file of version 0.1, which may be no longer than any facts are."""
    found, left = {}, MAX_FACTS
    for name in attributes:
        found[name] = str(attributes[name])
        left -= len(found[name])
        if left < 0:
            raise ValueError(f"its facts are longer than {MAX_FACTS / 2**20:g} MiB")
    return found
