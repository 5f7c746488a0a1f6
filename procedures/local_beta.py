"""Beta functions in quadrupoles, from the tunes at changes of one gradient after the other. Pure.

A thin change g of the integrated gradient [1/m] makes cos(2 pi Q) = cos(2 pi Q0) - beta g sin(2 pi Q0) / 2, exactly;
in a magnet of some length, beta is its mean along the magnet, weighted as the gradient, and the square of g has a small
part. So the cosine is fitted, not the tune. A beam that is off the magnet's axis is kicked as well, and its orbit in
sextupoles moves the tunes: the size of the kick follows from the monitors, as in beam based alignment, and its effect
on the tunes from the model. Reference: A. Chao et al., Handbook of Accelerator Physics and Engineering, section 4.7.
"""

import numpy as np
from pydantic import Field

from gnomon.procedures.documents import Data, Floats, Outcome, Parameters, Part, quantity
from gnomon.procedures.errors import ProcedureError

__all__ = ["LocalBetaData", "LocalBetaModel", "LocalBetaOutcome", "LocalBetaParameters", "analyse"]


class LocalBetaData(Data):
    """Tunes, without their integer part, at changes of one knob after the other.

    A knob is a quadrupole that is changed alone, or a supply, of whose magnets it gives the mean. The changes of a knob
    are a loop that ends where it began: up, down through the start, and back.
    """

    knobs: tuple[str, ...] = Field(description="quadrupoles, or supplies of several")
    supplies: tuple[str, ...] = Field(description="the supply that changes each")
    change_unit: str = "A"
    knob: Floats = quantity("", "row", description="index of the knob")
    change: Floats = quantity("{change_unit}", "row", description="change of the supply's setting")
    tune_x: Floats = quantity("", "row")
    tune_y: Floats = quantity("", "row")
    monitors: tuple[str, ...] = ()
    orbit_x_mm: Floats = quantity(
        "mm", "row", "monitors", description="horizontal readings of the monitors, empty without any", optional=True
    )
    time_s: Floats = quantity("s", "row", description="time of the reading since the start of the run")


class LocalBetaModel(Part):
    """Values of the model: integrated gradients by the change of a setting, and the beta functions to compare with.

    The integrated gradient of all magnets of a knob is `gradient` d + `curvature` d^2 for a change d of the setting.
    `pattern` and `tune_by_pattern` are changes of orbit and tunes with a horizontal displacement of the quadrupole, NaN
    for a knob of several.
    """

    knobs: tuple[str, ...]
    change_unit: str = "A"
    gradient: Floats = quantity("1/m/{change_unit}", "knobs")
    curvature: Floats = quantity("1/m/{change_unit}^2", "knobs")
    s_m: Floats = quantity("m", "knobs", description="centre of the magnet; of several, of the first one")
    beta_x_m: Floats = quantity("m", "knobs", description="mean along the magnets of the knob")
    beta_y_m: Floats = quantity("m", "knobs", description="mean along the magnets of the knob")
    pattern: Floats = quantity("", "knobs", "monitors", description="horizontal reading by displacement", optional=True)
    tune_by_pattern: Floats = quantity("1/mm", "plane", "knobs", description="tune by displacement", optional=True)
    source: str = ""


class LocalBetaParameters(Parameters):
    """Parameters of the analysis, with what is known of the machine's errors (standard deviations)."""

    model: LocalBetaModel
    tune_resolution: float = Field(default=0.0, description="smallest step of a tune that the meter shows")
    gradient_error: float = Field(default=2e-3, description="relative, of the gradient by the change of a setting")
    orbit_error: float = Field(
        default=0.3, description="relative, of what the orbit in sextupoles adds to a beta function"
    )
    orbit_error_m: float = Field(default=5e-3, description="of the same where it is not known [m]")
    coupling: float = Field(
        default=2e-3, description="part of the other plane's beta function that coupling adds or takes away"
    )


class LocalBetaOutcome(Outcome):
    """Mean beta functions in the knobs' magnets with standard deviations, and those of the model."""

    knobs: tuple[str, ...]
    change_unit: str = "A"
    s_m: Floats = quantity("m", "knobs", description="centre of the magnet; of several, of the first one")
    beta_x_m: Floats = quantity("m", "knobs")
    beta_y_m: Floats = quantity("m", "knobs")
    beta_x_error_m: Floats = quantity("m", "knobs")
    beta_y_error_m: Floats = quantity("m", "knobs")
    model_x_m: Floats = quantity("m", "knobs")
    model_y_m: Floats = quantity("m", "knobs")
    beating_x: Floats = quantity("", "knobs", description="beta over that of the model, less 1")
    beating_y: Floats = quantity("", "knobs", description="beta over that of the model, less 1")
    orbit_part: Floats = quantity(
        "m", "plane", "knobs", description="part of the orbit in sextupoles, which has been taken away"
    )
    tune_change: Floats = quantity("", "plane", "knobs", description="largest change of the tune that was made")
    tune_left: Floats = quantity(
        "", "plane", "knobs", description="tune at the end less at the beginning, both at the first setting"
    )
    noise: Floats = quantity("", "plane", description="noise of one tune, from all residuals")


