"""Statistics of the gate's evidence: intervals of a coverage, of a rate, and quantiles with a guarantee. Pure."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def _laws() -> Any:
    from scipy import stats  # half a second, which each process of the unit tests would take

    return stats


def conformal_rank(count: int, coverage: float) -> int | None:
    """Rank of the held-out score, from 1, that bounds the next one with a probability of at least `coverage`.

    It is k = ceil((n + 1) coverage); None if n scores are too few.
    """
    rank = math.ceil((count + 1) * coverage - 1e-9)
    return rank if rank <= count else None


def conformal_quantile(scores: Floats, coverage: float) -> float:
    """The score of that rank; infinite if there are too few."""
    rank = conformal_rank(scores.size, coverage)
    return math.inf if rank is None else float(np.partition(scores, rank - 1)[rank - 1])


@dataclass(frozen=True, slots=True)
class Coverage:
    """Commands of one bin: `calibrated` of them made the bound, and of `tested` others `inside` were inside it."""

    calibrated: int
    tested: int
    inside: int
    coverage: float

    @property
    def realised(self) -> float:
        """Part of the tested commands that were inside."""
        return self.inside / self.tested if self.tested else math.nan

    @property
    def expected(self) -> float:
        """Mean of the realised coverage, k / (n + 1); NaN if there are too few calibrated commands."""
        rank = conformal_rank(self.calibrated, self.coverage)
        return math.nan if rank is None else rank / (self.calibrated + 1)

    def interval(self, bins: int, confidence: float = 0.99) -> tuple[float, float]:
        """Interval in which the realised coverages of `bins` bins all are, with this confidence (Bonferroni).

        With exchangeable commands, the coverage that a bin's bound has is Beta(k, n + 1 - k), and the number inside is
        beta-binomial: V. Vovk, Conditional validity of inductive conformal predictors, ACML 2012.
        """
        rank = conformal_rank(self.calibrated, self.coverage)
        if rank is None or not self.tested:
            return math.nan, math.nan
        tail = 0.5 * (1.0 - confidence) / bins
        law = _laws().betabinom(self.tested, rank, self.calibrated + 1 - rank)
        # ppf gives the smallest number whose distribution function reaches the tail, so below it is at most the tail.
        return float(law.ppf(tail)) / self.tested, float(law.ppf(1.0 - tail)) / self.tested

    def holds(self, bins: int, confidence: float = 0.99) -> bool:
        """Tell whether the realised coverage is in that interval."""
        low, high = self.interval(bins, confidence)
        return low <= self.realised <= high

    def low_quantile(self, probability: float = 0.05) -> float:
        """Coverage that a calibration of this size falls below with this probability."""
        rank = conformal_rank(self.calibrated, self.coverage)
        if rank is None:
            return math.nan
        return float(_laws().beta(rank, self.calibrated + 1 - rank).ppf(probability))


def pooled(bins: list[Coverage]) -> tuple[float, float, tuple[float, float]]:
    """Pool bins: realised coverage, its standard error if exchangeable, and the expected one with its nominal value.

    Returns (realised, standard error, (expected, nominal)).
    """
    tested = sum(each.tested for each in bins)
    inside = sum(each.inside for each in bins)
    variance = 0.0
    expected = 0.0
    for each in bins:
        rank = conformal_rank(each.calibrated, each.coverage)
        if rank is None:
            return math.nan, math.nan, (math.nan, math.nan)
        law = _laws().betabinom(each.tested, rank, each.calibrated + 1 - rank)
        variance += float(law.var())
        expected += each.tested * each.expected
    return inside / tested, math.sqrt(variance) / tested, (expected / tested, bins[0].coverage)


def rate_interval(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a probability by Clopper and Pearson (Biometrika 26, 404, 1934); one-sided when nothing was hit."""
    if not trials:
        return 0.0, 1.0
    if hits == 0:
        return 0.0, 1.0 - (1.0 - confidence) ** (1.0 / trials)
    tail = 0.5 * (1.0 - confidence)
    low = float(_laws().beta(hits, trials - hits + 1).ppf(tail))
    high = 1.0 if hits == trials else float(_laws().beta(hits + 1, trials - hits).ppf(1.0 - tail))
    return low, high


def median_interval(values: Floats, confidence: float = 0.95) -> tuple[float, float, float]:
    """Median and its interval by order statistics: (median, low, high)."""
    ordered = np.sort(values)
    n = ordered.size
    if n == 0:
        return math.nan, math.nan, math.nan
    tail = 0.5 * (1.0 - confidence)
    below = int(_laws().binom(n, 0.5).ppf(tail))
    return float(np.median(ordered)), float(ordered[max(below - 1, 0)]), float(ordered[min(n - below, n - 1)])
