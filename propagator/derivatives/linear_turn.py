"""The linear turn about an orbit, for derivatives: the maps from the ring's start to all elements."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import GnomonError, Lattice
from gnomon.propagator.beam import BeamState
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.derivatives import derivative_kernels as kernels
from gnomon.propagator.live.affine_maps import MAP, WIDTH
from gnomon.propagator.live.live_program import Program
from gnomon.propagator.propagator import Propagator

Complexes = NDArray[np.complex128]

#: The symplectic form of (x, px, y, py).
FORM = np.array([[0.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, -1.0, 0.0]])

#: All four coordinates, and the two that monitors see.
ALL_ROWS, POSITIONS = slice(0, 4), slice(0, 4, 2)


class NoDerivative(GnomonError):
    """No derivative exists: there is no beam, or it lacks what the derivative needs."""


@dataclass(frozen=True, slots=True, eq=False)
class Knobs:
    """Parameters of elements: index and column (`PARAMETERS`) of each."""

    elements: Integers
    columns: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Modes:
    """Eigenvalues (4,) and vectors (4, 4) of a turn: mode 1, its conjugate, mode 2, its conjugate."""

    values: Complexes
    vectors: Complexes


class Turn:
    """The turn of one slot of a program that has just found its orbit.

    `to` (n+1, 4, 4) are the matrices from the start to every entrance and to the end, `orbit` (n+1, 4) is the orbit
    there. All maps are symplectic, so the inverse of a matrix is -S M^T S.
    """

    def __init__(self, program: Program, slot: int) -> None:
        self.program = program
        self.slot = slot
        self.delta = float(program.tables.deltas[slot])
        n = program.tables.kinds.size
        self.to: Floats = np.empty((n + 1, 4, 4))
        self.orbit: Floats = np.empty((n + 1, 4))
        kernels.chain_maps(program.packed, slot, self.to, self.orbit)
        self.one_turn: Floats = self.to[-1]
        self.resolvent: Floats = np.linalg.inv(np.eye(4) - self.one_turn)

    def back(self, places: Integers) -> Floats:
        """Return the matrices (m, 4, 4) from places back to the start."""
        inverse: Floats = -FORM @ self.to[places].transpose(0, 2, 1) @ FORM
        return inverse

    def vary(self, knobs: Knobs, order: int = 0) -> tuple[Floats, Floats, Floats, Floats]:
        """Return each knob's derivatives in its element: shift, matrix, bend and path of `derivative_kernels.vary`."""
        count = knobs.elements.size
        shift, path = np.empty((count, 4)), np.empty(count)
        many = count if order > 1 else 0
        matrix, bend = np.empty((many, 4, 4)), np.empty((many, 4, 4, 4))
        kernels.vary(
            knobs.elements, knobs.columns, order, self.program.packed, self.delta, self.orbit, shift, matrix, bend, path
        )
        return shift, matrix, bend, path

    def displace(self, knobs: Knobs) -> Floats:
        """Return the derivative (m, 4) of the coordinates at the exit per unit of offset or roll."""
        shift = np.empty((knobs.elements.size, 4))
        kernels.displace(knobs.elements, knobs.columns, self.program.packed, self.delta, self.orbit, shift)
        return shift

    def orbit_change(self, elements: Integers, shift: Floats, places: Integers, rows: slice = ALL_ROWS) -> Floats:
        """Compute the closed orbit's change (rows, p, m) at places, caused by `shift` (m, 4) at the exits of elements.

        With u the shift carried back to the start, the orbit changes by T(s) ((1 - M)^-1 u - u) before the element and
        by T(s) (1 - M)^-1 u after it.
        """
        early = np.einsum("mij,mj->im", self.back(elements + 1), shift)
        to = self.to[places][:, rows].transpose(1, 0, 2)
        behind: Floats = to @ (self.resolvent @ early)
        before = to @ early
        before *= places[:, None] <= elements
        behind -= before
        return behind

    def path_change(self, elements: Integers, shift: Floats, own: Floats) -> Floats:
        """Compute the change (m,) of a turn's path [m]: `own` in the element, plus that of the orbit's change."""
        gradient = np.empty((self.program.tables.kinds.size, 4))
        kernels.path_gradient(self.program.packed, self.delta, self.orbit, gradient)
        so_far = np.cumsum(np.einsum("ni,nij->nj", gradient, self.to[:-1]), axis=0)
        early = np.einsum("mij,mj->im", self.back(elements + 1), shift)
        change: Floats = own + so_far[-1] @ self.resolvent @ early - np.einsum("mi,im->m", so_far[elements], early)
        return change

    @cached_property
    def bends(self) -> Floats:
        """Derivatives (k, 4, 4, 4) of the nonlinear elements' matrices by the coordinates at their entrances.

        The matrices are carried back to the start; the second axis counts the coordinates.
        """
        places = self.program.tables.bounds
        bend = self.vary(Knobs(places, np.full(places.size, -1)), order=2)[2]
        pulled: Floats = self.back(places + 1)[:, None] @ bend @ self.to[places][:, None]
        return pulled

    def changes(self, knobs: Knobs) -> tuple[Floats, Floats]:
        """Compute what a unit of each knob changes in the ring, with the orbit's feed-down.

        Returns the change of the closed orbit (4, k, m) at every nonlinear element, which times `bends` is the change
        of that element's matrix, and T^-1 dJ T of the knob's own element, carried back to the start (m, 4, 4).
        """
        shift, matrix, _, _ = self.vary(knobs, order=2)
        moves = self.orbit_change(knobs.elements, shift, self.program.tables.bounds)
        own: Floats = self.back(knobs.elements + 1) @ matrix @ self.to[knobs.elements]
        return moves, own

    def tune_change(self, moves: Floats, own: Floats, modes: Modes) -> tuple[Floats, Complexes]:
        """Compute the changes (2, m) of the tunes from `changes`, and of the turn (m, 4, 4) in its eigenvectors."""
        count = len(own)
        bends = self.bends.transpose(1, 0, 2, 3).reshape(-1, 16)
        down = (moves.reshape(-1, count).T @ bends).reshape(count, 4, 4)
        inner: Complexes = np.linalg.inv(modes.vectors) @ self.one_turn @ (down + own) @ modes.vectors
        change: Floats = np.stack([(inner[:, j, j] / (1j * modes.values[j])).real / (2.0 * np.pi) for j in (0, 2)])
        return change, inner

    def tune_response(self, knobs: Knobs) -> Floats:
        """Compute the changes (2, m) of the tunes per unit of each knob."""
        return self.tune_change(*self.changes(knobs), self.modes())[0]

    def modes(self) -> Modes:
        """Return both modes and their conjugates, with an invariant of 1, as the live optics find them."""
        columns, phases = np.empty(MAP), np.empty(2)
        kernels.find_modes(self.one_turn, columns, phases)
        parts = columns.reshape(4, WIDTH)
        vectors = np.empty((4, 4), dtype=np.complex128)
        vectors[:, 0::2] = parts[:, 0:4:2] + 1j * parts[:, 1:4:2]
        vectors[:, 1::2] = vectors[:, 0::2].conj()
        values = np.exp(1j * np.array([phases[0], -phases[0], phases[1], -phases[1]]))
        return Modes(values, vectors)


def beam_of(propagate: Propagator, lattice: Lattice, *, chromatic: bool = False, neighbours: bool = False) -> BeamState:
    """Compute the beam of a lattice, and if asked its `neighbours` in momentum; their turns stay in the propagator.

    Raises NoDerivative without a beam, or without neighbours.
    """
    chromatic = chromatic or neighbours
    if not propagate.optics or (chromatic and not propagate.chromatic):
        raise NoDerivative("this derivative needs a Propagator with optics" + " and chromatic" * chromatic)
    beam = propagate(lattice)
    if not beam.found:
        raise NoDerivative(f"{lattice.ring.name}: no derivatives of lattice {lattice.id}: {beam.reason}")
    if neighbours and not propagate.find_neighbours():
        raise NoDerivative(
            f"{lattice.ring.name}: the beam of lattice {lattice.id} has no stable neighbours in momentum to differ from"
        )
    return beam
