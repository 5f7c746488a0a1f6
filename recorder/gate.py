"""May the next step be written? Static checks: limits, step size, start, and whether the model sees a beam.

Pure functions that fail closed: what is not known is a reason to refuse. They are no machine protection and must not
be counted as such. Comparisons are written so that not-a-number refuses.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gnomon.recorder.machine import INVALID, PvState
from gnomon.recorder.steps import Plan, Prediction, Start, Step

#: The largest part of a step that counts as no difference.
SHARE = 0.1

#: The smallest step that a readback can show, as a fraction of the setpoint's range.
RESOLUTION = 1e-9

#: What a user must know before arming.
NO_BOUND = "no confidence bound is checked"


@dataclass(frozen=True, slots=True)
class GateLimits:
    """`max_step`: largest step, `tolerance`: what counts as equal; both as fractions of a setpoint's range.

    Nothing counts as equal that is more than a tenth of a step away: a step that was not made must not look like one
    that was.
    """

    max_step: float = 0.1
    tolerance: float = 5e-5


@dataclass(frozen=True, slots=True)
class Verdict:
    """Accepted when there is no reason against it; every reason is kept."""

    reasons: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """True when nothing speaks against it."""
        return not self.reasons


def judge(
    plan: Plan, states: Mapping[str, PvState], drives: Mapping[str, tuple[float, float]], limits: GateLimits
) -> Verdict:
    """Judge a plan against the machine as it is: `states` of PVs, `drives` limits that the machine gives."""
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
    """A PV must be there and mean something."""
    if state is None:
        return [f"{pv}: its value is not known"]
    if not state.severity < INVALID:
        return [f"{pv}: its value is INVALID"]
    return [] if math.isfinite(state.value) else [f"{pv}: its value is {state.value}"]


def check_start(start: Start, state: PvState | None, tolerance: float) -> Sequence[str]:
    """The machine must stand where the recording began."""
    reasons = check_state(start.pv, state)
    if reasons or state is None:
        return reasons
    if abs(state.value - start.value) <= tolerance:
        return []
    return [
        f"{start.pv}: stands at {state.value:.9g} {start.unit}, the recording began at {start.value:.9g} {start.unit} "
        f"(tolerance {tolerance:.3g} {start.unit})"
    ]


def check_step(step: Step, drive: tuple[float, float] | None, limits: GateLimits) -> Sequence[str]:
    """Start and target must be within the machine's and the document's limits, and not too far apart."""
    what = f"command {step.sequence}, {step.pv}"
    if drive is None or not drive[0] < drive[1]:
        return [f"{what}: the machine gives no drive limits; a PV without limits is not written"]
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
            f"({largest:.6g} {step.unit}); record smaller steps, or allow more with --max-step"
        )
    return reasons


def check_prediction(step: Step, prediction: Prediction) -> Sequence[str]:
    """The model must see a beam before and after."""
    return [] if prediction.found else [f"command {step.sequence}, {step.pv}: {prediction.reason}"]


def equal(value: float, wanted: float, step: Step, limits: GateLimits) -> bool:
    """Whether a reading counts as the wanted value of a step's PV."""
    return abs(value - wanted) <= tolerance_of(step.range, abs(step.target - step.start), limits)


def tolerance_of(width: float, size: float, limits: GateLimits) -> float:
    """How far from a value still counts as it, for a range of `width` and a step of `size`, which may be 0."""
    return min(limits.tolerance * width, SHARE * size) if size > 0.0 else limits.tolerance * width


def smallest_steps(plan: Plan) -> dict[str, float]:
    """The smallest step of each PV; its setpoint and its readback are told apart by no less."""
    smallest: dict[str, float] = {}
    for step in plan.steps:
        size = abs(step.target - step.start)
        if size > 0.0:
            for pv in (step.pv, step.readback):
                smallest[pv] = min(size, smallest.get(pv, math.inf))
    return smallest
