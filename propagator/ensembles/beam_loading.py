"""Beam loading: a cavity's voltage is the generator's plus that excited by all earlier passages of the beam."""

import cmath
import math

import numpy as np

from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.compiled import Floats
from gnomon.propagator.ensembles.tracking_errors import TrackingError, checked_count, checked_number
from gnomon.propagator.ensembles.wake import Resonance, bunch_wake


class BeamLoadingCavity:
    """A collective step with the phasor of a resonance; the ensemble stands for each of `bunches` equal bunches.

    `resonance_hz`, `shunt_impedance_ohm` (V^2 / 2P, loaded) and `quality` (loaded) define the resonance.
    `rf_frequency_hz` and `harmonic_number` set the time between passages, so the RF must stay at its reference.
    `current_a` is the average current of all bunches. The generator gives delta -= `voltage_v` sin(2 pi f ct / c -
    `phase_rad`) / E. In the steady state after many turns the beam's phasor is 2 I R cos(psi) e^(i psi), tan(psi) =
    2 Q (f_res - f) / f (P. Wilson, SLAC-PUB-2884 (1982)).
    """

    def __init__(
        self,
        resonance_hz: float,
        shunt_impedance_ohm: float,
        quality: float,
        *,
        rf_frequency_hz: float,
        harmonic_number: int,
        current_a: float,
        energy_ev: float,
        voltage_v: float = 0.0,
        phase_rad: float = 0.0,
        bunches: int | None = None,
        bins: int = 50,
    ) -> None:
        self.resonance = Resonance(resonance_hz, shunt_impedance_ohm, quality)
        self.rf_frequency_hz = checked_number("RF frequency", rf_frequency_hz, "Hz", 1.0, 1e15)
        self.harmonic_number = checked_count("harmonic number", harmonic_number, 1, 10_000_000)
        self.current_a = checked_number("current", current_a, "A", 0.0, 1e6)
        self.energy_ev = checked_number("energy", energy_ev, "eV", 1.0, 1e18)
        self.voltage_v = checked_number("voltage", voltage_v, "V", -1e12, 1e12)
        self.phase_rad = checked_number("phase", phase_rad, "rad", -100.0, 100.0)
        self.bunches = checked_count("bunches", harmonic_number if bunches is None else bunches, 1, harmonic_number)
        if harmonic_number % self.bunches:
            raise TrackingError(f"bunches: {self.bunches} do not stand evenly in {harmonic_number} buckets")
        self.bins = checked_count("bins", bins, 2, 100_000)
        self._particles = 0
        self._phasor = 0j

    @property
    def beam_voltage(self) -> complex:
        """The beam's phasor [V] at the reference time of the next passage; its real part decelerates particles."""
        return self.resonance.tilt * self._phasor

    def act(self, coordinates: Floats, turn: int) -> None:
        """Change the momenta of the particles (6, n), and advance the phasor to the next turn."""
        self._particles = self._particles or coordinates.shape[1]
        revolution = self.harmonic_number / self.rf_frequency_hz
        charge = self.current_a * revolution / self.bunches / self._particles
        ct = coordinates[5]
        time = ct / SPEED_OF_LIGHT
        rate = self.resonance.rate
        voltage = bunch_wake(self.resonance, ct, charge, self.bins)
        voltage += np.real(self.beam_voltage * np.exp(rate * time))
        voltage += self.voltage_v * np.sin(2.0 * math.pi * self.rf_frequency_hz * time - self.phase_rad)
        left = self.resonance.amplitude * charge * complex(np.exp(-rate * time).sum())
        spaced = cmath.exp(rate * (revolution / self.bunches))
        around = cmath.exp(rate * revolution)
        self._phasor = self._phasor * around + left * spaced * (1.0 - around) / (1.0 - spaced)
        coordinates[4] -= voltage / self.energy_ev
