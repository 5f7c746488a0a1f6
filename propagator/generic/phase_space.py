"""The phase space: six coordinates, of any type of number."""

from typing import NamedTuple

import numpy as np

from gnomon.propagator.generic.generic_errors import PropagationError
from gnomon.propagator.generic.number_types import Number, is_plain

#: The coordinates, in order.
COORDINATES = ("x", "px", "y", "py", "delta", "ct")


class PhaseSpace(NamedTuple):
    """Coordinates of particles: x, y [m], px, py (transverse momentum over reference momentum), delta, ct [m].

    As in pyAT, ct grows with the path and ignores the particle's velocity. The coordinates of an ensemble are arrays of
    one shape.
    """

    x: Number = 0.0
    px: Number = 0.0
    y: Number = 0.0
    py: Number = 0.0
    delta: Number = 0.0
    ct: Number = 0.0


def check_phase_space(ray: PhaseSpace) -> None:
    """Raise PropagationError for no particles, arrays of different shapes, or a particle without forward momentum."""
    shapes = {np.shape(value) for value in ray if isinstance(value, np.ndarray)}
    if len(shapes) > 1:
        raise PropagationError(f"the coordinates have different shapes: {', '.join(map(str, sorted(shapes)))}")
    if shapes and 0 in shapes.pop():
        raise PropagationError("0 particles: there is nothing to propagate; give at least one")
    if isinstance(ray.delta, np.ndarray) or is_plain(ray.delta):
        smallest = float(np.min(ray.delta))
        if smallest <= -1.0:
            raise PropagationError(f"delta {smallest:g}: a momentum deviation must be above -1")
