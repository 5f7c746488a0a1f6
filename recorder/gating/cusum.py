"""Two-sided cumulative sums of residuals: they find a small deviation that stays, long before one step shows it. Pure.

Page, Biometrika 41 (1954) 100. For each observable with the residual z, in standard deviations,
high' = max(0, high + z - slack) and low' = max(0, low - z - slack); the alarm is at max(high, low) > alarm.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cusum", "average_run_length"]

Floats = NDArray[np.float64]

#: Mean excess over the barrier of a random walk with normal steps (Siegmund 1985).
_EXCESS = 1.166


@dataclass(frozen=True, slots=True, eq=False)
class Cusum:
    """The sums so far, (n,) each, one for each observable; empty before the first step."""

    high: Floats
    low: Floats

    @classmethod
    def empty(cls) -> "Cusum":
        """Return the sums before the first step."""
        return cls(np.zeros(0), np.zeros(0))

    def after(self, residuals: Floats, slack: float) -> "Cusum":
        """Return the sums after a step. `residuals` (n,) in standard deviations; one that is NaN changes no sum.

        Observables that either has in addition follow those that both have, as what is not measured follows what is.
        """
        size = max(self.high.size, residuals.size)
        high, low = (np.pad(sums, (0, size - sums.size)) for sums in (self.high, self.low))
        residuals = np.pad(residuals, (0, size - residuals.size), constant_values=np.nan)
        z = np.where(np.isnan(residuals), 0.0, residuals)
        known = ~np.isnan(residuals)
        return Cusum(
            np.where(known, np.maximum(0.0, high + z - slack), high),
            np.where(known, np.maximum(0.0, low - z - slack), low),
        )

    @property
    def largest(self) -> float:
        """The largest sum of all observables; 0 before the first step."""
        return float(max(np.max(self.high, initial=0.0), np.max(self.low, initial=0.0)))


def average_run_length(slack: float, alarm: float, shift: float = 0.0, observables: int = 1) -> float:
    """Estimate the number of steps from one alarm to the next, with a `shift` of the mean in standard deviations.

    Siegmund's approximation for independent normal residuals: (exp(-2 d b) + 2 d b - 1) / (2 d^2) with
    b = alarm + 1.166, and d = shift - slack on one side, d = -shift - slack on the other. The rates of both sides add
    up, and those of all observables, which are shifted alike.
    """
    rate = 0.0
    for sign in (1.0, -1.0):
        drift, barrier = sign * shift - slack, alarm + _EXCESS
        if abs(drift) < 1e-9:
            length = barrier**2
        else:
            exponent = min(-2.0 * drift * barrier, 700.0)
            length = (math.exp(exponent) - exponent - 1.0) / (2.0 * drift**2)
        rate += 1.0 / length
    return 1.0 / (observables * rate)