def analyse(data: LocalBetaData, parameters: LocalBetaParameters) -> LocalBetaOutcome:
    """Fit cos(2 pi Q) by the integrated gradient, its square, and time. Raises ProcedureError for too few settings."""
    model, count = parameters.model, len(data.knobs)
    if data.knobs != model.knobs:
        raise ProcedureError("the model's quadrupoles are not those of the data")
    slope, spread = np.full((2, count), np.nan), np.full((2, count), np.nan)
    sine, moved, behind = np.full((2, count), np.nan), np.full((2, count), np.nan), np.full((2, count), np.nan)
    per_gradient = np.zeros((2, count))
    squares, freedom = np.zeros(2), 0
    for number, name in enumerate(data.knobs):
        rows = np.flatnonzero(data.knob == number)
        change = data.change[rows]
        if np.unique(change).size < 3:
            raise ProcedureError(f"{name}: its gradient needs three different settings, better five")
        gradient = model.gradient[number] * change + model.curvature[number] * change**2
        design = np.column_stack((np.ones(rows.size), gradient, gradient**2, data.time_s[rows]))
        if rows.size < 5:  # too few to see a drift
            design = design[:, :3]
        design[:, 2:] -= design[:, 2:].mean(axis=0)
        scale = np.abs(design).max(axis=0)
        scale[scale == 0.0] = 1.0
        inverse = np.linalg.pinv((design / scale).T @ (design / scale)) / np.outer(scale, scale)
        if data.orbit_x_mm.size and model.pattern.size:
            orbit = (inverse @ design.T @ data.orbit_x_mm[rows])[1]
            per_gradient[:, number] = model.tune_by_pattern[:, number] * _displacement(model.pattern[number], orbit)
        freedom += rows.size - np.linalg.matrix_rank(design / scale)
        for plane, tunes in enumerate((data.tune_x[rows], data.tune_y[rows])):
            seen = np.cos(2.0 * np.pi * tunes)
            found = inverse @ design.T @ seen
            base = tunes[change == 0.0] if (change == 0.0).any() else tunes
            sine[plane, number] = np.sin(2.0 * np.pi * base.mean())
            squares[plane] += (((seen - design @ found) / (2.0 * np.pi * sine[plane, number])) ** 2).sum()
            slope[plane, number] = found[1]
            spread[plane, number] = np.sqrt(inverse[1, 1])
            moved[plane, number] = np.abs(tunes - base[0]).max()
            behind[plane, number] = base[-1] - base[0]
    noise = np.sqrt(squares / max(freedom, 1)) if freedom else np.full(2, np.nan)
    noise = np.fmax(noise, parameters.tune_resolution / np.sqrt(12.0))
    signs = np.array([[-1.0], [1.0]])  # a gradient that focuses in x defocuses in y
    part = np.nan_to_num(-signs * 4.0 * np.pi * per_gradient)
    beta = signs * 2.0 * slope / sine - part
    known = (parameters.gradient_error * beta) ** 2 + (parameters.coupling * beta[::-1]) ** 2
    known = known + (parameters.orbit_error * part) ** 2
    error = np.sqrt((4.0 * np.pi * noise[:, None] * spread) ** 2 + known + parameters.orbit_error_m**2)
    return LocalBetaOutcome(
        knobs=data.knobs,
        change_unit=data.change_unit,
        s_m=model.s_m,
        beta_x_m=beta[0],
        beta_y_m=beta[1],
        beta_x_error_m=error[0],
        beta_y_error_m=error[1],
        model_x_m=model.beta_x_m,
        model_y_m=model.beta_y_m,
        beating_x=beta[0] / model.beta_x_m - 1.0,
        beating_y=beta[1] / model.beta_y_m - 1.0,
        orbit_part=part,
        tune_change=moved,
        tune_left=behind,
        noise=noise,
    )


def _displacement(pattern: Floats, orbit: Floats) -> float:
    """Fit the displacement of the quadrupole that moves the orbit as its gradient did; NaN without monitors."""
    seen = np.isfinite(pattern) & np.isfinite(orbit)
    square = float(pattern[seen] @ pattern[seen])
    return float(pattern[seen] @ orbit[seen]) / square if square > 0.0 else np.nan
