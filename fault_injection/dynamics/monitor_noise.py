"""Noise of beam position monitors: white noise, and lines of the mains and of pumps. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MonitorNoise:
    """Noise of n monitors in x and y: `white` (n, 2) is its standard deviation [m].

    Line k has the frequency `line_hz` (k,), the `line_amplitudes` (k, n, 2) [m] and `line_phases` (k, n, 2) [rad].
    Readings slower than a line fold it down, as those of a machine do.
    """

    white: Floats
    line_hz: Floats
    line_amplitudes: Floats
    line_phases: Floats

    @property
    def rms(self) -> Floats:
        """Standard deviation (n, 2) of white noise and lines together [m]."""
        lines = 0.5 * np.square(self.line_amplitudes).sum(axis=0)
        result: Floats = np.sqrt(np.square(self.white) + lines)
        return result

    def at(self, time_s: float, normals: Floats) -> Floats:
        """Noise (n, 2) [m] of one reading, from as many numbers of the standard normal distribution."""
        angles = 2.0 * np.pi * self.line_hz[:, np.newaxis, np.newaxis] * time_s + self.line_phases
        lines = (self.line_amplitudes * np.sin(angles)).sum(axis=0)
        result: Floats = self.white * normals + lines
        return result
