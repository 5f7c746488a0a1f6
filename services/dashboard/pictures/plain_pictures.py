"""Pictures of any document: each array over its own axis, with units; what a user's own procedure gets. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.procedures.documents import Part, Quantity, quantities
from gnomon.services.dashboard.pictures.figure_parts import (
    BESIDE,
    Picture,
    X,
    diverging,
    marked,
    numbers,
    plain,
    single,
)
from gnomon.services.dashboard.pictures.picture_context import PictureContext

__all__ = ["arrays_of", "plain_pictures"]

Floats = NDArray[np.float64]

#: At most this many pictures of a document, and values of an array.
MAX_PICTURES, MAX_VALUES = 12, 40_000
#: Units by which a field's name may end.
UNITS = {
    "mm": "mm", "m": "m", "um": "µm", "a": "A", "v": "V", "hz": "Hz", "khz": "kHz", "mhz": "MHz", "s": "s", "ms": "ms",
    "h": "h", "ma": "mA", "mrad": "mrad", "rad": "rad", "ev": "eV", "gev": "GeV", "percent": "%",
}  # fmt: skip


def plain_pictures(
    outcome: Part | Mapping[str, Any],
    context: PictureContext,
    beside: "Part | Mapping[str, Any] | None" = None,
    beside_name: str = "",
) -> list[Picture]:
    """Draw the arrays of an outcome, a picture each; arrays of errors become error bars of theirs."""
    arrays, names = arrays_of(outcome)
    old = {} if beside is None else arrays_of(beside)[0]
    found: list[Picture] = []
    for field, array in arrays.items():
        if is_error(field) or len(found) == MAX_PICTURES or not 1 < array.values.size <= MAX_VALUES:
            continue
        errors = arrays.get(error_of(field, arrays))
        if array.values.ndim == 1:
            known = old.get(field)
            found.append(_line(field, array, errors, names, context, known, beside_name))
        elif array.values.ndim == 2:
            found.append(_map(field, array, names))
    return found


def arrays_of(document: Part | Mapping[str, Any]) -> tuple[dict[str, Quantity], dict[str, tuple[str, ...]]]:
    """Collect the arrays of a document by field, and the names along its axes.

    A typed document tells units and axes. Else lists of numbers are arrays; a unit is taken from the end of a field's
    name, as in `orbit_mm`, and names along an axis from a list of texts of the same length.
    """
    if isinstance(document, Part):
        names = {
            field: value
            for field, value in document
            if isinstance(value, tuple) and value and isinstance(value[0], str)
        }
        return quantities(document), names
    names = {field: tuple(value) for field, value in document.items() if _is_names(value)}
    found = {}
    for field, value in document.items():
        array = _array(value)
        if array is not None:
            axes = tuple(_axis(length, number, names) for number, length in enumerate(array.shape))
            found[field] = Quantity(array, unit_of(field), axes, "")
    return found, names


def is_error(field: str) -> bool:
    """Tell whether a field holds the errors of another one."""
    return re.search(r"_errors?(_|$)", field) is not None


def error_of(field: str, known: Mapping[str, object]) -> str:
    """Return the field with the errors of a field; empty without one."""
    return next((each for each in known if is_error(each) and re.sub("_errors?", "", each) == field), "")


def unit_of(field: str) -> str:
    """Return the unit by which a field's name ends; empty without one."""
    words = field.lower().split("_")
    return UNITS.get(words[-1], "") if len(words) > 1 and words[-2] != "per" else ""


def _line(
    field: str,
    array: Quantity,
    errors: Quantity | None,
    names: Mapping[str, Sequence[str]],
    context: PictureContext,
    old: Quantity | None,
    old_name: str,
) -> Picture:
    axis = array.axes[0]
    labels = names.get(axis, ())
    at, title = context.places.along(labels) if labels else (np.arange(1.0, array.values.size + 1), axis or "number")
    traces = []
    if old is not None and old.values.shape == array.values.shape:
        traces.append(
            marked(at, old.values, BESIDE, name=old_name, unit=array.unit, labels=labels, symbol="circle-open")
        )
    traces.append(
        marked(at, array.values, X, name="this run" if traces else "", unit=array.unit, labels=labels,
               errors=None if errors is None or errors.values.shape != array.values.shape else errors.values)
    )  # fmt: skip
    figure = single(
        traces, title if title != "number" else f"{axis} (number)", _titled(field, array.unit),
        x_axis=context.places.axis(title), height=300,
    )  # fmt: skip
    return Picture(spoken(field), figure, array.description, wide=array.values.size > 12)


def _map(field: str, array: Quantity, names: Mapping[str, Sequence[str]]) -> Picture:
    rows, columns = (names.get(axis) for axis in array.axes)
    values = array.values
    finite = values[np.isfinite(values)]
    signed = bool(finite.size and finite.min() < 0.0 < finite.max())
    largest = float(np.abs(finite).max()) if finite.size else 1.0
    trace: dict[str, Any] = {
        "type": "heatmap",
        "z": numbers(values),
        "colorscale": diverging() if signed else "Cividis",
        "hoverongaps": False,
        "hovertemplate": f"%{{y}}, %{{x}}<br>%{{z:.4~g}} {plain(array.unit)}<extra></extra>",
        "colorbar": {"title": {"text": plain(array.unit), "side": "right"}, "thickness": 12, "outlinewidth": 0},
    }
    if signed:
        trace |= {"zmin": -largest, "zmax": largest}
    axes = []
    for key, known, length in (("y", rows, values.shape[0]), ("x", columns, values.shape[1])):
        if known is not None and len(known) == length:
            trace[key] = [plain(each) for each in known]
            axes.append({"type": "category", "showgrid": False, "nticks": 16, "tickfont": {"size": 10}})
        else:
            trace[key] = list(range(1, length + 1))
            axes.append({"showgrid": False})
    return Picture(
        spoken(field),
        single([trace], array.axes[1] or "number", array.axes[0] or "number", y_axis=axes[0], x_axis=axes[1]),
        array.description,
    )


def spoken(field: str) -> str:
    """Return a field's name for people, without its unit."""
    unit = unit_of(field)
    name = field.rpartition("_")[0] if unit else field
    return name.replace("_", " ")


def _titled(field: str, unit: str) -> str:
    return f"{spoken(field)} [{unit}]" if unit else spoken(field)


def _is_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(each, str) for each in value)


def _array(value: Any) -> Floats | None:
    """Make an array of lists of numbers and None; None for anything else, and for ragged ones."""
    if not isinstance(value, list | tuple) or not value:
        return None
    flat = [each for row in value for each in row] if isinstance(value[0], list | tuple) else value
    if not all(each is None or (isinstance(each, int | float) and not isinstance(each, bool)) for each in flat):
        return None
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return array if array.ndim in (1, 2) else None


def _axis(length: int, number: int, names: Mapping[str, Sequence[str]]) -> str:
    fitting = [field for field, known in names.items() if len(known) == length]
    return fitting[min(number, len(fitting) - 1)] if fitting else ""
