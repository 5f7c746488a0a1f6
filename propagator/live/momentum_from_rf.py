"""The momentum deviation that follows from the RF frequency.

On the closed orbit the circumference must be h c / f. Its dependence on the momentum is not linearised: at low momentum
compaction the second order soon exceeds the first.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from gnomon.lattice.units import SPEED_OF_LIGHT

#: Maximum momentum deviation of the search, beyond that of any stored beam, and its maximum step.
MAX_DELTA, MAX_STEP = 0.2, 0.01

#: Change below which delta counts as found, minimum step, and rounding of the path [m].
TOLERANCE, MIN_STEP, ROUNDING = 1e-14, 1e-9, 1e-14

#: Maximum number of orbits to try.
MAX_TRIALS = 60


def path_difference(harmonic_number: int, frequency: float, reference: float) -> float:
    """Return the circumference [m] at `frequency` less that at `reference` [Hz], to full precision."""
    return harmonic_number * SPEED_OF_LIGHT * (reference - frequency) / (frequency * reference)


@dataclass(frozen=True, slots=True)
class Momentum:
    """A momentum deviation and the slope of the path [m] there, or the reason why there is none."""

    delta: float
    slope: float
    reason: str = ""


def find_momentum(lengthening: Callable[[float], tuple[float, float] | None], target: float) -> Momentum:
    """Solve lengthening(delta) = target [m] by Newton's method from 0; every step must reduce the difference.

    `lengthening` returns the path [m] and its slope [m], or None where there is no closed orbit. The solution lies on
    the branch that contains the reference momentum.
    """
    at = 0.0
    found = lengthening(at)
    if found is None:
        return Momentum(at, 0.0, f"no closed orbit at the momentum deviation {at:.3g}")
    rest, slope = found[0] - target, found[1]
    if abs(rest) <= ROUNDING:
        return Momentum(at, slope)
    if slope == 0.0 or not math.isfinite(slope):
        return Momentum(at, slope, "the path does not depend on the momentum (momentum compaction 0)")
    trials = 0
    step = _step(rest, slope)
    while abs(step) > TOLERANCE:
        trials += 1
        new = None if abs(at + step) > MAX_DELTA else lengthening(at + step)
        # else the path has a turning point in between
        if new is not None and abs(new[0] - target) < abs(rest) and new[1] * slope > 0.0:
            at, rest, slope = at + step, new[0] - target, new[1]
            step = _step(rest, slope)
            continue
        if abs(rest) <= ROUNDING:  # as close as rounding allows
            break
        step *= 0.5
        if trials >= MAX_TRIALS or abs(step) <= MIN_STEP:
            nearest = f"nearest {rest:+.3g} m at the momentum deviation {at:.3g}"
            return Momentum(at, slope, f"no momentum gives the circumference of this RF frequency; {nearest}")
    return Momentum(at, slope)


def _step(rest: float, slope: float) -> float:
    return max(-MAX_STEP, min(MAX_STEP, -rest / slope))
