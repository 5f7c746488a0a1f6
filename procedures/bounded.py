"""Bounded least squares with regularisation: which changes of settings correct readings best, within limits. Pure."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gnomon.procedures.errors import ProcedureError

__all__ = ["Method", "Solution", "setting_sizes", "solve"]

Method = Literal["svd", "tikhonov"]
Array = NDArray[np.float64]

#: Directions below this fraction of the largest singular value stay still, also where limits make others move.
STILL = 1e-6
#: Settings near zero count as this fraction of their range.
SMALL = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Changes of settings (k,); singular values, the largest first; how many were used; which settings are at a limit.

    `covariance` (k, k) is that of the changes per variance of the weighted readings, without limits.
    """

    changes: Array
    singular_values: Array
    used: int
    at_limit: NDArray[np.bool_]
    covariance: Array


def solve(
    matrix: Array,
    wanted: Array,
    low: Array,
    high: Array,
    *,
    method: Method = "svd",
    strength: float = 1e-3,
    scale: Array | None = None,
) -> Solution:
    """Find changes d of settings, low <= d <= high, for which matrix @ d is nearest to `wanted`.

    `svd` leaves out directions whose singular value is below `strength` times the largest; `tikhonov` adds
    (`strength` times the largest)^2 |d / scale|^2 to the squares. `scale` (k,), the sizes of changes that count as
    equal, makes settings with different units comparable. Rows with NaN are left out. Raises ProcedureError if nothing
    is left, or a limit excludes the present setting.
    """
    from scipy.optimize import lsq_linear

    rows = np.isfinite(matrix).all(axis=1) & np.isfinite(wanted)
    if not rows.any() or matrix.shape[1] == 0:
        raise ProcedureError(
            "no reading is left to correct" if matrix.shape[1] else "no setting is left to correct with"
        )
    if (low > 0.0).any() or (high < 0.0).any():
        raise ProcedureError("a setting is outside its limits already; bring it back first")
    sizes = np.ones(matrix.shape[1]) if scale is None else scale
    used_matrix, target = matrix[rows] * sizes, wanted[rows]
    u, values, v = np.linalg.svd(used_matrix, full_matrices=False)
    if values[0] == 0.0:
        raise ProcedureError("no setting moves any reading")
    if method == "svd":
        count = int((values >= strength * values[0]).sum())
        inverse = np.where(np.arange(values.size) < count, 1.0 / np.maximum(values, 1e-300), 0.0)
        penalty = STILL * values[0]
    else:
        count, penalty = values.size, strength * values[0]
        inverse = values / (values**2 + penalty**2)
    scaled = v.T @ (inverse * (u.T @ target))
    lowest, highest = low / sizes, high / sizes
    if ((scaled < lowest) | (scaled > highest)).any():
        kept = u[:, :count] * values[:count] @ v[:count]
        fixed = highest - lowest <= 0.0
        free = ~fixed
        scaled = np.where(fixed, 0.0, scaled)
        found = lsq_linear(
            np.vstack((kept[:, free], penalty * np.eye(int(free.sum())))),
            np.concatenate((target, np.zeros(int(free.sum())))),
            (lowest[free], highest[free]),
            method="bvls",
        )
        scaled[free] = np.clip(found.x, lowest[free], highest[free])
    gain = (v.T * inverse) * sizes[:, None]
    changes = np.clip(sizes * scaled, low, high)
    room = 1e-9 * (high - low)
    return Solution(changes, values, count, (changes <= low + room) | (changes >= high - room), gain @ gain.T)


def setting_sizes(settings: Array, low: Array, high: Array) -> Array:
    """Return the sizes of settings, of which changes are relative: their own, or a small part of their range."""
    return np.maximum(np.abs(settings), SMALL * (high - low))
