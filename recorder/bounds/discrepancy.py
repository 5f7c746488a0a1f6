"""The discrepancy of the model: hysteresis, girders, unknown multipoles, drift; fitted on held-out commands.

A reading's deviation from the prediction has, beside the parameters' variance and the noise, the variance
(r e)^2 + f^2, where e is the size of the command's effect on the readings of the plane, r the relative discrepancy and
f a floor. Both r and f are those that make the held-out residuals most likely (M. Kennedy, A. O'Hagan, J. R. Stat. Soc.
B 63 (2001) 425, with a discrepancy without correlation). They grow with the age of the calibration.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]

#: Groups of readings that share a term.
GROUPS = ("orbit_x", "orbit_y", "tune_x", "tune_y")
#: Largest deviation, in the expected standard deviation, that counts in the fit: outliers are for the conformal shell.
CLIP = 6.0
#: Terms before any held-out command was seen: of the effect, and of the noise.
FIRST_RELATIVE, FIRST_FLOOR = 0.02, 0.3
DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Term:
    """A discrepancy: `relative` of the effect, and `floor` in units of the noise."""

    relative: float = FIRST_RELATIVE
    floor: float = FIRST_FLOOR


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Terms by kind of command and group of readings; `growth_per_day` is the part by which they grow each day."""

    terms: Mapping[tuple[str, str], Term]
    growth_per_day: float = 0.2

    def variances(self, kind: str, effect: Floats, noise: Floats, count: int, age_s: float) -> Floats:
        """Compute the variances (rows,) of all readings, `count` monitors' x and y, and both tunes.

        `effect` (4,) is the size of the effect on each group, `noise` (rows,) the readings' standard deviations.
        """
        grown = 1.0 + self.growth_per_day * max(age_s, 0.0) / DAY_S
        variances = np.empty(2 * count + 2)
        for number, where in enumerate(group_slices(count)):
            term = self.terms.get((kind, GROUPS[number]), Term())
            floor = term.floor * noise[where]
            variances[where] = grown**2 * ((term.relative * effect[number]) ** 2 + floor**2)
        return variances


def group_slices(count: int) -> tuple[slice, slice, slice, slice]:
    """Rows of each group, for `count` monitors."""
    return slice(0, count), slice(count, 2 * count), slice(2 * count, 2 * count + 1), slice(2 * count + 1, None)


def effect_sizes(effect: Floats, parameter_variances: Floats, count: int) -> Floats:
    """Compute the size (4,) of a command's effect on each group: rms of the predicted, and of what is uncertain of it.

    Both planes of the orbit share theirs, since errors couple them; so do the tunes.
    """
    squares = effect**2 + parameter_variances
    orbit, tune = np.sqrt(squares[: 2 * count].mean()), np.sqrt(squares[2 * count :].mean())
    return np.array([orbit, orbit, tune, tune])


def fit_term(residuals: Floats, known_variances: Floats, effects: Floats, noise: Floats) -> Term:
    """Fit a term to residuals (m,) by maximum likelihood; NaN is left out. Without residuals, the first guess."""
    valid = np.isfinite(residuals) & (known_variances > 0.0)
    if valid.sum() < 2:
        return Term()
    r, known, e, n = residuals[valid], known_variances[valid], effects[valid], noise[valid]

    def cost(logs: Floats) -> float:
        relative, floor = np.exp(logs)
        variance = known + (relative * e) ** 2 + (floor * n) ** 2
        return float((np.minimum(r**2 / variance, CLIP**2) + np.log(variance)).mean())

    starts = [np.log([a, b]) for a in (1e-3, 3e-2) for b in (1e-2, 1.0)]
    bounds = [(np.log(1e-5), np.log(3.0)), (np.log(1e-3), np.log(30.0))]
    found = [minimize(cost, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    relative, floor = np.exp(min(found, key=lambda each: float(each.fun)).x).tolist()
    return Term(relative, floor)
