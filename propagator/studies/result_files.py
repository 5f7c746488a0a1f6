"""Files of study results: JSON or HDF5 by the file's ending, every array with its unit and the meaning of its axes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import GnomonError

JSON, HDF5 = (".json",), (".h5", ".hdf5")


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


def write_result(result: StudyResult, path: Path) -> None:
    """Write a result; NaN becomes null in JSON. Raises StudyError if the file cannot be written."""
    try:
        if path.suffix in HDF5:
            _write_hdf5(result, path)
        else:
            path.write_text(json.dumps(result_document(result), indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise StudyError(f"{path}: can't be written: {error}") from error


def result_document(result: StudyResult) -> dict[str, Any]:
    """Make a result's JSON document; NaN becomes null."""
    return {
        "study": result.study,
        **result.facts,
        "names": {axis: list(names) for axis, names in result.names.items()},
        "quantities": {
            name: {"unit": q.unit, "axes": list(q.axes), "data": _plain(q.data)}
            for name, q in result.quantities.items()
        },
    }


def _plain(data: NDArray[Any]) -> Any:
    plain = data.astype(object)
    plain[~np.isfinite(data)] = None
    return plain.tolist()


def _write_hdf5(result: StudyResult, path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["study"] = result.study
        for name, fact in result.facts.items():
            file.attrs[name] = fact
        for axis, names in result.names.items():
            file.create_dataset(f"names/{axis}", data=list(names), dtype=h5py.string_dtype())
        for name, quantity in result.quantities.items():
            dataset = file.create_dataset(f"quantities/{name}", data=quantity.data)
            dataset.attrs["unit"] = quantity.unit
            dataset.attrs["axes"] = list(quantity.axes)
