"""Kolmogorov's test of a distribution; scipy.stats, which has it, takes longer to import than all tests of draws."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov, ndtr

Floats = NDArray[np.float64]


def probability(values: Any, law: Callable[[Floats], Floats]) -> float:
    """Probability that many draws of the law are further from it than these values."""
    ordered = np.sort(np.asarray(values))
    below, ranks = law(ordered), np.arange(len(ordered) + 1) / len(ordered)
    distance = max((ranks[1:] - below).max(), (below - ranks[:-1]).max())
    return float(kolmogorov(math.sqrt(len(ordered)) * distance))


def uniform(x: Floats) -> Floats:
    """Distribution function of numbers between 0 and 1."""
    return np.clip(x, 0.0, 1.0)


def cut_normal(low: float, high: float) -> Callable[[Floats], Floats]:
    """Distribution function of standard normal numbers between `low` and `high`."""
    return lambda x: np.asarray((ndtr(np.clip(x, low, high)) - ndtr(low)) / (ndtr(high) - ndtr(low)))
