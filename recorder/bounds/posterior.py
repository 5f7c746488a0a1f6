"""A linear-Gaussian posterior in square-root form: mean and a factor S of the covariance S S^T.

With the prior's factor P and weighted readings, [P^-1; W J] = Q R gives the information's square root R, hence S =
R^-1, without forming a matrix of squares: a posterior of parameters that readings hardly tell apart stays positive (G.
Bierman, Factorization Methods for Discrete Sequential Estimation, 1977, ch. V). Columns that no reading depends on keep
their prior, and stay out of the factor.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack, solve_triangular

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Mean (n,), and the covariance: `factor` (k, k), upper triangular, of the parameters `active` (k,).

    All other parameters are independent, with standard deviations `widths` (n,).
    """

    mean: Floats
    widths: Floats
    active: Integers
    factor: Floats

    @classmethod
    def prior(cls, widths: Floats) -> "Posterior":
        """Return the prior: independent, about 0."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(np.zeros(widths.size), widths, nothing, np.empty((0, 0)))

    def variances(self, jacobian: Floats) -> Floats:
        """Push forward: the variances (rows,) of J theta, the diagonal of J S S^T J^T."""
        independent = self.widths.copy()
        independent[self.active] = 0.0
        own: Floats = (jacobian**2) @ independent**2
        if self.active.size:
            own += ((jacobian[:, self.active] @ self.factor) ** 2).sum(axis=1)
        return own

    def deviations(self) -> Floats:
        """Standard deviations (n,) of the parameters."""
        deviations = self.widths.copy()
        deviations[self.active] = np.sqrt((self.factor**2).sum(axis=1))
        return deviations

    def draw(self, random: np.random.Generator, count: int) -> Floats:
        """Draw parameters (count, n)."""
        normal = random.standard_normal((count, self.mean.size))
        drawn = self.mean + normal * self.widths
        if self.active.size:
            drawn[:, self.active] = self.mean[self.active] + normal[:, self.active] @ self.factor.T
        return drawn

    def inflated(self, factor: float) -> "Posterior":
        """Multiply the standard deviations of what was measured."""
        return Posterior(self.mean, self.widths, self.active, factor * self.factor)


def update(prior: Posterior, jacobian: Floats, residual: Floats, deviations: Floats) -> Posterior:
    """Update with readings (m,): `residual` is measured less expected at the prior's mean, `jacobian` (m, n).

    `deviations` (m,) are those of the readings' noise; readings that are not finite are left out.
    """
    valid = np.isfinite(residual) & np.isfinite(deviations) & (deviations > 0.0)
    rows = jacobian if valid.all() else jacobian[valid]
    seen = np.flatnonzero(rows.any(axis=0))
    active = np.union1d(prior.active, seen).astype(np.int64)
    if not active.size:
        return prior
    information = np.zeros((active.size, active.size))
    known = np.searchsorted(active, prior.active)
    new = np.setdiff1d(np.arange(active.size), known)
    if known.size:
        information[np.ix_(known, known)] = solve_triangular(prior.factor, np.eye(known.size))
    information[new, new] = 1.0 / prior.widths[active[new]]
    stacked = np.empty((active.size + len(rows), active.size + 1), order="F")
    stacked[: active.size, :-1], stacked[: active.size, -1] = information, 0.0
    noise = deviations[valid]
    for column, parameter in enumerate(active.tolist()):
        stacked[active.size :, column] = rows[:, parameter] / noise
    stacked[active.size :, -1] = residual[valid] / noise
    # In place: for a large ring this is a gigabyte.
    work = int(lapack.dgeqrf_lwork(*stacked.shape)[0])
    both = np.triu(lapack.dgeqrf(stacked, lwork=work, overwrite_a=True)[0][: active.size])
    root, target = both[:, :-1], both[:, -1]
    mean = prior.mean.copy()
    mean[active] += solve_triangular(root, target)
    return Posterior(mean, prior.widths, active, solve_triangular(root, np.eye(active.size)))
