"""The gate of a replay. Static checks before a write: limits, step size, start state, and a beam in the model.

Pure functions that fail closed: an unknown value is a reason to refuse. They are not machine protection and must not
be counted as such. Comparisons are written so that NaN refuses.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gnomon.recorder.replay_machine import INVALID, PvState
from gnomon.recorder.replay_steps import Plan, Prediction, Start, Step

#: Largest difference that counts as equal, as a fraction of a step.
SHARE = 0.1

#: Smallest step that a readback can show, as a fraction of the setpoint's range.
RESOLUTION = 1e-9

#: Warning to the user before arming.
NO_BOUND = "no confidence bound is checked"


@dataclass(frozen=True, slots=True)
class GateLimits:
    """Limits: `max_step` is the largest step, `tolerance` counts as equal; both are fractions of a setpoint's range.

    A difference of more than a tenth of a step never counts as equal: a step that was not made must not look like one
    that was.
    """

    max_step: float = 0.1
    tolerance: float = 5e-5


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the checks: accepted if there are no reasons against it; all reasons are kept."""

    reasons: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """True if there are no reasons against the plan."""
        return not self.reasons


def judge(
    plan: Plan, states: Mapping[str, PvState], drives: Mapping[str, tuple[float, float]], limits: GateLimits
) -> Verdict:
    """Judge a plan against the machine's present state: `states` of PVs, and the machine's drive limits `drives`."""
    reasons: list[str] = []
    smallest = smallest_steps(plan)
    for start in plan.starts:
        tolerance = tolerance_of(start.range, smallest.get(start.pv, math.inf), limits)
        reasons += check_start(start, states.get(start.pv), tolerance)
    for step, prediction in zip(plan.steps, plan.predictions, strict=True):
        reasons += check_state(step.pv, states.get(step.pv))
        reasons += check_step(step, drives.get(step.pv), limits)
        reasons += check_prediction(step, prediction)
    return Verdict(tuple(dict.fromkeys(reasons)))


def check_state(pv: str, state: PvState | None) -> Sequence[str]:
    """Refuse a PV whose value is missing, INVALID or not finite."""
    if state is None:
        return [f"{pv}: its value is unknown"]
    if not state.severity < INVALID:
        return [f"{pv}: its value is INVALID"]
    return [] if math.isfinite(state.value) else [f"{pv}: its value is {state.value}"]


def check_start(start: Start, state: PvState | None, tolerance: float) -> Sequence[str]:
    """Refuse a PV that does not have the value with which the recording began."""
    reasons = check_state(start.pv, state)
    if reasons or state is None:
        return reasons
    if abs(state.value - start.value) <= tolerance:
        return []
    return [
        f"{start.pv} = {state.value:.9g} {start.unit}, but the recording began with {start.value:.9g} {start.unit} "
        f"(tolerance {tolerance:.3g} {start.unit})"
    ]


def check_step(step: Step, drive: tuple[float, float] | None, limits: GateLimits) -> Sequence[str]:
    """Refuse a step outside the machine's or the document's limits, and one that is too large or too small."""
    what = f"command {step.sequence}, {step.pv}"
    if drive is None or not drive[0] < drive[1]:
        return [f"{what}: the machine has no drive limits for it; a PV without limits is not written"]
    reasons = []
    for value, name in ((step.start, "start"), (step.target, "target")):
        for (low, high), whose in ((drive, "machine"), ((step.low, step.high), "machine document")):
            if not low <= value <= high:
                reasons.append(
                    f"{what}: {name} {value:.9g} {step.unit} is outside the {whose}'s limits "
                    f"{low:.9g} to {high:.9g} {step.unit}"
                )
    largest = limits.max_step * min(drive[1] - drive[0], step.range)
    size = abs(step.target - step.start)
    if 0.0 < size < RESOLUTION * step.range:
        reasons.append(f"{what}: a step of {size:.3g} {step.unit} is too small to be verified by its readback")
    # A step of exactly the largest size is allowed, whatever its last bit.
    if not size <= largest * (1 + 1e-9):
        reasons.append(
            f"{what}: a step of {size:.6g} {step.unit} is more than {limits.max_step:g} of the drive range "
            f"({largest:.6g} {step.unit}); record smaller steps, or allow larger ones with --max-step"
        )
    return reasons


def check_prediction(step: Step, prediction: Prediction) -> Sequence[str]:
    """Refuse a step without a beam before or after it in the model."""
    return [] if prediction.found else [f"command {step.sequence}, {step.pv}: {prediction.reason}"]


def equal(value: float, wanted: float, step: Step, limits: GateLimits) -> bool:
    """Compare a reading with the wanted value of a step's PV, within the tolerance."""
    return abs(value - wanted) <= tolerance_of(step.range, abs(step.target - step.start), limits)


def tolerance_of(width: float, size: float, limits: GateLimits) -> float:
    """Calculate the difference that counts as equal, for a range of `width` and a step of `size`, which may be 0."""
    return min(limits.tolerance * width, SHARE * size) if size > 0.0 else limits.tolerance * width


def smallest_steps(plan: Plan) -> dict[str, float]:
    """Find the smallest step of each PV, which its setpoint and its readback must be able to distinguish."""
    smallest: dict[str, float] = {}
    for step in plan.steps:
        size = abs(step.target - step.start)
        if size > 0.0:
            for pv in (step.pv, step.readback):
                smallest[pv] = min(size, smallest.get(pv, math.inf))
    return smallest
