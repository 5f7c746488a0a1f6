"""May the next step be written? Static checks: limits, step size, start, and whether the model sees a beam.

Pure functions that fail closed: what is not known is a reason to refuse. They are no machine protection and must not
be counted as such. Comparisons are written so that not-a-number refuses.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gnomon.recorder.machine import INVALID, PvState
from gnomon.recorder.steps import Plan, Prediction, Start, Step

#: What a user must know before arming.
NO_BOUND = "no confidence bound is checked"


@dataclass(frozen=True, slots=True)
class GateLimits:
    """`max_step`: largest step, `tolerance`: what counts as equal; both as fractions of a setpoint's range."""

    max_step: float = 0.1
    tolerance: float = 1e-3


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
    for start in plan.starts:
        reasons += check_start(start, states.get(start.pv), limits)
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


def check_start(start: Start, state: PvState | None, limits: GateLimits) -> Sequence[str]:
    """The machine must stand where the recording began."""
    reasons = check_state(start.pv, state)
    if reasons or state is None:
        return reasons
    if abs(state.value - start.value) <= limits.tolerance * start.range:
        return []
    return [
        f"{start.pv}: stands at {state.value:.9g} {start.unit}, the recording began at {start.value:.9g} {start.unit} "
        f"(tolerance {limits.tolerance * start.range:.3g} {start.unit})"
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
    return abs(value - wanted) <= limits.tolerance * step.range
