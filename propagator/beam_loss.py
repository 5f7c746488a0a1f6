"""Rates at which a stored beam is lost: at apertures, at resonances, by the tail of its distribution. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Resonance:
    """A line m Qx + n Qy = integer: losses of `rate` [1/s] on it, which fall with the distance as a Gaussian.

    `width` is the standard deviation of m Qx + n Qy.
    """

    m: int
    n: int
    rate: float
    width: float

    def loss_rate(self, tune_x: float, tune_y: float) -> float:
        """Rate of losses [1/s] at these tunes."""
        sum_of_tunes = self.m * tune_x + self.n * tune_y
        distance = sum_of_tunes - round(sum_of_tunes)
        return self.rate * math.exp(-0.5 * (distance / self.width) ** 2)


def acceptance(orbit: Floats, beta: Floats, half_aperture_m: float) -> float:
    """Acceptance [m rad] of one plane around an orbit (n,) [m] with beta function (n,) [m]; 0 if it hits the aperture.

    The smallest (a - abs(x))^2 / beta along the ring.
    """
    clearance = np.maximum(half_aperture_m - np.abs(orbit), 0.0)
    return float((clearance**2 / beta).min())


def quantum_loss_rate(acceptance_m: float, emittance_m: float, damping_time_s: float) -> float:
    """Rate of losses [1/s] of a Gaussian beam at an aperture, by quantum excitation.

    1 / rate = tau / 2 exp(xi) / xi with xi = acceptance / (2 emittance) and the amplitudes' damping time tau: M. Sands,
    The Physics of Electron Storage Rings, SLAC-121 (1970), chapter 5.8. It holds for xi well above 1; below it, the
    rate of xi = 1 rises with 1 / xi, to inf without any acceptance.
    """
    xi = acceptance_m / (2.0 * emittance_m)
    if xi <= 0.0:
        return math.inf
    if xi < 1.0:
        return 2.0 / (damping_time_s * math.e * xi)
    return 2.0 * xi * math.exp(-xi) / damping_time_s


def resonance_loss_rate(resonances: Sequence[Resonance], tune_x: float, tune_y: float) -> float:
    """Rate of losses [1/s] of all resonances together."""
    return sum(resonance.loss_rate(tune_x, tune_y) for resonance in resonances)
