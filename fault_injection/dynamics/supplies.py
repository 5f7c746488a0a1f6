"""Power supplies: quantised setpoints, ramps at a limited rate, and a lag of first order, solved exactly."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection.dynamics.hysteresis import Hysteresis

Floats = NDArray[np.float64]

#: Distance from the setpoint, as a fraction of its resolution or of one unit, at which a supply has arrived.
ARRIVED = 1e-6


@dataclass(frozen=True, slots=True)
class SupplyState:
    """State of n supplies: `target` (n,) of the ramp, the `ramp` (n,) itself, the `current` (n,) that follows it, and
    the `iron` (n, m) of the magnets (see `Hysteresis`). All but the iron are in the supply's own unit."""

    target: Floats
    ramp: Floats
    current: Floats
    iron: Floats


@dataclass(frozen=True, slots=True)
class SupplyDynamics:
    """Parameters of n supplies, each (n,): `rate` of the ramp [unit/s, inf: none], `lag_s` [s], `resolution` of the
    setpoint [unit, 0: none]; ripple as `ripple` amplitude [unit], `ripple_hz` and `ripple_phase` [rad]."""

    rate: Floats
    lag_s: Floats
    resolution: Floats
    ripple: Floats
    ripple_hz: Floats
    ripple_phase: Floats
    hysteresis: Hysteresis

    @classmethod
    def ideal(cls, low: Floats, high: Floats) -> Self:
        """Supplies that are at their setpoints at once, and iron without hysteresis; `low` and `high` (n,) [unit]."""
        zero = np.zeros_like(low)
        none = Hysteresis.of_remanence(low, high, zero)
        return cls(np.full_like(low, np.inf), zero, zero, zero, zero, zero, none)

    def cycled(self, setpoints: Floats) -> SupplyState:
        """Supplies at rest at `setpoints` (n,), after the standard cycle of their magnets."""
        target = self.quantised(setpoints)
        return SupplyState(target, target, target, self.hysteresis.cycled(target))

    def quantised(self, setpoints: Floats) -> Floats:
        """The values (n,) that the supplies' converters make of setpoints."""
        steps = np.where(self.resolution > 0.0, self.resolution, 1.0)
        return np.where(self.resolution > 0.0, np.rint(setpoints / steps) * steps, setpoints)

    def accept(self, state: SupplyState, setpoints: Floats) -> SupplyState:
        """State after supplies took `setpoints` (n,): they ramp from where they are."""
        return replace(state, target=self.quantised(setpoints))

    def advance(self, state: SupplyState, seconds: float) -> SupplyState:
        """State after some time with the same setpoints, exact for any length of it.

        The ramp r goes at `rate` to the target and stays. The current y follows, y' = (r - y) / lag, so that on a
        straight part of slope s, y = r - s lag + (y0 - r0 + s lag) exp(-t / lag). Where it turns, as after a setpoint
        that takes back an earlier one, the iron sees the turning point.
        """
        if self.is_at_rest(state).all():
            return state
        distance = state.target - state.ramp
        limited = np.isfinite(self.rate)
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = np.where(limited & (distance != 0.0), np.abs(distance) / self.rate, 0.0)
        ramping = np.minimum(seconds, needed)
        slope = np.where(limited, np.sign(distance) * np.where(limited, self.rate, 0.0), 0.0)
        start = np.where(limited, state.ramp, state.target)
        turned = self._turning_current(state.current, start, slope, ramping)
        iron = self.hysteresis.moved(state.iron, turned)
        ended = needed <= seconds
        ramp = np.where(ended, state.target, start + slope * ramping)
        current = self._follow(state.current, start, slope, ramping)
        current = self._follow(current, ramp, np.zeros_like(slope), seconds - ramping)
        current = np.where((ramp == state.target) & (np.abs(current - ramp) < self._tolerance()), ramp, current)
        return SupplyState(state.target, ramp, current, self.hysteresis.moved(iron, current))

    def is_at_rest(self, state: SupplyState) -> NDArray[np.bool_]:
        """Tell which supplies (n,) have arrived at their setpoints."""
        at_rest: NDArray[np.bool_] = (state.ramp == state.target) & (state.current == state.target)
        return at_rest

    def field_currents(self, state: SupplyState, time_s: float) -> Floats:
        """The currents (n,) that would give the magnets' fields without hysteresis and ripple, at a time [s]."""
        ripple = self.ripple * np.sin(2.0 * np.pi * self.ripple_hz * time_s + self.ripple_phase)
        return state.current + self.hysteresis.error(state.iron, state.current) + ripple

    def _tolerance(self) -> Floats:
        return ARRIVED * np.where(self.resolution > 0.0, self.resolution, 1.0)

    def _follow(self, current: Floats, start: Floats, slope: Floats, seconds: Floats) -> Floats:
        """The current (n,) after some time on a straight part of the ramp."""
        behind = current - start + slope * self.lag_s
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.where(self.lag_s > 0.0, np.exp(-seconds / self.lag_s), 0.0)
        return start + slope * seconds - slope * self.lag_s + behind * left

    def _turning_current(self, current: Floats, start: Floats, slope: Floats, seconds: Floats) -> Floats:
        """The current (n,) where it turns within this part of the ramp, else the present one."""
        lags = self.lag_s * slope
        with np.errstate(divide="ignore", invalid="ignore"):
            when = self.lag_s * np.log(1.0 + (current - start) / lags)
        turns = (lags != 0.0) & ((current - start) * slope > 0.0) & (when < seconds)
        return np.where(turns, start + slope * np.where(turns, when, 0.0), current)
