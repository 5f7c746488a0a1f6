"""Effects of faults on power supplies: pure, from the faults that act now to numbers for each supply.

Several faults of one supply combine so: a supply that is off neither hunts nor ramps; of several ramps the slowest
counts; swings, ripples and widths of hysteresis add up; readbacks are changed in the order of the faults' numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection.draws import Draws, Lane
from gnomon.fault_injection.dynamics.hysteresis import Hysteresis
from gnomon.fault_injection.dynamics.supplies import SupplyDynamics, SupplyState
from gnomon.fault_injection.injector import Active
from gnomon.fault_injection.kinds.supplies import (
    SupplyFault,
    SupplyHysteresis,
    SupplyLimitCycle,
    SupplyReadback,
    SupplyRipple,
    SupplySlow,
    SupplyTrip,
)

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SupplyEffects:
    """Effects on n supplies at one time, each (n,), currents in A.

    Those that are `off` fall to 0 with `decay_s` [s]; the others ramp no faster than `rate` [A/s]. `swing` is added to
    current and readback, `ripple` to the field alone, `width` to the width of the hysteresis loop. The readback is
    `scale` * current + `offset`, and the field that of `field_scale` * current + `field_offset`.
    """

    off: Booleans
    decay_s: Floats
    rate: Floats
    swing: Floats
    ripple: Floats
    width: Floats
    scale: Floats
    offset: Floats
    field_scale: Floats
    field_offset: Floats

    @classmethod
    def none(cls, n: int) -> "SupplyEffects":
        """No effect on n supplies."""
        zero, one = np.zeros(n), np.ones(n)
        return cls(np.zeros(n, dtype=bool), zero, np.full(n, np.inf), zero, zero, zero, one, zero, one, zero)

    def dynamics(self, own: SupplyDynamics) -> SupplyDynamics:
        """The supplies' dynamics with these effects, from their own."""
        return replace(
            own,
            rate=np.where(self.off, np.inf, np.minimum(own.rate, self.rate)),
            lag_s=np.where(self.off, self.decay_s, own.lag_s),
        )

    def accepted(self, own: SupplyDynamics, state: SupplyState, setpoints: Floats) -> SupplyState:
        """State with the targets that follow from setpoints (n,): 0 for a supply that is off."""
        return replace(state, target=np.where(self.off, 0.0, own.quantised(setpoints)))

    def readbacks(self, currents: Floats) -> Floats:
        """Return the readbacks (n,) of currents (n,)."""
        return self.scale * (currents + self._swing()) + self.offset

    def fields(self, fields: Floats, currents: Floats, state: SupplyState, iron: Hysteresis) -> Floats:
        """The currents (n,) that would give the fields; `fields` (n,) are those without these effects.

        `iron` is of a loop that is as wide as the range.
        """
        hysteresis = self.width * iron.error(state.iron, currents) if self.width.any() else 0.0
        ripple = np.where(self.off, 0.0, self.ripple)
        return self.field_scale * (fields + self._swing()) + self.field_offset + hysteresis + ripple

    def _swing(self) -> Floats:
        return np.where(self.off, 0.0, self.swing)


def combined_effects(acting: Sequence[tuple[Active, Booleans]], span: Floats, draws: Draws) -> SupplyEffects:
    """Work out the effects of faults on the supplies in their masks (n,); `span` (n,) is the range of a current [A]."""
    effects = SupplyEffects.none(len(span))
    for active, mask in acting:
        effects = _with(effects, active, mask, span, draws)
    return effects


def _with(effects: SupplyEffects, active: Active, mask: Booleans, span: Floats, draws: Draws) -> SupplyEffects:
    request, since_s = active.fault.request, active.since_s
    match request:
        case SupplyTrip():
            first = mask & ~effects.off
            return replace(effects, off=effects.off | mask, decay_s=np.where(first, request.decay_s, effects.decay_s))
        case SupplyLimitCycle():
            swing = request.amplitude_a * np.sin(2.0 * np.pi * since_s / request.period_s)
            return replace(effects, swing=effects.swing + np.where(mask, swing, 0.0))
        case SupplyRipple():
            phases = 2.0 * np.pi * draws.uniforms(active.fault.id, 0, Lane.PHASE, len(span))
            ripple = request.amplitude_a * np.sin(2.0 * np.pi * request.frequency_hz * since_s + phases)
            return replace(effects, ripple=effects.ripple + np.where(mask, ripple, 0.0))
        case SupplyReadback():
            return _off(effects, request, mask)
        case SupplySlow():
            return replace(effects, rate=np.where(mask, np.minimum(effects.rate, span / request.ramp_s), effects.rate))
        case SupplyHysteresis():
            grown = 1.0 if request.grow_s == 0.0 else min(since_s / request.grow_s, 1.0)
            return replace(effects, width=effects.width + np.where(mask, grown * request.width, 0.0))
        case _:
            return effects


def _off(effects: SupplyEffects, request: SupplyReadback, mask: Booleans) -> SupplyEffects:
    scale, offset = np.where(mask, request.scale, 1.0), np.where(mask, request.offset_a, 0.0)
    effects = replace(effects, scale=scale * effects.scale, offset=scale * effects.offset + offset)
    if request.field == "setpoint":
        return effects
    return replace(effects, field_scale=scale * effects.field_scale, field_offset=scale * effects.field_offset + offset)


def fitting(request: SupplyFault, names: Sequence[str]) -> Booleans:
    """Find the supplies (n,) that a fault is about, by their names."""
    return np.array([request.matches(name) for name in names], dtype=bool)
