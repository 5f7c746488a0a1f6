"""Pictures of orbit responses: maps of monitors and steerers, measured, by the model, and their difference. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gnomon.procedures.orbit_response import OrbitResponseData, OrbitResponseOutcome, OrbitResponseParameters
from gnomon.services.dashboard.pictures.figure_parts import (
    Figure,
    Panel,
    Picture,
    X,
    Y,
    diverging,
    marked,
    numbers,
    plain,
    single,
    stacked,
)
from gnomon.services.dashboard.pictures.picture_context import PictureContext

__all__ = ["orbit_response_pictures", "response_map"]

Floats = NDArray[np.float64]

#: The scale of a map ends at this quantile of the absolute values, so that one wrong value does not hide the others.
QUANTILE = 0.995
PLANES = ("horizontal", "vertical")


def response_map(values: Floats, monitors: Sequence[str], steerers: Sequence[str], unit: str) -> Figure:
    """Draw a matrix (monitors, steerers); zero has the colour of the paper."""
    finite = np.abs(values[np.isfinite(values)])
    largest = float(np.quantile(finite, QUANTILE)) if finite.size else 0.0
    trace: Figure = {
        "type": "heatmap",
        "z": numbers(values),
        "x": [plain(name) for name in steerers],
        "y": [plain(name) for name in monitors],
        "colorscale": diverging(),
        "zmin": -(largest or 1.0),
        "zmax": largest or 1.0,
        "hoverongaps": False,
        "hovertemplate": f"%{{y}} by %{{x}}<br>%{{z:.4~g}} {plain(unit)}<extra></extra>",
        "colorbar": {
            "title": {"text": plain(unit), "side": "right"},
            "thickness": 12,
            "outlinewidth": 0,
            "exponentformat": "power",
        },
    }
    category = {"type": "category", "showgrid": False, "tickfont": {"size": 10}}
    return single(
        [trace],
        "steerer",
        "monitor",
        x_axis={**category, "tickangle": -60, "nticks": 16},
        y_axis={**category, "autorange": "reversed", "nticks": 18},
        height=430,
    )


def orbit_response_pictures(
    data: OrbitResponseData,
    parameters: OrbitResponseParameters,
    outcome: OrbitResponseOutcome,
    context: PictureContext,
) -> list[Picture]:
    """Draw each plane's matrix, the model's, and the difference; then what a reading scatters at each monitor."""
    unit = f"mm/{outcome.setting_unit}"
    order = _by_plane(outcome)
    names = outcome.monitors, [outcome.steerers[column] for column in order]
    model = context.response(outcome.steerers, outcome.monitors)
    found = []
    for row, plane in enumerate(PLANES):
        values = (outcome.x, outcome.y)[row]
        about = f"{len(outcome.monitors)} monitors by {len(outcome.steerers)} steerers, as a map"
        found.append(Picture(f"Measured, {plane}", response_map(values[:, order], *names, unit), about))
        if model is not None:
            drawn = response_map(model[row][:, order], *names, unit)
            found.append(Picture(f"{context.model_name.capitalize()}, {plane}", drawn, about))
            change = values - model[row]
            text = f"measured less {context.model_name}, rms {np.sqrt(np.nanmean(change**2)):.3g} {unit}"
            found.append(Picture(f"Difference, {plane}", response_map(change[:, order], *names, unit), text))
    return [*found, *_noise(outcome, context)]


def _by_plane(outcome: OrbitResponseOutcome) -> list[int]:
    """Order the steerers by the plane that they move most, and then along the beam: coupling stands in blocks."""
    sizes = [np.nansum(values**2, axis=0) for values in (outcome.x, outcome.y)]
    vertical = sizes[1] > sizes[0]
    return [*np.flatnonzero(~vertical).tolist(), *np.flatnonzero(vertical).tolist()]


def _noise(outcome: OrbitResponseOutcome, context: PictureContext) -> list[Picture]:
    at, title = context.places.along(outcome.monitors)
    noise = (outcome.noise_x_mm, outcome.noise_y_mm)
    if not any(np.isfinite(each).any() for each in noise):
        return []
    panels = [
        Panel(
            f"{plane} [µm]",
            (marked(at, 1e3 * values, colour, labels=outcome.monitors, unit="µm"),),
            axis={"rangemode": "tozero"},
        )
        for plane, values, colour in zip("xy", noise, (X, Y), strict=True)
    ]
    figure = stacked(panels, title, x_axis=context.places.axis(title), height=140)
    about = "by monitor: noise, and what the fit leaves out"
    return [Picture("Scatter of one reading about the fit", figure, about, wide=True)]
