"""The phase space: six coordinates, of any type of number."""

from typing import NamedTuple

from gnomon.propagator.physics.number_types import Number

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
