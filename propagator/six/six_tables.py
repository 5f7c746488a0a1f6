"""Tables of a ring for the six-dimensional kernels."""

import math
from collections.abc import Iterable

import numpy as np

from gnomon.lattice.elements import Bend, Cavity, Corrector, Element, Multipole
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.live import affine_maps
from gnomon.propagator.live.misalignment import write_frames
from gnomon.propagator.six.six_kernels import (
    BENDING,
    CAVITY,
    COLUMNS,
    FIELDS,
    IN_EDGE,
    LONG,
    MAGNET,
    NOTHING,
    OUT_EDGE,
    SPACE,
    STEERER,
    VOLTAGE,
)


def kind_of(element: Element) -> int:
    """Return the kind of an element for the kernels."""
    match element:
        case Corrector():
            return STEERER
        case Multipole():
            return MAGNET
        case Cavity():
            return CAVITY
        case _:
            return SPACE if element.length > 0.0 else NOTHING


def edge_row(
    curvature: float, angle: float, gap: float, fint: float, radiates: bool
) -> tuple[float, float, float, float]:
    """Return horizontal strength [1/m], angle [rad], gap correction psi [rad] and h^2 tan(angle) [1/m^2] of an edge.

    The first three are as in `affine_maps.edge_strengths`; the last is 0 unless the pole face `radiates`.
    """
    psi = affine_maps.edge_psi(curvature, angle, gap, fint)
    strength = curvature * math.tan(angle)
    return strength, angle, psi, curvature * strength if radiates else 0.0


class Tables:
    """One row of numbers per element; `write` updates multipoles.

    Without `faces`, radiation ignores that rotated pole faces change the path in the field.
    """

    def __init__(self, elements: tuple[Element, ...], faces: bool = True) -> None:
        n = len(elements)
        self.kinds: Integers = np.array([kind_of(e) for e in elements], dtype=np.int64)
        self.rows: Floats = np.zeros((n, COLUMNS))
        self.slices: Integers = np.ones(n, dtype=np.int64)
        self.high: Integers = np.zeros(n, dtype=np.int64)
        self.misaligned: Integers = np.zeros(n, dtype=np.int64)
        self.frames: Floats = np.zeros((n, 2, 30))
        self.angles: Floats = np.zeros(n)
        self._work: Floats = np.empty(9)
        self.multipoles = [i for i, e in enumerate(elements) if isinstance(e, Multipole)]
        for i, element in enumerate(elements):
            row = self.rows[i]
            row[LONG] = element.length
            if isinstance(element, Multipole):
                self.slices[i] = element.slices
            if isinstance(element, Bend) and element.length > 0.0:
                h = element.angle / element.length
                self.angles[i], row[BENDING] = element.angle, h
                gap = element.gap
                row[IN_EDGE:OUT_EDGE] = edge_row(h, element.entrance_angle, gap, element.fint_entrance, faces)
                row[OUT_EDGE:FIELDS] = edge_row(h, element.exit_angle, gap, element.fint_exit, faces)

    def write(self, which: Iterable[int], parameters: Floats) -> None:
        """Update the rows of elements from their parameter rows."""
        for i, values in zip(which, parameters, strict=True):
            row, numbers = self.rows[i], values.tolist()
            normal, skew = numbers[affine_maps.B1 : affine_maps.KICK_X], numbers[affine_maps.A1 : affine_maps.B1]
            normal[0], skew[0] = affine_maps.dipole_terms(row[LONG], values)
            row[FIELDS:VOLTAGE] = normal + skew + numbers[affine_maps.KICK_X : affine_maps.DX]
            self.high[i] = int(any(normal[2:]) or any(skew[2:]))
            dx, dy, roll = numbers[affine_maps.DX : affine_maps.ROLL + 1]
            self.misaligned[i] = int(any((dx, dy, roll)))
            if self.misaligned[i]:
                write_frames(self.angles[i], dx, dy, roll, self._work, self.frames[i, 0], self.frames[i, 1])
