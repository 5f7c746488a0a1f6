"""Response of the tunes to power supplies, from tunes at several settings. Pure."""

import numpy as np

from gnomon.procedures.documents import Data, Floats, Outcome, Parameters, quantity
from gnomon.procedures.linear_fit import SCATTER, fit_slopes

__all__ = ["TuneResponseData", "TuneResponseOutcome", "TuneResponseParameters", "analyse"]


class TuneResponseData(Data):
    """Tunes, without their integer part, at settings of power supplies; rows of a group share a base."""

    supplies: tuple[str, ...]
    setting_unit: str = "A"
    settings: Floats = quantity("{setting_unit}", "row", "supplies")
    group: Floats = quantity("", "row", description="number of the group; one supply at a time has a group each")
    tune_x: Floats = quantity("", "row")
    tune_y: Floats = quantity("", "row")
    time_s: Floats = quantity("s", "row", description="time of the reading since the start of the run")


class TuneResponseParameters(Parameters):
    """Parameters of the analysis."""

    curvature: bool = False
    noise: float | None = None


class TuneResponseOutcome(Outcome):
    """Change of the tunes, x and y, per unit of setting, with standard deviations."""

    supplies: tuple[str, ...]
    setting_unit: str
    tune: Floats = quantity("1/{setting_unit}", "plane", "supplies")
    tune_error: Floats = quantity("1/{setting_unit}", "plane", "supplies")
    noise: Floats = quantity("", "plane", description=SCATTER)


def analyse(data: TuneResponseData, parameters: TuneResponseParameters) -> TuneResponseOutcome:
    """Fit the response of the tunes to each supply by least squares. Raises ProcedureError."""
    fit = fit_slopes(
        data.settings,
        data.group,
        np.column_stack((data.tune_x, data.tune_y)),
        curvature=parameters.curvature,
        noise=parameters.noise,
    )
    return TuneResponseOutcome(
        supplies=data.supplies,
        setting_unit=data.setting_unit,
        tune=fit.slopes,
        tune_error=fit.errors,
        noise=fit.noise,
    )
