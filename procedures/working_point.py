"""Corrections of tunes and chromaticities: currents of supplies that bring them where they should be. Pure."""

from typing import Literal

import numpy as np

from gnomon.procedures.bounded import setting_sizes, solve
from gnomon.procedures.documents import Data, Floats, Outcome, Parameters, quantity
from gnomon.procedures.errors import ProcedureError

__all__ = ["WorkingPointData", "WorkingPointOutcome", "WorkingPointParameters", "analyse", "nearest_tunes"]

#: Directions below this fraction of the largest singular value stay still.
STRENGTH = 1e-4


class WorkingPointData(Data):
    """Tunes or chromaticities, x and y, where they should be, and the response of supplies with their limits."""

    kind: Literal["tune", "chromaticity"]
    supplies: tuple[str, ...]
    setting_unit: str = "A"
    measured: Floats = quantity("", "plane")
    wanted: Floats = quantity("", "plane")
    response: Floats = quantity("1/{setting_unit}", "plane", "supplies")
    settings: Floats = quantity("{setting_unit}", "supplies", description="present settings")
    low: Floats = quantity("{setting_unit}", "supplies")
    high: Floats = quantity("{setting_unit}", "supplies")


class WorkingPointParameters(Parameters):
    """Parameters of the correction: the uncertainty of the measured values, and the part of the changes to propose."""

    error: float = 0.0
    fraction: float = 1.0


class WorkingPointOutcome(Outcome):
    """Proposed settings, and what is expected with them."""

    kind: Literal["tune", "chromaticity"]
    supplies: tuple[str, ...]
    setting_unit: str
    changes: Floats = quantity("{setting_unit}", "supplies")
    change_errors: Floats = quantity("{setting_unit}", "supplies")
    proposed: Floats = quantity("{setting_unit}", "supplies", description="settings with the correction")
    missing: Floats = quantity("", "plane", description="wanted less measured")
    expected: Floats = quantity("", "plane")
    at_limit: tuple[str, ...]


def analyse(data: WorkingPointData, parameters: WorkingPointParameters) -> WorkingPointOutcome:
    """Propose the smallest relative changes of the currents. Raises ProcedureError if both cannot be moved."""
    if np.linalg.matrix_rank(data.response, tol=1e-9) < 2:
        raise ProcedureError(
            f"{', '.join(data.supplies)}: they cannot move the {data.kind} in both planes; "
            "choose supplies of two families"
        )
    missing = data.wanted - data.measured
    found = solve(
        data.response,
        missing,
        data.low - data.settings,
        data.high - data.settings,
        strength=STRENGTH,
        scale=setting_sizes(data.settings, data.low, data.high),
    )
    changes = parameters.fraction * found.changes
    return WorkingPointOutcome(
        kind=data.kind,
        supplies=data.supplies,
        setting_unit=data.setting_unit,
        changes=changes,
        change_errors=parameters.fraction * parameters.error * np.sqrt(np.diag(found.covariance)),
        proposed=np.clip(data.settings + changes, data.low, data.high),
        missing=missing,
        expected=data.measured + data.response @ changes,
        at_limit=tuple(name for name, limit in zip(data.supplies, found.at_limit, strict=True) if limit),
    )


def nearest_tunes(measured: Floats, wanted: Floats) -> Floats:
    """Return the tunes with the integer part that brings them nearest to those that are wanted."""
    tunes: Floats = measured + np.round(wanted - measured)
    return tunes
