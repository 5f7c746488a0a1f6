"""Chromaticity of first and second order, from tunes at several RF frequencies. Pure."""

import numpy as np
from pydantic import Field

from gnomon.procedures.documents import Data, Floats, Outcome, Parameters, quantity
from gnomon.procedures.momentum import Momentum

__all__ = ["ChromaticityData", "ChromaticityOutcome", "ChromaticityParameters", "analyse"]


class ChromaticityData(Data):
    """Tunes, without their integer part, at RF frequencies."""

    rf_hz: Floats = quantity("Hz", "row")
    tune_x: Floats = quantity("", "row")
    tune_y: Floats = quantity("", "row")
    time_s: Floats = quantity("s", "row", description="time of the reading since the start of the run")


class ChromaticityParameters(Parameters):
    """Parameters of the analysis: the momentum deviation by RF frequency, and the degree of the polynomial."""

    momentum: Momentum
    degree: int = 3


class ChromaticityOutcome(Outcome):
    """Derivatives of the tunes with respect to the momentum deviation, at that of `Momentum.rf_hz`; x, then y."""

    tune: Floats = quantity("", "plane")
    tune_error: Floats = quantity("", "plane")
    chromaticity: Floats = quantity("", "plane", description="dQ/ddelta")
    chromaticity_error: Floats = quantity("", "plane")
    second: Floats = quantity("", "plane", description="second derivative of the tune; NaN if not fitted")
    second_error: Floats = quantity("", "plane")
    noise: Floats = quantity("", "plane", description="noise of one tune about the polynomial")
    momentum_span: float
    scale_error: float = Field(description="standard deviation of a common factor, from the momentum compaction")


def analyse(data: ChromaticityData, parameters: ChromaticityParameters) -> ChromaticityOutcome:
    """Fit polynomials of the momentum deviation to the tunes. Raises ProcedureError for too few frequencies."""
    tunes = np.column_stack((data.tune_x, data.tune_y))
    found, errors, noise, span = parameters.momentum.fit(data.rf_hz, tunes, parameters.degree)
    missing = np.full(2, np.nan)
    return ChromaticityOutcome(
        tune=found[0],
        tune_error=errors[0],
        chromaticity=found[1],
        chromaticity_error=errors[1],
        second=2.0 * found[2] if parameters.degree > 1 else missing,
        second_error=2.0 * errors[2] if parameters.degree > 1 else missing,
        noise=noise,
        momentum_span=span,
        scale_error=parameters.momentum.relative_error,
    )
