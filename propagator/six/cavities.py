"""Voltages, wave numbers and phases of a ring's cavities, for its reference particle."""

import math
from dataclasses import dataclass

import numpy as np

from gnomon.lattice import LatticeError, Ring
from gnomon.lattice.elements import Cavity
from gnomon.propagator.compiled import Floats, Integers


@dataclass(frozen=True, slots=True)
class Phase:
    """Synchronous phase [rad] of the fundamental cavities, or the reason why there is none."""

    radians: float
    reason: str = ""


class Cavities:
    """The cavities of a ring; `voltage_v` replaces the total of the fundamental ones, shared out as in the design.

    Fundamental cavities have the ring's harmonic number; their phase makes up for the energy loss. Harmonic cavities
    are at their zero crossing, where a positive voltage increases the fundamental's slope and a negative one reduces
    it. Raises LatticeError for a voltage that is below 0 or not finite, or that is given to a ring without fundamental
    cavities.
    """

    def __init__(self, ring: Ring, voltage_v: float | None = None) -> None:
        found = [(i, e) for i, e in enumerate(ring.elements) if isinstance(e, Cavity)]
        self.elements: Integers = np.array([i for i, _ in found], dtype=np.int64)
        self.harmonics: Floats = np.array([float(e.harmonic_number or ring.harmonic_number) for _, e in found])
        self.fundamental = self.harmonics == ring.harmonic_number
        self.voltages: Floats = np.array([e.voltage for _, e in found])
        if voltage_v is not None:
            if not (math.isfinite(voltage_v) and voltage_v >= 0.0):
                raise LatticeError(f"{ring.name}: cavity voltage {voltage_v} V; give a finite one of at least 0 V")
            if not self.fundamental.any():
                raise LatticeError(
                    f"{ring.name} has no cavity at harmonic number {ring.harmonic_number} to take {voltage_v:g} V"
                )
            now = self.voltages[self.fundamental]
            shares = now / now.sum() if now.sum() > 0.0 else np.full(now.size, 1.0 / now.size)
            self.voltages[self.fundamental] = voltage_v * shares
        self.total_v = float(self.voltages[self.fundamental].sum())

    def phase(self, loss_ev: float, slip: float) -> Phase:
        """Find the phase at which the fundamental gives `loss_ev` and focuses; `slip` [m] is d(path)/d(delta)."""
        if self.total_v == 0.0:
            return Phase(math.nan, "no stable phase: the fundamental cavities have a voltage of 0 V; give one")
        if loss_ev >= self.total_v:
            return Phase(
                math.nan, f"no stable phase: the energy loss of {loss_ev:.6g} eV needs more than {self.total_v:.6g} V"
            )
        rising = math.asin(loss_ev / self.total_v)
        return Phase(rising if slip > 0.0 else math.pi - rising)

    def columns(self, energy_ev: float, circumference: float, phase: float) -> Floats:
        """Return voltage over energy, wave number [1/m] and lag [rad] of each cavity, (cavities, 3)."""
        slope = math.copysign(1.0, math.cos(phase))
        out = np.zeros((self.elements.size, 3))
        out[:, 0] = self.voltages / energy_ev * np.where(self.fundamental, 1.0, slope)
        out[:, 1] = 2.0 * math.pi * self.harmonics / circumference
        out[:, 2] = np.where(self.fundamental, phase, 0.0)
        return out
