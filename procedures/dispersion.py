"""Dispersion at the monitors, from orbits at several RF frequencies. Pure."""

import numpy as np
from pydantic import Field

from gnomon.procedures.documents import Data, Floats, Outcome, Parameters, quantity
from gnomon.procedures.linear_fit import fit_polynomials
from gnomon.procedures.momentum import Momentum

__all__ = ["DispersionData", "DispersionOutcome", "DispersionParameters", "analyse"]


class DispersionData(Data):
    """Orbits at RF frequencies."""

    monitors: tuple[str, ...]
    rf_hz: Floats = quantity("Hz", "row")
    x_mm: Floats = quantity("mm", "row", "monitors")
    y_mm: Floats = quantity("mm", "row", "monitors")
    time_s: Floats = quantity("s", "row", description="time of the reading since the start of the run")


class DispersionParameters(Parameters):
    """Parameters of the analysis. Gains of the monitors, where they are known, are divided out."""

    momentum: Momentum
    degree: int = 2
    gain_x: Floats | None = None
    gain_y: Floats | None = None


class DispersionOutcome(Outcome):
    """Dispersion and its change with the momentum deviation, at that of `Momentum.rf_hz`, with standard deviations."""

    monitors: tuple[str, ...]
    x_m: Floats = quantity("m", "monitors", description="dispersion, horizontal")
    y_m: Floats = quantity("m", "monitors", description="dispersion, vertical")
    x_error_m: Floats = quantity("m", "monitors")
    y_error_m: Floats = quantity("m", "monitors")
    second_x_m: Floats = quantity(
        "m", "monitors", description="half the second derivative of the orbit; NaN if not fitted"
    )
    second_y_m: Floats = quantity(
        "m", "monitors", description="half the second derivative of the orbit; NaN if not fitted"
    )
    x_per_khz: Floats = quantity("mm/kHz", "monitors", description="change of the readings with the RF frequency")
    y_per_khz: Floats = quantity("mm/kHz", "monitors", description="change of the readings with the RF frequency")
    momentum_span: float
    scale_error: float = Field(description="standard deviation of a common factor, from the momentum compaction")


def analyse(data: DispersionData, parameters: DispersionParameters) -> DispersionOutcome:
    """Fit polynomials of the momentum deviation to the readings. Raises ProcedureError for too few frequencies."""
    count = len(data.monitors)
    gains = [np.ones(count) if gain is None else gain for gain in (parameters.gain_x, parameters.gain_y)]
    readings = np.hstack((data.x_mm / gains[0], data.y_mm / gains[1]))
    found, errors, _, span = parameters.momentum.fit(data.rf_hz, readings, parameters.degree)
    per_khz = fit_polynomials(1e-3 * (data.rf_hz - parameters.momentum.rf_hz), readings, parameters.degree)[0][1]
    second = 1e-3 * found[2] if parameters.degree > 1 else np.full(2 * count, np.nan)
    return DispersionOutcome(
        monitors=data.monitors,
        x_m=1e-3 * found[1, :count],
        y_m=1e-3 * found[1, count:],
        x_error_m=1e-3 * errors[1, :count],
        y_error_m=1e-3 * errors[1, count:],
        second_x_m=second[:count],
        second_y_m=second[count:],
        x_per_khz=per_khz[:count],
        y_per_khz=per_khz[count:],
        momentum_span=span,
        scale_error=parameters.momentum.relative_error,
    )
