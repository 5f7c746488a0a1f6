"""Ensembles of particles, their losses and their survivors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.ensembles.tracking_errors import TrackingError

#: Rows of the coordinates, pyAT's order.
COORDINATES = ("x", "px", "y", "py", "delta", "ct")

#: Maximum number of particles in an ensemble: 0.7 GB during tracking.
MAX_PARTICLES = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Particles: `coordinates` (6, n) are x [m], px, y [m], py, delta, ct [m], read-only.

    Raises TrackingError for another shape, 0 particles or more than `MAX_PARTICLES`. A particle with a coordinate that
    is not finite is accepted, and lost at the first element.
    """

    coordinates: Floats

    def __init__(self, coordinates: ArrayLike) -> None:
        array = np.array(coordinates, dtype=np.float64)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[0] != 6:
            raise TrackingError(
                f"an ensemble has the shape (6, particles), {', '.join(COORDINATES)}; not {array.shape}"
            )
        if not 1 <= array.shape[1] <= MAX_PARTICLES:
            raise TrackingError(f"an ensemble has 1 to {MAX_PARTICLES} particles, not {array.shape[1]}")
        array.flags.writeable = False
        object.__setattr__(self, "coordinates", array)

    def __len__(self) -> int:
        return int(self.coordinates.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Lost particles in the order of their numbers, read-only.

    `particle` (k,) are columns of the ensemble; `turn` (k,) counts from 0; `element` (k,) are indices of elements;
    `coordinates` (6, k) are those at the loss, at the entrance or exit of that element, in its frame.
    """

    particle: Integers
    turn: Integers
    element: Integers
    coordinates: Floats

    def __len__(self) -> int:
        return int(self.particle.size)


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """An ensemble after `turns` turns: `coordinates` (6, n), read-only, NaN for lost particles; `losses`; `seconds`."""

    coordinates: Floats
    losses: Losses
    turns: int
    seconds: float

    @property
    def survived(self) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Mask (n,) of the particles that survived."""
        alive = np.ones(self.coordinates.shape[1], dtype=np.bool_)
        alive[self.losses.particle] = False
        return alive

    @property
    def ensemble(self) -> Ensemble:
        """Return the survivors. Raises TrackingError when there are none."""
        return Ensemble(self.coordinates[:, self.survived])
