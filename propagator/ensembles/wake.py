"""The wake of a resonance, and its effect on the slices of a bunch.

A. Chao, Physics of Collective Beam Instabilities (1993), eq. 2.84, with the circuit definition of the shunt impedance
(V^2 / 2P): for t > 0 behind a charge, W(t) = w R / Q e^(-a t) (cos v t - a / v sin v t), a = w / 2Q, v^2 = w^2 - a^2.
A charge feels half of its own W(0).
"""

import math
from dataclasses import dataclass

import numpy as np

from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.compiled import Floats
from gnomon.propagator.ensembles.tracking_errors import TrackingError, checked_count, checked_number

#: Maximum phase of the resonance from slice to slice [rad] for which sums approximate the integrals (error about 1e-3).
COARSEST = 0.15

#: Minimum length of the grid of slices [m].
SHORTEST = 1e-9


@dataclass(frozen=True, slots=True)
class Resonance:
    """A resonance at `frequency_hz` with `shunt_impedance_ohm` (V^2 / 2P) and `quality` above 0.5."""

    frequency_hz: float
    shunt_impedance_ohm: float
    quality: float

    def __post_init__(self) -> None:
        checked_number("resonance frequency", self.frequency_hz, "Hz", 1.0, 1e15)
        checked_number("shunt impedance", self.shunt_impedance_ohm, "ohm", 0.0, 1e15)
        if not 0.5 < self.quality <= 1e12:
            raise TrackingError(f"quality: {self.quality!r} must be above 0.5, so that the resonance rings")

    @property
    def amplitude(self) -> float:
        """The wake just behind the charge, W(0+) [V/C]."""
        return 2.0 * math.pi * self.frequency_hz * self.shunt_impedance_ohm / self.quality

    @property
    def rate(self) -> complex:
        """Complex growth rate of the wake's phasor [1/s]: -a + i v."""
        omega = 2.0 * math.pi * self.frequency_hz
        damping = omega / (2.0 * self.quality)
        return complex(-damping, math.sqrt(omega * omega - damping * damping))

    @property
    def tilt(self) -> complex:
        """Factor of the phasor whose real part is the wake: 1 + i a / v."""
        return complex(1.0, -self.rate.real / self.rate.imag)


def bunch_wake(resonance: Resonance, ct: Floats, charge_c: float, bins: int) -> Floats:
    """Compute the voltage (n,) [V] that decelerates each particle of a bunch; each has the charge `charge_c`.

    The bunch is divided into `bins` slices from its first to its last particle; a particle is shared linearly between
    neighbouring slices. Raises TrackingError if slices are too long for the resonance.
    """
    checked_count("bins", bins, 2, 100_000)
    first = float(ct.min())
    width = max(float(ct.max()) - first, SHORTEST) / (bins - 1)
    phase = 2.0 * math.pi * resonance.frequency_hz * width / SPEED_OF_LIGHT
    if phase > COARSEST and width * (bins - 1) > SHORTEST:
        needed = math.ceil(phase / COARSEST * (bins - 1)) + 1
        raise TrackingError(
            f"wake at {resonance.frequency_hz:.4g} Hz: {bins} bins are too coarse for a bunch of "
            f"{width * (bins - 1):.3g} m; use {needed} bins"
        )
    place = (ct - first) / width
    left = np.minimum(place.astype(np.int64), bins - 2)
    share = place - left
    charges = charge_c * (np.bincount(left, 1.0 - share, bins) + np.bincount(left + 1, share, bins))
    times = np.arange(bins) * (width / SPEED_OF_LIGHT)
    wake = resonance.amplitude * np.real(resonance.tilt * np.exp(resonance.rate * times))
    wake[0] *= 0.5
    voltage = np.convolve(charges, wake)[:bins]
    return np.asarray((1.0 - share) * voltage[left] + share * voltage[left + 1])
