"""Closed bumps of three, four or more steerers: position and angle at a place, nothing elsewhere. Pure.

Horizontally, steerers in dispersion lengthen the orbit: at a fixed RF frequency the momentum changes, and with it the
orbit everywhere. One more knob takes that away: a further steerer, or the RF frequency itself, as one of the steerers.

The first proposal comes from a response, usually a model's. After it was set, the same analysis of the measured change
takes away what leaks out: `measured_*` and `made`.
"""

import numpy as np

from gnomon.procedures.documents import Data, Floats, Outcome, Parameters, quantity
from gnomon.procedures.errors import ProcedureError

__all__ = ["ClosedBumpData", "ClosedBumpOutcome", "ClosedBumpParameters", "analyse"]


class ClosedBumpData(Data):
    """Response of the steerers inside and outside of the bump, and what was measured with the settings made so far.

    `target_response` (targets, steerers) is for what is wanted, in mm or mrad: a position, or position and angle. The
    RF frequency may be one of the steerers, in kHz instead of `setting_unit`.
    """

    steerers: tuple[str, ...]
    setting_unit: str = "A"
    monitors: tuple[str, ...]
    outside: Floats = quantity("", "monitors", description="1 for a monitor that the bump must not move, else 0")
    response: Floats = quantity("mm/{setting_unit}", "monitors", "steerers", description="in the plane of the bump")
    targets: tuple[str, ...]
    target_response: Floats = quantity("mm/{setting_unit}", "targets", "steerers", description="mm or mrad")
    wanted: Floats = quantity("mm", "targets", description="mm or mrad, relative to the orbit before the bump")
    settings: Floats = quantity("{setting_unit}", "steerers", description="settings before the bump")
    low: Floats = quantity("{setting_unit}", "steerers")
    high: Floats = quantity("{setting_unit}", "steerers")
    made: Floats = quantity("{setting_unit}", "steerers", description="change of the settings so far")
    measured_mm: Floats = quantity("mm", "monitors", description="change of the orbit by it; 0 at first")
    measured_target: Floats = quantity("mm", "targets", description="mm or mrad; what has been reached; 0 at first")


class ClosedBumpParameters(Parameters):
    """Parameters of the analysis: noise of a difference of two readings, for the uncertainty of the leak."""

    noise_mm: float = 0.0


class ClosedBumpOutcome(Outcome):
    """Proposed changes of the settings, relative to those before the bump, and what is expected with them.

    `leak` is the largest change outside over the largest change of all, `measured_leak` that of the measured orbit.
    """

    steerers: tuple[str, ...]
    setting_unit: str
    monitors: tuple[str, ...]
    changes: Floats = quantity("{setting_unit}", "steerers")
    proposed: Floats = quantity("{setting_unit}", "steerers", description="settings with the bump")
    expected_mm: Floats = quantity("mm", "monitors")
    expected_target: Floats = quantity("mm", "targets", description="mm or mrad")
    leak: float
    measured_leak: float
    leak_error: float


def analyse(data: ClosedBumpData, parameters: ClosedBumpParameters) -> ClosedBumpOutcome:
    """Propose settings that reach the targets exactly and leak least. Raises ProcedureError.

    More steerers than conditions: the smallest of all equally good changes.
    """
    count, targets = len(data.steerers), len(data.targets)
    if count < targets + 2:
        raise ProcedureError(
            f"a closed bump with {' and '.join(data.targets)} needs {targets + 2} steerers at least, not {count}"
        )
    outside = data.outside > 0.0
    measured = np.isfinite(data.measured_mm) & np.isfinite(data.response).all(axis=1)
    seen = outside & measured
    if seen.sum() < 2:
        raise ProcedureError("fewer than two monitors outside of the bump have readings: its leak cannot be seen")
    still = data.wanted - data.measured_target
    change = _least_leak(data.response[seen], -data.measured_mm[seen], data.target_response, still)
    changes = data.made + change
    proposed = data.settings + changes
    if ((proposed < data.low) | (proposed > data.high)).any():
        over = np.maximum(proposed - data.high, data.low - proposed)
        worst = int(np.argmax(over))
        room = data.high[worst] - data.settings[worst] if changes[worst] > 0 else data.low[worst] - data.settings[worst]
        raise ProcedureError(
            f"{data.steerers[worst]} would need {proposed[worst]:.4g} {data.setting_unit}, beyond its limits of "
            f"{data.low[worst]:g} to {data.high[worst]:g}; "
            f"at most {abs(room / changes[worst]):.0%} of this bump is possible"
        )
    expected = data.measured_mm + data.response @ change
    return ClosedBumpOutcome(
        steerers=data.steerers,
        setting_unit=data.setting_unit,
        monitors=data.monitors,
        changes=changes,
        proposed=proposed,
        expected_mm=expected,
        expected_target=data.measured_target + data.target_response @ change,
        leak=_leak(expected, outside),
        measured_leak=_leak(data.measured_mm, outside),
        leak_error=parameters.noise_mm / max(float(np.nanmax(np.abs(expected))), 1e-12),
    )


def _least_leak(response: Floats, wanted: Floats, targets: Floats, values: Floats) -> Floats:
    """Minimise |response d - wanted| under targets d = values, with the smallest d; by the null space of targets."""
    particular = np.linalg.lstsq(targets, values, rcond=None)[0]
    if not np.allclose(targets @ particular, values, rtol=1e-9, atol=1e-12):
        raise ProcedureError("these steerers do not reach what is wanted; choose others")
    _, sizes, rows = np.linalg.svd(targets)
    free = rows[int((sizes > 1e-9 * sizes[0]).sum()) :].T
    rest = np.linalg.lstsq(response @ free, wanted - response @ particular, rcond=1e-6)[0]
    change: Floats = particular + free @ rest
    return change


def _leak(orbit: Floats, outside: "np.typing.NDArray[np.bool_]") -> float:
    largest = float(np.nanmax(np.abs(orbit)))
    return float(np.nanmax(np.abs(orbit[outside]))) / largest if largest > 0.0 else 0.0
