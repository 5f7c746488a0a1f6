"""The way of one step: bands between its start and its end, from the band at the end, without another beam.

The first tier is linear in the step, so expected values between the ends are those of a straight line. Half widths are
those of the end, which are the largest: variances grow with the step. A clearance is concave along the way, so that a
straight line between its ends is a lower bound of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Key
from gnomon.recorder.bounds.band import Band

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """A step of one setting, `key` from `old` to `new`, of a machine with `settings` that showed `shown` (rows,).

    `start` (n,) has the lower bounds, expected values and upper bounds before the step, `end` is the band after it.
    """

    settings: Mapping[Key, float]
    shown: Floats
    now_ns: int
    key: Key
    old: float
    new: float
    start: tuple[Floats, Floats, Floats]
    end: Band

    def part(
        self, settings: Mapping[Key, float], changes: Mapping[Key, float], shown: Floats, coverage: float, now_ns: int
    ) -> float | None:
        """Find which part of this step a command is, above 0 and below 1; None for one of another way."""
        if len(changes) != 1 or self.key not in changes or coverage != self.end.coverage or now_ns != self.now_ns:
            return None
        part = (changes[self.key] - self.old) / (self.new - self.old)
        same = 0.0 < part < 1.0 and np.array_equal(shown, self.shown, equal_nan=True) and settings == self.settings
        return part if same else None

    def band(self, part: float) -> Band:
        """Make the band after a part of the step."""
        end = self.end
        lower, expected, upper = (
            first + part * (last - first)
            for first, last in zip(self.start, (end.lower, end.expected, end.upper), strict=True)
        )
        return replace(end, expected=expected, lower=lower, upper=upper)
