"""Correction of the optics: currents of quadrupole supplies that bring beta functions where they should be. Pure."""

import numpy as np
from pydantic import Field

from gnomon.procedures.bounded import setting_sizes, solve
from gnomon.procedures.documents import Data, Floats, Outcome, Parameters, quantity

__all__ = ["OpticsCorrectionData", "OpticsCorrectionOutcome", "OpticsCorrectionParameters", "analyse"]


class OpticsCorrectionData(Data):
    """Beta beating at the monitors, and its response to supplies with their limits.

    `beating` is (present - wanted) / wanted, as it is with the present settings if the response holds for all changes:
    the response is that about the settings proposed, since that of a beating ring changes with its correction.
    """

    supplies: tuple[str, ...]
    setting_unit: str = "A"
    monitors: tuple[str, ...]
    present: Floats = quantity("", "plane", "monitors", description="beating with the present settings")
    beating: Floats = quantity("", "plane", "monitors")
    response: Floats = quantity("1/{setting_unit}", "plane", "monitors", "supplies")
    settings: Floats = quantity("{setting_unit}", "supplies", description="present settings")
    low: Floats = quantity("{setting_unit}", "supplies")
    high: Floats = quantity("{setting_unit}", "supplies")


class OpticsCorrectionParameters(Parameters):
    """Parameters of the correction.

    Directions weaker than `strength` times the strongest stay still; `error` is the uncertainty of the beating,
    `fraction` the part of the changes to propose.
    """

    strength: float = Field(default=3e-3, gt=0.0, lt=1.0)
    error: float = Field(default=0.0, ge=0.0)
    fraction: float = Field(default=1.0, gt=0.0, le=1.0)


class OpticsCorrectionOutcome(Outcome):
    """Proposed settings, and what is expected with them; beating is rms over the monitors."""

    supplies: tuple[str, ...]
    setting_unit: str
    changes: Floats = quantity("{setting_unit}", "supplies")
    change_errors: Floats = quantity("{setting_unit}", "supplies")
    proposed: Floats = quantity("{setting_unit}", "supplies", description="settings with the correction")
    beating_before: Floats = quantity("", "plane")
    beating_expected: Floats = quantity("", "plane")
    at_limit: tuple[str, ...]


def analyse(data: OpticsCorrectionData, parameters: OpticsCorrectionParameters) -> OpticsCorrectionOutcome:
    """Propose changes of the currents by bounded least squares. Raises ProcedureError."""
    found = solve(
        data.response.reshape(-1, len(data.supplies)),
        -data.beating.ravel(),
        data.low - data.settings,
        data.high - data.settings,
        strength=parameters.strength,
        scale=setting_sizes(data.settings, data.low, data.high),
    )
    changes = parameters.fraction * found.changes
    after = data.beating + data.response @ changes
    return OpticsCorrectionOutcome(
        supplies=data.supplies,
        setting_unit=data.setting_unit,
        changes=changes,
        change_errors=parameters.fraction * parameters.error * np.sqrt(np.diag(found.covariance)),
        proposed=np.clip(data.settings + changes, data.low, data.high),
        beating_before=np.sqrt(np.nanmean(data.present**2, axis=1)),
        beating_expected=np.sqrt(np.nanmean(after**2, axis=1)),
        at_limit=tuple(name for name, limit in zip(data.supplies, found.at_limit, strict=True) if limit),
    )
