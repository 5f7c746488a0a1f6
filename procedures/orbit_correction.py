"""Orbit correction: which settings of steerers, and which RF frequency, bring the orbit nearest to where it should be.

Pure: a measured orbit, a response and limits in; a proposal out, with what it should do.
"""

import numpy as np
from pydantic import Field

from gnomon.procedures.bounded import Method, solve
from gnomon.procedures.documents import Data, Floats, Outcome, Parameters, quantity
from gnomon.procedures.errors import ProcedureError

__all__ = ["OrbitCorrectionData", "OrbitCorrectionOutcome", "OrbitCorrectionParameters", "analyse", "rms"]

#: Sizes of changes that count as equal: a steerer's largest effect, and that of the RF frequency.
_TINY = 1e-12


class OrbitCorrectionData(Data):
    """An orbit relative to where it should be, the response of the steerers, and their room to move."""

    monitors: tuple[str, ...]
    steerers: tuple[str, ...]
    setting_unit: str = "A"
    x_mm: Floats = quantity("mm", "monitors", description="reading less reference; NaN: dead")
    y_mm: Floats = quantity("mm", "monitors", description="reading less reference; NaN: dead")
    response_x: Floats = quantity("mm/{setting_unit}", "monitors", "steerers")
    response_y: Floats = quantity("mm/{setting_unit}", "monitors", "steerers")
    settings: Floats = quantity("{setting_unit}", "steerers", description="present settings")
    low: Floats = quantity("{setting_unit}", "steerers")
    high: Floats = quantity("{setting_unit}", "steerers")
    rf_response_x: Floats | None = quantity("mm/kHz", "monitors")
    rf_response_y: Floats | None = quantity("mm/kHz", "monitors")
    rf_khz: float = Field(default=0.0, description="present RF frequency")
    rf_low_khz: float = 0.0
    rf_high_khz: float = 0.0


class OrbitCorrectionParameters(Parameters):
    """Parameters of the correction.

    `strength` is relative to the largest singular value (`bounded.solve`); `fraction` of the found changes is
    proposed; `max_step` bounds the change of each steerer in one step, in its unit.
    """

    method: Method = "svd"
    strength: float = 1e-3
    fraction: float = Field(default=1.0, gt=0.0, le=1.0)
    max_step: float | None = None
    use_rf: bool = False
    dead: tuple[str, ...] = ()
    weight_x: Floats | None = None
    weight_y: Floats | None = None
    noise_mm: float = Field(default=0.0, description="noise of a reading, for the uncertainty of the changes")


class OrbitCorrectionOutcome(Outcome):
    """Proposed settings, and the orbit that is expected with them."""

    steerers: tuple[str, ...]
    setting_unit: str
    monitors: tuple[str, ...]
    changes: Floats = quantity("{setting_unit}", "steerers")
    change_errors: Floats = quantity("{setting_unit}", "steerers")
    proposed: Floats = quantity("{setting_unit}", "steerers", description="settings with the correction")
    rf_change_khz: float
    rf_proposed_khz: float
    expected_x_mm: Floats = quantity("mm", "monitors")
    expected_y_mm: Floats = quantity("mm", "monitors")
    rms_before_mm: Floats = quantity("mm", "plane")
    rms_expected_mm: Floats = quantity("mm", "plane")
    singular_values: Floats = quantity("", "direction")
    directions: int
    at_limit: tuple[str, ...]


def analyse(data: OrbitCorrectionData, parameters: OrbitCorrectionParameters) -> OrbitCorrectionOutcome:
    """Propose settings. Raises ProcedureError if no monitor or no steerer is left, or a limit excludes a setting."""
    if unknown := sorted(set(parameters.dead) - set(data.monitors)):
        raise ProcedureError(f"{unknown[0]} is not one of the monitors")
    alive = np.array([name not in parameters.dead for name in data.monitors])
    response = np.vstack((data.response_x, data.response_y))
    low, high = data.low - data.settings, data.high - data.settings
    if parameters.max_step is not None:
        low, high = np.maximum(low, -parameters.max_step), np.minimum(high, parameters.max_step)
    scale = np.ones(len(data.steerers))
    if parameters.use_rf:
        if data.rf_response_x is None or data.rf_response_y is None:
            raise ProcedureError("the RF frequency as a corrector needs its response")
        rf = np.concatenate((data.rf_response_x, data.rf_response_y))
        size = np.nanmedian(np.sqrt(np.nansum(response**2, axis=0))) / max(np.sqrt(np.nansum(rf**2)), _TINY)
        response = np.column_stack((response, rf))
        low = np.append(low, data.rf_low_khz - data.rf_khz)
        high = np.append(high, data.rf_high_khz - data.rf_khz)
        scale = np.append(scale, size)
    weights = np.concatenate(
        [np.ones(len(data.monitors)) if each is None else each for each in (parameters.weight_x, parameters.weight_y)]
    ) * np.tile(alive, 2)
    orbit = np.concatenate((data.x_mm, data.y_mm))
    used = weights > 0.0
    found = solve(
        response[used] * weights[used, None],
        -orbit[used] * weights[used],
        np.minimum(low, 0.0) if parameters.max_step is not None else low,
        np.maximum(high, 0.0) if parameters.max_step is not None else high,
        method=parameters.method,
        strength=parameters.strength,
        scale=scale,
    )
    changes = parameters.fraction * found.changes
    errors = parameters.fraction * parameters.noise_mm * np.sqrt(np.diag(found.covariance))
    count, monitors = len(data.steerers), len(data.monitors)
    expected = orbit + response @ changes
    rf_change = float(changes[count]) if parameters.use_rf else 0.0
    shown = np.where(np.tile(alive, 2), orbit, np.nan), np.where(np.tile(alive, 2), expected, np.nan)
    return OrbitCorrectionOutcome(
        steerers=data.steerers,
        setting_unit=data.setting_unit,
        monitors=data.monitors,
        changes=changes[:count],
        change_errors=errors[:count],
        proposed=np.clip(data.settings + changes[:count], data.low, data.high),
        rf_change_khz=rf_change,
        rf_proposed_khz=data.rf_khz + rf_change,
        expected_x_mm=expected[:monitors],
        expected_y_mm=expected[monitors:],
        rms_before_mm=np.array([rms(shown[0][:monitors]), rms(shown[0][monitors:])]),
        rms_expected_mm=np.array([rms(shown[1][:monitors]), rms(shown[1][monitors:])]),
        singular_values=found.singular_values,
        directions=found.used,
        at_limit=tuple(name for name, limit in zip(data.steerers, found.at_limit, strict=False) if limit),
    )


def rms(values: Floats) -> float:
    """Return the root mean square of the values that are not NaN."""
    return float(np.sqrt(np.nanmean(values**2)))
