"""Pictures of several runs of one procedure over each other: each array of their outcomes. Pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gnomon.procedures.documents import Quantity, Run
from gnomon.procedures.registry import typed
from gnomon.services.dashboard.pictures.figure_parts import (
    BESIDE,
    MORE,
    Picture,
    X,
    Y,
    diverging,
    marked,
    numbers,
    plain,
    single,
)
from gnomon.services.dashboard.pictures.picture_context import PictureContext
from gnomon.services.dashboard.pictures.plain_pictures import arrays_of, error_of, is_error, spoken
from gnomon.services.dashboard.pictures.run_pictures import is_typed

__all__ = ["comparison_pictures"]

#: Colours and symbols of the runs, the first one of the run that others are compared with.
LOOKS = ((X, "circle"), (Y, "diamond-open"), (MORE, "square-open"), (BESIDE, "triangle-up-open"), (X, "x-thin"))
#: At most this many pictures.
MAX_PICTURES = 8


def comparison_pictures(run: Run, others: Sequence[Run], context: PictureContext) -> list[Picture]:
    """Draw each array of outcomes of all runs over each other; of maps the difference to the first of the others."""
    known = [_arrays(each) for each in (run, *others)]
    arrays, names = known[0]
    found: list[Picture] = []
    for field, array in arrays.items():
        same = [each[0].get(field) for each in known]
        if is_error(field) or array.values.size < 2 or len(found) == MAX_PICTURES:
            continue
        fitting = [
            (k, each) for k, each in enumerate(same) if each is not None and each.values.shape == array.values.shape
        ]
        if len(fitting) < 2:
            continue
        labels = names.get(array.axes[0], ())
        title = spoken(field)
        if array.values.ndim == 1:
            errors = [each[0].get(error_of(field, each[0])) for each in known]
            runs = [
                (*fitting_one, errors[fitting_one[0]], (run, *others)[fitting_one[0]].name) for fitting_one in fitting
            ]
            found.append(_over_each_other(title, runs, labels, context))
        elif array.values.ndim == 2 and array.values.shape[0] > 2:
            other = fitting[1]
            found.append(_difference(title, array, other[1], others[other[0] - 1].name, names))
    return found


def _arrays(run: Run) -> tuple[dict[str, Quantity], dict[str, tuple[str, ...]]]:
    outcome = typed(run)[2] if is_typed(run) else run.outcome
    return ({}, {}) if outcome is None else arrays_of(outcome)


def _over_each_other(
    title: str,
    runs: Sequence[tuple[int, Quantity, Quantity | None, str]],
    labels: Sequence[str],
    context: PictureContext,
) -> Picture:
    first = runs[0][1]
    at, axis = context.places.along(labels) if labels else (np.arange(1.0, first.values.size + 1), "number")
    traces = [
        marked(at, quantity.values, LOOKS[k % len(LOOKS)][0], name=name, unit=quantity.unit, labels=labels,
               errors=None if error is None else error.values, symbol=LOOKS[k % len(LOOKS)][1], size=7)
        for k, quantity, error, name in runs
    ]  # fmt: skip
    ordinate = f"{title} [{first.unit}]" if first.unit else title
    figure = single(traces, axis, ordinate, x_axis=context.places.axis(axis), height=300)
    return Picture(f"{title}, compared", figure, first.description, wide=True)


def _difference(title: str, one: Quantity, other: Quantity, name: str, names: dict[str, tuple[str, ...]]) -> Picture:
    change = one.values - other.values
    finite = np.abs(change[np.isfinite(change)])
    largest = float(finite.max()) if finite.size and finite.max() > 0.0 else 1.0
    trace: dict[str, Any] = {
        "type": "heatmap",
        "z": numbers(change),
        "x": [plain(each) for each in names.get(one.axes[1], range(1, change.shape[1] + 1))],
        "y": [plain(each) for each in names.get(one.axes[0], range(1, change.shape[0] + 1))],
        "colorscale": diverging(),
        "zmin": -largest,
        "zmax": largest,
        "hovertemplate": f"%{{y}}, %{{x}}<br>%{{z:.4~g}} {plain(one.unit)}<extra></extra>",
        "colorbar": {"title": {"text": plain(one.unit), "side": "right"}, "thickness": 12, "outlinewidth": 0},
    }
    axis = {"type": "category", "showgrid": False, "nticks": 16, "tickfont": {"size": 10}}
    figure = single(
        [trace], one.axes[1], one.axes[0], x_axis={**axis, "tickangle": -60}, y_axis={**axis, "autorange": "reversed"}
    )
    return Picture(f"{title}, difference", figure, f"this result less {name}")
