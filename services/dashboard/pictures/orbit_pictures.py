"""Pictures of orbits around the ring: dispersion, orbit correction, closed bump. Pure."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.procedures.closed_bump import ClosedBumpData, ClosedBumpOutcome, ClosedBumpParameters
from gnomon.procedures.dispersion import DispersionData, DispersionOutcome, DispersionParameters
from gnomon.procedures.orbit_correction import (
    OrbitCorrectionData,
    OrbitCorrectionOutcome,
    OrbitCorrectionParameters,
)
from gnomon.services.dashboard.pictures.figure_parts import BESIDE, INK, Panel, Picture, X, Y, marked, single, stacked
from gnomon.services.dashboard.pictures.picture_context import PictureContext
from gnomon.services.dashboard.pictures.setting_pictures import setting_picture

__all__ = ["bump_pictures", "dispersion_pictures", "orbit_correction_pictures"]

Floats = NDArray[np.float64]


def dispersion_pictures(
    data: DispersionData, parameters: DispersionParameters, outcome: DispersionOutcome, context: PictureContext
) -> list[Picture]:
    """Draw the dispersion around the ring over the model's, and what is left between the two."""
    at, title = context.places.along(outcome.monitors)
    model, beside = context.dispersion(outcome.monitors), context.beside_outcome
    curve = context.dispersion_curve() if title == "s [m]" else None
    panels, residuals = [], []
    for row, (plane, colour) in enumerate(zip("xy", (X, Y), strict=True)):
        values, errors = getattr(outcome, f"{plane}_m"), getattr(outcome, f"{plane}_error_m")
        traces = []
        if curve is not None:
            name = context.model_name if row == 0 else ""
            traces.append(marked(curve[0], curve[1][row], INK, name=name, unit="m", mode="lines", width=1.0))
        if model is not None:
            change = values - model[row]
            residuals.append(
                Panel(
                    f"Δη{plane} [mm]",
                    (marked(at, 1e3 * change, colour, errors=1e3 * errors, labels=outcome.monitors, unit="mm"),),
                    zero=True,
                )
            )
        if isinstance(beside, DispersionOutcome) and beside.monitors == outcome.monitors:
            assert context.beside is not None
            traces.append(
                marked(at, getattr(beside, f"{plane}_m"), BESIDE, name=context.beside.name if row == 0 else "",
                       unit="m", labels=outcome.monitors, symbol="circle-open")
            )  # fmt: skip
        traces.append(
            marked(at, values, colour, name="measured" if row == 0 and traces else "", unit="m", errors=errors,
                   labels=outcome.monitors)
        )  # fmt: skip
        panels.append(Panel(f"η{plane} [m]", tuple(traces), zero=True))
    axis = context.places.axis(title)
    found = [Picture("Dispersion", stacked(panels, title, x_axis=axis), "at the monitors around the ring", wide=True)]
    if residuals:
        text = f"measured less {context.model_name}"
        found.append(Picture("Difference to the model", stacked(residuals, title, x_axis=axis, height=150), text, True))
    return found


def orbit_correction_pictures(
    data: OrbitCorrectionData,
    parameters: OrbitCorrectionParameters,
    outcome: OrbitCorrectionOutcome,
    context: PictureContext,
) -> list[Picture]:
    """Draw the orbit before, and as expected after; the steerers against their limits; the directions used."""
    at, title = context.places.along(outcome.monitors)
    panels = []
    for row, (plane, colour) in enumerate(zip("xy", (X, Y), strict=True)):
        before, after = getattr(data, f"{plane}_mm"), getattr(outcome, f"expected_{plane}_mm")
        names = ("before", "expected after") if row == 0 else ("", "")
        labels = outcome.monitors
        panels.append(
            Panel(
                f"{plane} [mm]",
                (
                    marked(at, before, INK, name=names[0], unit="mm", labels=labels, mode="lines+markers", size=5,
                           symbol="circle-open"),
                    marked(at, after, colour, name=names[1], unit="mm", labels=labels, mode="lines+markers", size=5),
                ),
                zero=True,
            )
        )  # fmt: skip
    text = ", ".join(
        f"rms {plane} {1e3 * before:.3g} µm, expected {1e3 * after:.3g} µm"
        for plane, before, after in zip("xy", outcome.rms_before_mm, outcome.rms_expected_mm, strict=True)
    )
    found = [
        Picture("Orbit", stacked(panels, title, x_axis=context.places.axis(title)), text, wide=True),
        setting_picture(
            "Steerers against their limits",
            outcome.steerers, outcome.setting_unit, data.settings, outcome.proposed, data.low, data.high,
            context.places, outcome.change_errors,
        ),
    ]  # fmt: skip
    sizes = outcome.singular_values
    if sizes.size > 1:
        number = np.arange(1.0, sizes.size + 1)
        used = number <= outcome.directions
        traces = [
            marked(number[kept], sizes[kept] / sizes[0], colour, name=name, symbol=symbol, size=5)
            for kept, colour, name, symbol in ((used, X, "used", "circle"), (~used, INK, "left out", "circle-open"))
            if kept.any()
        ]
        axis = {"type": "log", "exponentformat": "power", "dtick": 1, "tickfont": {"size": 11}}
        figure = single(traces, "direction (number)", "singular value / largest", y_axis=axis)
        found.append(Picture("Directions", figure, f"{outcome.directions} of {sizes.size} are used"))
    return found


def bump_pictures(
    data: ClosedBumpData, parameters: ClosedBumpParameters, outcome: ClosedBumpOutcome, context: PictureContext
) -> list[Picture]:
    """Draw the change of the orbit, expected and measured, and what leaks out of the bump."""
    at, title = context.places.along(outcome.monitors)
    axis, labels = context.places.axis(title), outcome.monitors
    outside = data.outside > 0.0
    measured = bool(np.nanmax(np.abs(data.measured_mm)) > 0.0)
    traces: list[Any] = [
        marked(at, outcome.expected_mm, INK, name="expected", unit="mm", labels=labels, mode="lines", dash="dot")
    ]
    leaks: list[Any] = []
    curves = [("expected", outcome.expected_mm, INK, "circle-open")]
    if measured:
        traces.append(
            marked(at, data.measured_mm, X, name="measured", unit="mm", labels=labels, mode="lines+markers", size=5)
        )
        curves.append(("measured", data.measured_mm, X, "circle"))
    for name, values, colour, symbol in curves:
        shown = [label for label, kept in zip(labels, outside, strict=True) if kept]
        leaks.append(
            marked(at[outside], 1e3 * values[outside], colour, name=name, unit="µm", labels=shown, symbol=symbol)
        )
    told = f"leak expected {100 * outcome.leak:.2f} %"
    if measured:
        told += f", measured {100 * outcome.measured_leak:.2f} %"
    return [
        Picture(
            "Change of the orbit",
            stacked([Panel("change [mm]", tuple(traces), zero=True)], title, x_axis=axis, height=280), told, wide=True,
        ),
        Picture(
            "Leak: monitors outside the bump",
            stacked([Panel("change [µm]", tuple(leaks), zero=True)], title, x_axis=axis, height=220), told, wide=True,
        ),
        setting_picture(
            "Steerers against their limits",
            outcome.steerers, outcome.setting_unit, data.settings, outcome.proposed, data.low, data.high,
            context.places, None,
        ),
    ]  # fmt: skip
