"""Hysteresis of magnets: play operators (Prandtl-Ishlinskii), counted from the branch of the standard cycle.

The model: P. Krejci, Hysteresis, Convexity and Dissipation in Hyperbolic Equations (1996); as used for actuators in
K. Kuhnen, European Journal of Control 9 (2003) 407-418. It is independent of the rate, remembers turning points alone,
and wipes small loops out by larger ones, as iron does.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Radii of the play operators as fractions of half the range of the current: small loops have small hysteresis.
RADII = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5])


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """Magnets of n supplies: each is a sum of m play operators.

    The standard cycle goes up to `high` (n,) and from there down to the setpoint; calibrations hold on that branch.
    `radii` (n, m) are those of the operators, in units of the current, and `weights` (n, m) without unit.
    """

    high: Floats
    radii: Floats
    weights: Floats

    @classmethod
    def of_remanence(cls, low: Floats, high: Floats, remanence: Floats) -> Self:
        """Model with a stated width: `remanence` (n,) is the greatest error, in units of the current.

        That is the difference between the branches upwards and downwards of the cycle between `low` and `high` (n,),
        half way between the two. Each operator has the same share of it.
        """
        radii = 0.5 * (high - low)[:, np.newaxis] * RADII
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = np.where(radii > 0.0, remanence[:, np.newaxis] / (2.0 * len(RADII) * radii), 0.0)
        return cls(high, radii, weights)

    def cycled(self, currents: Floats) -> Floats:
        """State (n, m) after the standard cycle that ends at `currents` (n,)."""
        from_the_top = self.high[:, np.newaxis] - self.radii
        return np.minimum(np.maximum(from_the_top, currents[:, np.newaxis] - self.radii), self._above(currents))

    def moved(self, state: Floats, currents: Floats) -> Floats:
        """State (n, m) after the currents went monotonically to `currents` (n,)."""
        below = currents[:, np.newaxis] - self.radii
        return np.maximum(below, np.minimum(self._above(currents), state))

    def error(self, state: Floats, currents: Floats) -> Floats:
        """Error (n,) of the field, in units of the current: 0 on the downward branch of the standard cycle."""
        error: Floats = (self.weights * (state - self.cycled(currents))).sum(axis=1)
        return error

    def _above(self, currents: Floats) -> Floats:
        return currents[:, np.newaxis] + self.radii
