"""The orbit between the monitors: the most likely one with what the monitors show, and how uncertain it is.

The orbit that a machine has beside its model is one of kicks, of displaced quadrupoles and of steerers. With kicks of
equal variance at all magnets, its covariance between two places is C = R R^T, with the responses R to kicks, and the
orbit at s, given readings y with the noise D, has the mean C_sm (C_mm + D)^-1 y and the covariance C_ss - C_sm (C_mm +
D)^-1 C_ms: the conditional of a normal distribution (C. Rasmussen, C. Williams, Gaussian Processes for Machine
Learning, 2006, ch. 2.2). In a straight between two monitors it is the line through both.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Standard deviation of the kicks [rad] whose orbit is interpolated: quadrupoles 0.1 mm beside the beam.
KICK_RAD = 1e-4


@dataclass(frozen=True, eq=False)
class BetweenMonitors:
    """Interpolates orbits: `at` (k, 2 m) from x, y at the monitors [mm] to k coordinates, in mm and mrad.

    `squares` are its squares, for variances of readings; `deviation` (k,) is the standard deviation of what is found,
    the monitors' noise included.
    """

    at: Floats
    squares: Floats
    deviation: Floats

    @classmethod
    def of(cls, wanted: Floats, shown: Floats, noise: Floats) -> Self:
        """Make it from responses of the wanted coordinates (k, kicks) and of the monitors (2 m, kicks).

        Both in mm or mrad per rad; `noise` (2 m,) [mm] is infinite for a monitor that is dead.
        """
        wanted, shown = KICK_RAD * wanted, KICK_RAD * shown
        alive = np.isfinite(noise)
        among = shown[alive] @ shown[alive].T + np.diag(noise[alive] ** 2)
        cross = wanted @ shown[alive].T
        weights = np.linalg.solve(among, cross.T).T
        left = (wanted**2).sum(axis=1) - (weights * cross).sum(axis=1)
        at = np.zeros((len(wanted), noise.size))
        at[:, alive] = weights
        return cls(at, at**2, np.sqrt(np.maximum(left, 0.0)))
