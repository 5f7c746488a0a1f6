"""Orbit response matrix from measured orbits: steerers one at a time, or several at different frequencies. Pure."""

import numpy as np

from gnomon.procedures.documents import Data, Floats, Outcome, Parameters, quantity
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.linear_fit import SCATTER, fit_slopes

__all__ = ["OrbitResponseData", "OrbitResponseOutcome", "OrbitResponseParameters", "analyse", "together"]


class OrbitResponseData(Data):
    """Orbits at settings of steerers. Rows of a group share a base orbit: drifts between groups do not count."""

    steerers: tuple[str, ...]
    setting_unit: str = "A"
    monitors: tuple[str, ...]
    settings: Floats = quantity("{setting_unit}", "row", "steerers")
    group: Floats = quantity("", "row", description="number of the group; one steerer at a time has a group each")
    x_mm: Floats = quantity("mm", "row", "monitors")
    y_mm: Floats = quantity("mm", "row", "monitors")
    time_s: Floats = quantity("s", "row", description="time of the reading since the start of the run")


class OrbitResponseParameters(Parameters):
    """Parameters of the analysis.

    `curvature`: fit the square of a steerer that moves alone as well, which sextupoles cause; `noise_mm`: noise of a
    reading, where the data have too few rows to tell.
    """

    curvature: bool = True
    noise_mm: float | None = None


class OrbitResponseOutcome(Outcome):
    """Change of the readings per unit of setting, with standard deviations; NaN for a monitor without readings."""

    steerers: tuple[str, ...]
    setting_unit: str
    monitors: tuple[str, ...]
    x: Floats = quantity("mm/{setting_unit}", "monitors", "steerers")
    y: Floats = quantity("mm/{setting_unit}", "monitors", "steerers")
    x_error: Floats = quantity("mm/{setting_unit}", "monitors", "steerers")
    y_error: Floats = quantity("mm/{setting_unit}", "monitors", "steerers")
    noise_x_mm: Floats = quantity("mm", "monitors", description=SCATTER)
    noise_y_mm: Floats = quantity("mm", "monitors", description=SCATTER)


def analyse(data: OrbitResponseData, parameters: OrbitResponseParameters) -> OrbitResponseOutcome:
    """Fit the response of each monitor to each steerer by least squares. Raises ProcedureError."""
    count = len(data.monitors)
    if data.x_mm.shape != data.y_mm.shape or data.x_mm.shape[1:] != (count,):
        raise ProcedureError(f"{count} monitors, readings in x {data.x_mm.shape}, in y {data.y_mm.shape}")
    fit = fit_slopes(
        data.settings,
        data.group,
        np.hstack((data.x_mm, data.y_mm)),
        curvature=parameters.curvature,
        noise=parameters.noise_mm,
    )
    return OrbitResponseOutcome(
        steerers=data.steerers,
        setting_unit=data.setting_unit,
        monitors=data.monitors,
        x=fit.slopes[:count],
        y=fit.slopes[count:],
        x_error=fit.errors[:count],
        y_error=fit.errors[count:],
        noise_x_mm=fit.noise[:count],
        noise_y_mm=fit.noise[count:],
    )


def together(amplitudes: Floats, rows: int) -> Floats:
    """Plan settings (rows, steerers) in which each steerer oscillates at a frequency of its own, all at once.

    Sines and cosines of different whole numbers of periods in `rows` rows are orthogonal: each steerer's response is
    as precise as if it had moved alone for all rows. Raises ProcedureError for too few rows.
    """
    count = len(amplitudes)
    if rows < count + 3:
        raise ProcedureError(f"{count} steerers together need {count + 3} rows at least, not {rows}")
    phase = 2.0 * np.pi * np.arange(rows) / rows
    waves = [wave((k // 2 + 1) * phase) for k, wave in zip(range(count), [np.sin, np.cos] * count, strict=False)]
    return np.array(waves).T * amplitudes
