"""The beam of any sequence of elements at a fixed momentum deviation, also inside elements, and scans over momentum."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import ORDERS, PARAMETERS, Bend, Drift, Element, Multipole
from gnomon.propagator.beam import BeamState
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.live.kernel_report import REPORT
from gnomon.propagator.live.live_kernels import CHROMATIC, OPTICS
from gnomon.propagator.live.live_program import BEAM, Program
from gnomon.propagator.live.no_beam_reasons import why_no_beam

#: Minimum number of pieces of a magnet that has a length, and maximum of any element.
MIN_PIECES, MAX_PIECES = 5, 100


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """Orbit and optics at points along the ring, also inside elements; arrays as in `BeamState`.

    `s` (m,) [m] are the points, `element` (m,) the index of the element that starts or continues there; at the end, of
    the last one.
    """

    s: Floats
    element: Integers
    orbit: Floats
    beta: Floats
    dispersion: Floats


def optics_inside(lattice: Lattice, beam: BeamState, step_m: float = 0.05) -> Inside:
    """Compute orbit and optics every `step_m` [m] or closer, at the momentum deviation of `beam`.

    Elements are cut at slices of their integrator, so that the values at their ends agree with `beam`; displaced or
    rolled ones are not cut. Raises ValueError if `beam` is not that of `lattice`.
    """
    if not beam.found or beam.lattice_id != lattice.id:
        raise ValueError("the beam is not that of the lattice")
    pieces: list[Element] = []
    owner: list[int] = []
    for index, element in enumerate(present_elements(lattice)):
        cut = _cut(element, step_m)
        pieces += cut
        owner += [index] * len(cut)
    found = FixedMomentum(pieces)(beam.delta)
    s = np.concatenate([[0.0], np.cumsum([piece.length for piece in pieces])])
    return Inside(s, np.array([*owner, owner[-1]]), found.orbit, found.beta, found.dispersion)


def tune_scan(lattice: Lattice, deltas: Sequence[float]) -> Floats:
    """Compute the tunes (n, 2) at momentum deviations, with integer parts; NaN where there is no stable beam.

    The scan goes outwards from the deviation nearest to zero; each search starts from the last orbit found.
    """
    at = FixedMomentum(present_elements(lattice))
    tunes = np.full((len(deltas), 2), np.nan)
    order = np.argsort(np.abs(deltas), kind="stable")
    for sign in (False, True):
        at.restart()
        for k in order:
            if bool(deltas[k] < 0.0) == sign:
                tunes[k] = at(float(deltas[k])).tune
    return tunes


def present_elements(lattice: Lattice) -> list[Element]:
    """Return all elements of a lattice with their present parameters, cavities as designed."""
    elements = list(lattice.ring.elements)
    which = [i for i, element in enumerate(elements) if isinstance(element, Multipole)]
    for index, row in zip(which, lattice.parameters(which).tolist(), strict=True):
        rest = dict(zip(PARAMETERS[2 * ORDERS :], row[2 * ORDERS :], strict=True))
        designed = elements[index]
        assert isinstance(designed, Multipole)
        elements[index] = replace(designed, a=tuple(row[:ORDERS]), b=tuple(row[ORDERS : 2 * ORDERS]), **rest)
    return elements


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The beam at one momentum deviation; all numbers are NaN if there is no stable beam."""

    orbit: Floats
    beta: Floats
    dispersion: Floats
    tune: Floats


class FixedMomentum:
    """The beam of a sequence of elements as a function of the momentum deviation."""

    def __init__(self, elements: Sequence[Element]) -> None:
        self.program = Program(tuple(elements))
        which = self.program.with_parameters
        rows = np.array([_row(elements[i]) for i in which]).reshape(-1, len(PARAMETERS))
        self.program.load(np.array(which, dtype=np.int64), rows)

    def restart(self) -> None:
        """Start the next search from the axis."""
        self.program.tables.points[BEAM] = 0.0
        self.program.tables.starts[BEAM] = 0.0

    def __call__(self, delta: float) -> Found:
        """Find the beam at a momentum deviation; the search starts from the last orbit."""
        program = self.program
        n = program.tables.kinds.size + 1
        program.tables.bases[BEAM] = program.tables.deltas[BEAM] = delta
        program.tables.bodies_valid[BEAM] = 0
        program.rebuild(program.everything, np.array([BEAM], dtype=np.int64))
        orbit, dispersion, optics, pairs = np.empty((n, 4)), np.empty((n, 4)), np.empty((3, 2, n)), np.empty((2, 2))
        report = np.zeros(REPORT)
        with np.errstate(all="ignore"):
            program.find(BEAM, OPTICS | CHROMATIC, 0.0, 0.0, orbit, dispersion, optics, pairs, report)
        if why_no_beam(report):
            self.restart()
            return Found(np.full((n, 4), np.nan), np.full((n, 2), np.nan), np.full((n, 4), np.nan), np.full(2, np.nan))
        return Found(orbit, optics[0].T, dispersion, pairs[0])


def _row(element: Element) -> list[float]:
    assert isinstance(element, Multipole)
    e = element
    return [*e.a, *e.b, e.kick_x, e.kick_y, e.dx, e.dy, e.roll]


def _cut(element: Element, step_m: float) -> list[Element]:
    count = min(max(1, ceil(element.length / step_m - 1e-9)), MAX_PIECES)
    if not isinstance(element, Multipole):
        return [Drift(name=element.name, length=element.length / count)] * count if count > 1 else [element]
    if element.length == 0.0 or element.dx or element.dy or element.roll:
        return [element]
    slices = element.slices
    count = next((n for n in range(min(max(count, MIN_PIECES), slices), slices + 1) if slices % n == 0), 1)
    part = replace(
        element,
        length=element.length / count,
        kick_x=element.kick_x / count,
        kick_y=element.kick_y / count,
        slices=slices // count,
    )
    if not isinstance(part, Bend) or not isinstance(element, Bend):
        return [part] * count
    part = replace(part, angle=element.angle / count)
    inner = replace(part, entrance_angle=0.0, exit_angle=0.0, fint_entrance=0.0, fint_exit=0.0)
    first = replace(inner, entrance_angle=part.entrance_angle, fint_entrance=part.fint_entrance)
    last = replace(inner, exit_angle=part.exit_angle, fint_exit=part.fint_exit)
    if count == 1:
        return [element]
    return [first, *[inner] * (count - 2), last]
