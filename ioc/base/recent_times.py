"""Durations of the most recent results or puts."""

from collections import deque

import numpy as np

#: How many are remembered.
LAST = 1_000


class RecentTimes:
    """The durations of the last `LAST` results or puts [s]. Adding one costs next to nothing."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=LAST)

    def add(self, seconds: float) -> None:
        """Remember one more, and forget the oldest."""
        self._seconds.append(seconds)

    def percentile(self, percent: float) -> float:
        """Return what this share of them did not exceed [s]; 0 as long as there is none."""
        return float(np.percentile(self._seconds, percent)) if self._seconds else 0.0
