"""Stored current and lifetime by a simple model, whose numbers are in the machine document. Pure."""

import math
from collections import deque

from gnomon.lattice.document import StoredBeamPart

HOUR_S = 3600.0

#: Maximum time over which a lifetime is averaged [s].
MAX_DURATION_S = 100.0

#: Part of the nominal current from which on nothing is injected.
FULL = 0.999


class StoredBeam:
    """A stored current [mA] that decays by gas and Touschek scattering, with or without top-up, until the beam is lost.

    1 / lifetime = 1 / gas + (current / nominal) / (volume / nominal volume) / touschek; `decayed` is its solution in
    closed form. A twin needs no injection: the nominal current returns as soon as a beam can be stored. If the machine
    document has no such part, the current does not fall and there is no lifetime. `lifetime_factor` is one on the
    lifetime, for what shortens it besides. Times are in s.
    """

    def __init__(self, part: StoredBeamPart | None, nominal_ma: float) -> None:
        self._part = part
        self._nominal_ma = nominal_ma
        self._now_s = self._filled_s = 0.0
        self._injected_s = -math.inf
        self._lifetimes: deque[tuple[float, float]] = deque()
        self._further = 0.0
        self.lifetime_factor = 1.0
        self.current_ma = 0.0
        self.stored = False

    def advance(self, now_s: float, volume: float, further_losses: float = 0.0) -> None:
        """Advance to `now_s`; `volume` is the beam volume over the nominal one, NaN while no beam can be stored.

        `further_losses` is a rate [1/s] that adds to that of gas scattering; inf loses the beam.
        """
        self._further = further_losses
        passed_s, self._now_s = now_s - self._now_s, now_s
        if passed_s < 0.0:  # the clock was set back: count no time as passed
            self._filled_s += passed_s
            self._injected_s += passed_s
            self._lifetimes = deque((time_s + passed_s, lifetime) for time_s, lifetime in self._lifetimes)
            passed_s = 0.0
        if not (math.isfinite(volume) and math.isfinite(further_losses)):
            self.lose()
            return
        if not self.stored:
            self.stored, self._filled_s, self.current_ma = True, now_s, self._nominal_ma
        elif self._part is not None:
            self._fall(passed_s, volume, self._part)
        elif further_losses > 0.0:
            self.current_ma *= math.exp(-further_losses / self.lifetime_factor * passed_s)
        lifetime_s = self.lifetime_s(volume)
        if math.isfinite(lifetime_s):
            self._lifetimes.append((now_s, lifetime_s))
        while self._lifetimes and self._lifetimes[0][0] <= now_s - MAX_DURATION_S:
            self._lifetimes.popleft()

    def lose(self) -> None:
        """Lose the beam."""
        self.stored, self.current_ma, self._injected_s = False, 0.0, -math.inf
        self._lifetimes.clear()

    def lose_part(self, fraction: float) -> None:
        """Lose a part of the current at once."""
        self.current_ma *= 1.0 - fraction

    def fill(self) -> bool:
        """Inject up to the nominal current, as a top-up does; False if no beam is stored, or hardly anything misses."""
        if not self.stored or self.current_ma >= FULL * self._nominal_ma:
            return False
        self.current_ma, self._filled_s, self._injected_s = self._nominal_ma, self._now_s, self._now_s
        return True

    def countdown_s(self) -> float:
        """Time to the next top-up [s]; NaN if there will be none."""
        if self._part is None or self._part.top_up_s is None or not self.stored:
            return math.nan
        return self._filled_s + self._part.top_up_s - self._now_s

    def injecting(self) -> bool:
        """True while the injection gate is on: from `gate_s` before a top-up to `gate_s` after it."""
        if self._part is None or not self.stored:
            return False
        return self.countdown_s() <= self._part.gate_s or self._now_s - self._injected_s < self._part.gate_s

    def lifetime_s(self, volume: float) -> float:
        """Present lifetime [s]."""
        if self._part is None or not self.stored:
            return math.nan
        gas, touschek = self._rates(volume, self._part)
        return 1.0 / (gas + touschek * self.current_ma)

    def average_s(self, span_s: float) -> float:
        """Return the lifetime [s] averaged over the last `span_s`, or over the time recorded if that is shorter."""
        found = [lifetime for time_s, lifetime in self._lifetimes if time_s > self._now_s - span_s]
        return sum(found) / len(found) if found else math.nan

    def _fall(self, passed_s: float, volume: float, part: StoredBeamPart) -> None:
        gas, touschek = self._rates(volume, part)
        if part.top_up_s is not None and self._now_s - self._filled_s >= part.top_up_s:
            over_s = (self._now_s - self._filled_s) % part.top_up_s
            self._filled_s, self.current_ma, passed_s = self._now_s - over_s, self._nominal_ma, over_s
            self._injected_s = self._filled_s
        self.current_ma = decayed(self.current_ma, passed_s, gas, touschek)

    def _rates(self, volume: float, part: StoredBeamPart) -> tuple[float, float]:
        """Return the loss rates by gas [1/s] and by Touschek scattering [1/s per mA]."""
        touschek = 1.0 / (part.touschek_lifetime_h * HOUR_S * self._nominal_ma * volume)
        gas = 1.0 / (part.gas_lifetime_h * HOUR_S) + self._further
        return gas / self.lifetime_factor, touschek / self.lifetime_factor


def decayed(current: float, seconds: float, gas: float, touschek: float) -> float:
    """Solve dI/dt = -gas I - touschek I^2 for a time in `seconds`; rates in 1/s, and in 1/s per unit of current."""
    left = math.exp(-gas * seconds)
    return current * left / (1.0 + touschek * current * (1.0 - left) / gas)
