"""Pictures of optics: fitted beating, gradients, gains and rolls; beating before and after a correction. Pure."""

import numpy as np
from numpy.typing import NDArray

from gnomon.procedures.local_beta import LocalBetaData, LocalBetaOutcome, LocalBetaParameters
from gnomon.procedures.optics_correction import (
    OpticsCorrectionData,
    OpticsCorrectionOutcome,
    OpticsCorrectionParameters,
)
from gnomon.procedures.optics_fit import OpticsFitData, OpticsFitOutcome, OpticsFitParameters
from gnomon.services.dashboard.pictures.figure_parts import BESIDE, INK, MORE, Panel, Picture, X, Y, marked, stacked
from gnomon.services.dashboard.pictures.picture_context import PictureContext
from gnomon.services.dashboard.pictures.setting_pictures import FEW, setting_picture

__all__ = ["local_beta_pictures", "optics_correction_pictures", "optics_fit_pictures"]

Floats = NDArray[np.float64]


def optics_fit_pictures(
    data: OpticsFitData, parameters: OpticsFitParameters, outcome: OpticsFitOutcome, context: PictureContext
) -> list[Picture]:
    """Draw the fitted beating, gradients, skews, and what monitors and steerers show or give too much."""
    beside = context.beside_outcome
    old = beside if isinstance(beside, OpticsFitOutcome) and beside.monitors == outcome.monitors else None
    at, title = context.places.along(outcome.monitors)
    panels = []
    for row, (plane, colour) in enumerate(zip("xy", (X, Y), strict=True)):
        traces = []
        if old is not None:
            assert context.beside is not None
            traces.append(
                marked(at, 100.0 * old.beating[row], BESIDE, name=context.beside.name if row == 0 else "", unit="%",
                       labels=outcome.monitors, symbol="circle-open")
            )  # fmt: skip
        traces.append(
            marked(at, 100.0 * outcome.beating[row], colour, errors=100.0 * outcome.beating_error[row], unit="%",
                   labels=outcome.monitors, mode="lines+markers", size=5)
        )  # fmt: skip
        panels.append(Panel(f"Δβ{plane}/β{plane} [%]", tuple(traces), zero=True))
    rms = 100.0 * np.sqrt(np.nanmean(outcome.beating**2, axis=1))
    told = f"rms {rms[0]:.3g} % in x, {rms[1]:.3g} % in y; residual {outcome.residual:.3g} of the errors of readings"
    found = [Picture("Beta beating", stacked(panels, title, x_axis=context.places.axis(title)), told, wide=True)]
    found.append(_gradients(outcome, context))
    found.append(_gains(outcome, context))
    return found


def _gradients(outcome: OpticsFitOutcome, context: PictureContext) -> Picture:
    at, title = context.places.along(outcome.knobs)
    skew_at, skew_title = context.places.along(outcome.quadrupoles)
    gradient = marked(
        at, 100.0 * outcome.gradient, X, errors=100.0 * outcome.gradient_error, unit="%", labels=outcome.knobs
    )
    panels = [Panel("Δk₁/k₁ [%]", (gradient,), zero=True)]
    if skew_title == title:
        trace = marked(
            skew_at,
            1e3 * outcome.skew,
            MORE,
            errors=1e3 * outcome.skew_error,
            unit="10⁻³ m⁻²",
            labels=outcome.quadrupoles,
        )
        panels.append(Panel("skew [10⁻³ m⁻²]", (trace,), zero=True))
    figure = stacked(panels, title, x_axis=context.places.axis(title))
    return Picture("Gradients", figure, f"{len(outcome.knobs)} fitted gradients", wide=True)


def _gains(outcome: OpticsFitOutcome, context: PictureContext) -> Picture:
    at, title = context.places.along(outcome.monitors)
    steerers_at, steerers_title = context.places.along(outcome.steerers)
    monitors = tuple(
        marked(at, 100.0 * (outcome.monitor_gain[row] - 1.0), colour, name=f"monitors {plane}", unit="%",
               errors=100.0 * outcome.monitor_gain_error[row], labels=outcome.monitors, size=5)
        for row, (plane, colour) in enumerate(zip("xy", (X, Y), strict=True))
    )  # fmt: skip
    rolls = [
        marked(at, 1e3 * outcome.monitor_roll, X, unit="mrad", errors=1e3 * outcome.monitor_roll_error,
               labels=outcome.monitors, size=5)
    ]  # fmt: skip
    panels = [Panel("gain less 1 [%]", monitors, zero=True)]
    if steerers_title == title:
        gain = marked(
            steerers_at, 100.0 * (outcome.steerer_gain - 1.0), MORE, name="steerers", unit="%",
            errors=100.0 * outcome.steerer_gain_error, labels=outcome.steerers, symbol="diamond-open", size=6,
        )  # fmt: skip
        panels = [Panel("gain less 1 [%]", (*monitors, gain), zero=True)]
        rolls.append(
            marked(steerers_at, 1e3 * outcome.steerer_roll, MORE, unit="mrad", symbol="diamond-open", size=6,
                   errors=1e3 * outcome.steerer_roll_error, labels=outcome.steerers)
        )  # fmt: skip
    panels.append(Panel("roll [mrad]", tuple(rolls), zero=True))
    figure = stacked(panels, title, x_axis=context.places.axis(title))
    return Picture("Gains and rolls", figure, "of monitors and steerers", wide=True)


