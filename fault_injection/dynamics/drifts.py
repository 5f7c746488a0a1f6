"""Slow drifts of a machine: tides and the temperature of the hall, and magnets that warm up. Pure."""

import math
from dataclasses import dataclass

#: The four largest constituents of the earth tide, period [h] and height relative to the lunar one (M2): Doodson and
#: Warburg, Admiralty Manual of Tides (1941). What they do to a ring: L. Arnaudon et al., NIM A 357 (1995) 249-252.
TIDES = ((12.4206, 1.0), (12.0, 0.465), (23.9345, 0.584), (25.8193, 0.415))

HOUR_S = 3600.0
DAY_S = 24.0 * HOUR_S


@dataclass(frozen=True, slots=True)
class Drifts:
    """Sizes of the drifts, 0 for none.

    `tide` is the amplitude of the lunar tide and `temperature` that of the daily cycle, both as relative changes of the
    circumference; `warming` is the relative change of all fields that is left at the start and dies away with
    `warming_s` [s].
    """

    tide: float = 0.0
    temperature: float = 0.0
    warming: float = 0.0
    warming_s: float = 2.0 * HOUR_S

    def circumference(self, time_s: float) -> float:
        """Relative change of the circumference at a time [s since 1970]; the hall is warmest at 18:00 UTC."""
        tide = sum(height * math.cos(2.0 * math.pi * time_s / (hours * HOUR_S)) for hours, height in TIDES)
        daily = math.sin(2.0 * math.pi * (time_s / DAY_S - 0.5))
        return self.tide * tide + self.temperature * daily

    def fields(self, since_start_s: float) -> float:
        """Relative change of the fields of warming magnets, some time after they were switched on [s]."""
        return self.warming * math.exp(-max(since_start_s, 0.0) / self.warming_s)
