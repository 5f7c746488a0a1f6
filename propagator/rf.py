"""The momentum deviation that an RF frequency asks for.

On the closed orbit the circumference must be h c / f. Its dependence on the momentum is followed as it is and not as a
line: at low momentum compaction the second order is soon larger than the first.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from gnomon.lattice.ring import SPEED_OF_LIGHT

#: No ring stores beam beyond this deviation; and how far one step may go.
LARGEST, LARGEST_STEP = 0.2, 0.01

#: Step that measures a slope, and the longest one after which the last two points still give it.
PROBE, LOCAL = 1e-6, 1e-5

#: Change at which delta counts as found, shortest step of a search, and rounding of the path [m].
TOLERANCE, SMALLEST_STEP, ROUNDING = 1e-14, 1e-9, 1e-15

#: Orbits that may be tried.
TRIALS = 60


def path_difference(harmonic_number: int, frequency: float, reference: float) -> float:
    """Circumference at `frequency` less that at `reference` [Hz], in m, without the loss of digits of a difference."""
    return harmonic_number * SPEED_OF_LIGHT * (reference - frequency) / (frequency * reference)


@dataclass(frozen=True, slots=True)
class Momentum:
    """A momentum deviation, its slope of the path [m], and a reason when there is none."""

    delta: float
    slope: float
    reason: str = ""


def find_momentum(lengthening: Callable[[float], float | None], target: float, guess: Momentum | None) -> Momentum:
    """Solve lengthening(delta) = target [m] by a secant method whose steps must bring it nearer.

    `lengthening` returns None where there is no closed orbit. `guess` is a neighbouring state's solution; a solution
    found from it counts only if it is near and on the same branch, else the search starts at 0, so that the answer lies
    on the branch that contains the reference momentum.
    """
    if guess is not None:
        near = _search(lengthening, target, guess.delta, guess.slope)
        if not near.reason and abs(near.delta - guess.delta) < 1e-3 and near.slope * guess.slope > 0.0:
            return near
    return _search(lengthening, target, 0.0, 0.0)


def _search(lengthening: Callable[[float], float | None], target: float, start: float, slope: float) -> Momentum:
    at = start
    value = lengthening(at)
    if value is None:
        return Momentum(at, slope, f"no closed orbit at the momentum deviation {at:.3g}")
    rest = value - target
    if abs(rest) <= ROUNDING:
        return Momentum(at, slope)
    if slope == 0.0:
        slope = _slope(lengthening, at, value)
    if slope == 0.0 or not math.isfinite(slope):
        return Momentum(at, slope, "the path does not depend on the momentum (momentum compaction 0)")
    trials = 0
    step = _step(rest, slope)
    while abs(step) > TOLERANCE:
        trials += 1
        new = None if abs(at + step) > LARGEST else lengthening(at + step)
        if new is not None and abs(new - target) < abs(rest):
            far = abs(step) > LOCAL
            new_slope = _slope(lengthening, at + step, new) if far else (new - target - rest) / step
            if new_slope * slope > 0.0:  # else a turning point of the path lies between
                at, rest, slope = at + step, new - target, new_slope
                step = _step(rest, slope)
                continue
        if abs(rest) <= ROUNDING:  # rounding lets the path come no nearer
            lengthening(at)
            return Momentum(at, slope)
        step *= 0.5
        if trials >= TRIALS or abs(step) <= SMALLEST_STEP:
            nearest = f"nearest {rest:+.3g} m at the momentum deviation {at:.3g}"
            return Momentum(at, slope, f"no momentum gives the circumference of this RF frequency; {nearest}")
    return Momentum(at, slope)


def _step(rest: float, slope: float) -> float:
    return max(-LARGEST_STEP, min(LARGEST_STEP, -rest / slope))


def _slope(lengthening: Callable[[float], float | None], at: float, value: float) -> float:
    """Slope of the path at a point, 0 when there is no orbit beside it."""
    probe = lengthening(at + PROBE)
    return 0.0 if probe is None else (probe - value) / PROBE
