"""The closed orbit of a program, by Newton's method.

The one-turn matrix comes from four particles with complex coordinates, one coordinate of each moved by a tiny imaginary
step: f(x + i h) = f(x) + i h f'(x) to the last digit for small h (W. Squire and G. Trapp, SIAM Rev. 40 (1998) 110).
This is four times as fast as power series.
"""

import numpy as np
from numpy.typing import NDArray

from gnomon.propagator.generic.generic_errors import PropagationError
from gnomon.propagator.generic.preprocessor import Program
from gnomon.propagator.generic.processor import propagate
from gnomon.propagator.physics.phase_space import PhaseSpace

Floats = NDArray[np.float64]

#: The transverse coordinates.
TRANSVERSE = ("x", "px", "y", "py")

#: The imaginary step.
TINY = 1e-30

#: Maximum steps of Newton's method; change [m, rad] that ends it, and one that ends it if it no longer shrinks.
ITERATIONS, TOLERANCE, FLOOR = 20, 1e-13, 1e-11


def closed_orbit(program: Program, delta: float = 0.0) -> Floats:
    """Find the closed orbit x, px, y, py [m, rad] at the start, at a fixed momentum deviation.

    Raises PropagationError when there is no closed orbit, or the search does not converge in `ITERATIONS` steps.
    """
    orbit: Floats = np.zeros(4)
    last = np.inf
    for _ in range(ITERATIONS):
        start = orbit[:, None] + TINY * 1j * np.eye(4)
        end = np.array(propagate(program, PhaseSpace._make([*start, delta, 0.0]))[:4])
        miss, matrix = end[:, 0].real - orbit, end.imag / TINY
        if not (np.isfinite(matrix).all() and np.isfinite(miss).all()):
            raise PropagationError(f"{program.name}: no closed orbit at delta {delta:g}, the search diverged")
        try:
            step = np.linalg.solve(np.eye(4) - matrix, miss)
        except np.linalg.LinAlgError:
            raise PropagationError(
                f"{program.name}: no closed orbit at delta {delta:g}, a tune is an integer"
            ) from None
        orbit = orbit + step
        change = float(np.abs(step).max())
        if change < TOLERANCE or (change < FLOOR and change > 0.5 * last):
            return orbit
        last = change
    raise PropagationError(
        f"{program.name}: no closed orbit at delta {delta:g}, {ITERATIONS} steps left a change of {change:.3g} m"
    )