def optics_correction_pictures(
    data: OpticsCorrectionData,
    parameters: OpticsCorrectionParameters,
    outcome: OpticsCorrectionOutcome,
    context: PictureContext,
) -> list[Picture]:
    """Draw the beating before and as expected after, and the supplies against their limits."""
    at, title = context.places.along(data.monitors)
    after = data.beating + data.response @ outcome.changes
    panels = []
    for row, (plane, colour) in enumerate(zip("xy", (X, Y), strict=True)):
        names = ("before", "expected after") if row == 0 else ("", "")
        traces = (
            marked(at, 100.0 * data.present[row], INK, name=names[0], unit="%", labels=data.monitors, size=5,
                   mode="lines+markers", symbol="circle-open"),
            marked(at, 100.0 * after[row], colour, name=names[1], unit="%", labels=data.monitors, size=5,
                   mode="lines+markers"),
        )  # fmt: skip
        panels.append(Panel(f"Δβ{plane}/β{plane} [%]", traces, zero=True))
    told = ", ".join(
        f"{plane} {100 * before:.3g} % rms, expected {100 * expected:.3g} %"
        for plane, before, expected in zip("xy", outcome.beating_before, outcome.beating_expected, strict=True)
    )
    return [
        Picture("Beta beating", stacked(panels, title, x_axis=context.places.axis(title)), told, wide=True),
        setting_picture(
            "Power supplies against their limits",
            outcome.supplies, outcome.setting_unit, data.settings, outcome.proposed, data.low, data.high,
            context.places, outcome.change_errors,
        ),
    ]  # fmt: skip


def local_beta_pictures(
    data: LocalBetaData, parameters: LocalBetaParameters, outcome: LocalBetaOutcome, context: PictureContext
) -> list[Picture]:
    """Draw beta in the scanned magnets beside the model's, and the beating."""
    names, beside = outcome.knobs, context.beside_outcome
    few = len(names) <= FEW
    at: Floats | list[str] = list(names) if few else outcome.s_m
    title = "quadrupole or power supply" if few else "s [m]"
    axis = {"type": "category", "tickangle": -60} if few else context.places.axis(title)
    betas, beatings = [], []
    for row, (plane, colour) in enumerate(zip("xy", (X, Y), strict=True)):
        value, error = getattr(outcome, f"beta_{plane}_m"), getattr(outcome, f"beta_{plane}_error_m")
        model = getattr(outcome, f"model_{plane}_m")
        traces = [
            marked(at, model, INK, name="model" if row == 0 else "", unit="m", labels=names, symbol="line-ew", size=14)
        ]
        if isinstance(beside, LocalBetaOutcome) and beside.knobs == names:
            assert context.beside is not None
            traces.append(
                marked(at, getattr(beside, f"beta_{plane}_m"), BESIDE, name=context.beside.name if row == 0 else "",
                       unit="m", labels=names, symbol="circle-open", size=8)
            )  # fmt: skip
        traces.append(
            marked(at, value, colour, name="measured" if row == 0 else "", unit="m", errors=error, labels=names, size=7)
        )
        betas.append(Panel(f"β{plane} [m]", tuple(traces), axis={"rangemode": "tozero"}))
        beating, errors = 100.0 * getattr(outcome, f"beating_{plane}"), 100.0 * error / model
        shown = marked(at, beating, colour, unit="%", errors=errors, labels=names)
        beatings.append(Panel(f"Δβ{plane}/β{plane} [%]", (shown,), zero=True))
    told = f"{len(names)} scans; scatter of a tune about the fit {np.nanmean(outcome.noise):.2g}"
    return [
        Picture("Beta in quadrupoles", stacked(betas, title, x_axis=axis), told, wide=True),
        Picture("Measured over model, less 1", stacked(beatings, title, x_axis=axis), wide=True),
    ]
