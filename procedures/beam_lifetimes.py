"""Lifetime of the stored beam, from its current over time. Pure."""

import numpy as np
from pydantic import Field

from gnomon.procedures.documents import Data, Floats, Number, Outcome, Parameters, quantity
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.loss_rates import fit_loss_rate, lifetime_h

__all__ = ["LifetimeData", "LifetimeOutcome", "LifetimeParameters", "analyse"]


class LifetimeData(Data):
    """Readings of the current in their order; `shown_h` is the lifetime that the machine shows, NaN if it does not."""

    time_s: Floats = quantity("s", "row", description="time stamp of the reading since the first one")
    current_ma: Floats = quantity("mA", "row", description="current of the stored beam")
    shown_h: Floats = quantity("h", "row", description="lifetime that the machine shows")


class LifetimeParameters(Parameters):
    """Parameters of the analysis."""

    resolution_ma: float = Field(default=0.0, description="smallest step of the current that the monitor shows")


class LifetimeOutcome(Outcome):
    """Lifetime at the mean current, with standard deviations; NaN if the current did not fall."""

    lifetime_h: Number
    lifetime_error_h: Number
    lowest_h: Number = Field(description="the lifetime is not shorter: two standard deviations of the rate")
    rate: float = Field(description="-d(ln I)/dt [1/s]")
    rate_error: Number
    current_ma: float = Field(description="mean of the current")
    noise_ma: Number = Field(description="noise of one reading")
    duration_s: float
    injections: int = Field(description="injections, which are cut out")
    shown_h: Number = Field(description="mean of the lifetime that the machine shows; NaN if it does not")
    fitted_ma: Floats = quantity("mA", "row", description="current of the fit")


def analyse(data: LifetimeData, parameters: LifetimeParameters) -> LifetimeOutcome:
    """Fit the rate of losses. Raises ProcedureError without two readings of a stored beam."""
    found = fit_loss_rate(data.time_s, data.current_ma, parameters.resolution_ma)
    if not np.isfinite(found.rate):
        raise ProcedureError("there are not two readings of a stored beam between injections: no lifetime")
    lifetime, error, lowest = lifetime_h(found.rate, found.error)
    shown = data.shown_h[np.isfinite(data.shown_h)]
    return LifetimeOutcome(
        lifetime_h=lifetime,
        lifetime_error_h=error,
        lowest_h=lowest,
        rate=found.rate,
        rate_error=found.error,
        current_ma=found.current_ma,
        noise_ma=found.noise_ma,
        duration_s=float(np.ptp(data.time_s)),
        injections=found.injections,
        shown_h=float(shown.mean()) if shown.size else np.nan,
        fitted_ma=found.fitted_ma,
    )
