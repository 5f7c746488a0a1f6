"""Rate at which a stored beam is lost, from its current over time. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LossRate", "fit_loss_rate", "fit_loss_rates", "lifetime_h"]

Array = NDArray[np.float64]

HOUR_S = 3600.0
#: A current that rises by more than this, relative, or by this many times its noise, was injected.
INJECTED, INJECTED_NOISE = 2e-4, 6.0


@dataclass(frozen=True, slots=True, eq=False)
class LossRate:
    """Rate -d(ln I)/dt [1/s] with its standard deviation; NaN with less than two readings between injections.

    `current_ma` is the mean current, `noise_ma` that of a reading, `fitted_ma` (rows,) the current of the fit.
    """

    rate: float
    error: float
    current_ma: float
    noise_ma: float
    injections: int
    fitted_ma: Array


def fit_loss_rate(time_s: Array, current_ma: Array, resolution_ma: float = 0.0) -> LossRate:
    """Fit one rate of losses to a current over time; what was injected meanwhile is cut out.

    Between two injections, the logarithm of the current is a line; all have the same slope. The noise comes from the
    residuals, and is never below what steps of `resolution_ma` make: step / sqrt(12). Readings of 0 and less, of a beam
    that was lost, and NaN are left out.
    """
    fitted = np.full(len(current_ma), np.nan)
    nothing = LossRate(np.nan, np.nan, np.nan, np.nan, 0, fitted)
    used = np.flatnonzero(np.isfinite(current_ma) & np.isfinite(time_s) & (current_ma > 0.0))
    if used.size < 2:
        return nothing
    at, current = time_s[used], current_ma[used]
    part = _parts(current, resolution_ma)
    count = int(part[-1]) + 1
    # A part with one reading tells nothing of the slope.
    design = np.column_stack((*(part == number for number in range(count)), -(at - at[0]))).astype(float)
    weight = current / current.max()
    if np.linalg.matrix_rank(design) <= count:
        return nothing
    found = np.linalg.lstsq(design * weight[:, None], np.log(current) * weight, rcond=None)[0]
    fitted[used] = np.exp(design @ found)
    left = used.size - count - 1
    floor = max(resolution_ma / np.sqrt(12.0), 1e-12 * float(current.max()))
    noise = floor
    if left > 0:
        noise = max(noise, float(np.sqrt(((current - fitted[used]) ** 2).sum() / left)))
    inverse = np.linalg.inv((design * current[:, None]).T @ (design * current[:, None]))
    error = noise * float(np.sqrt(inverse[-1, -1]))
    return LossRate(float(found[-1]), error, float(current.mean()), noise, count - 1, fitted)


def fit_loss_rates(
    group: Array, count: int, time_s: Array, current_ma: Array, resolution_ma: float
) -> tuple[Array, Array]:
    """Fit a rate to the readings of each group, numbered from 0; return rates and errors (count,) [1/s], or NaN."""
    found = [
        fit_loss_rate(time_s[rows], current_ma[rows], resolution_ma) for rows in (group == n for n in range(count))
    ]
    return np.array([each.rate for each in found]), np.array([each.error for each in found])


def lifetime_h(rate: float, error: float) -> tuple[float, float, float]:
    """Return lifetime, standard deviation and lower limit (two standard deviations) of a rate [1/s], in h.

    The first two are NaN for a rate that is not above 0.
    """
    lowest = rate + 2.0 * error
    limit = 1.0 / (HOUR_S * lowest) if lowest > 0.0 else np.nan
    if not rate > 0.0:
        return np.nan, np.nan, limit
    return 1.0 / (HOUR_S * rate), error / (HOUR_S * rate**2), limit


def _parts(current: Array, resolution_ma: float) -> NDArray[np.int64]:
    """Number the readings by the injections before them."""
    steps = np.diff(current)
    usual = 1.4826 * float(np.median(np.abs(steps - np.median(steps))))
    largest = max(INJECTED * float(current.max()), INJECTED_NOISE * usual, 2.0 * resolution_ma)
    return np.concatenate(([0], np.cumsum(steps > largest)))
