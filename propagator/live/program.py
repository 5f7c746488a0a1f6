"""The tables that kernels work on: a ring's elements as arrays, and the maps built from them."""

import numpy as np

from gnomon.lattice.elements import PARAMETERS, Bend, Corrector, Element, Multipole, Quadrupole
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.live import kernels
from gnomon.propagator.live.affine import AFFINE, CORRECTOR, DRIFT, GEOMETRY, IDENTITY, NONLINEAR
from gnomon.propagator.live.nonlinear import BODY, COEFFICIENTS, LANES
from gnomon.propagator.live.pairs import PAIR
from gnomon.propagator.live.rebuild import rebuild

#: Columns of the parameters with a sextupole or octupole term.
HIGHER_ORDERS = np.array([PARAMETERS.index(name) for name in ("a3", "a4", "b3", "b4")])

#: Slots of a program: the beam's momentum deviation, a step above and below it, and the reference of the path length.
BEAM, ABOVE, BELOW, REFERENCE = range(4)
SLOTS = 4


def static_kind(element: Element) -> int:
    """What an element is to the kernels, as far as its class says."""
    match element:
        case Corrector():
            return CORRECTOR
        case Quadrupole() | Bend():
            return AFFINE
        case Multipole():
            return NONLINEAR
        case _:
            return DRIFT if element.length > 0.0 else IDENTITY


class Program:
    """A ring as arrays.

    Sextupoles, octupoles and general multipoles are tracked; quadrupoles and bends are maps until one of them is given
    a higher order (`load`), which lays the program out anew.
    """

    def __init__(self, elements: tuple[Element, ...]) -> None:
        n = len(elements)
        self.kinds: Integers = np.array([static_kind(e) for e in elements], dtype=np.int64)
        self.with_parameters = tuple(i for i, e in enumerate(elements) if isinstance(e, Multipole))
        self.slices: Integers = np.ones(n, dtype=np.int64)
        self.geometry: Floats = np.zeros((n, len(GEOMETRY)))
        for i, element in enumerate(elements):
            self.geometry[i] = [float(getattr(element, name, 0.0)) for name in GEOMETRY]
            if isinstance(element, Multipole) and element.length > 0.0:
                self.slices[i] = element.slices
        self.parameters: Floats = np.zeros((n, len(PARAMETERS)))
        self.moved: Integers = np.zeros(n, dtype=np.int64)
        self.frames: Floats = np.zeros((n, 2, 30))
        self.bases: Floats = np.zeros(SLOTS)
        self.deltas: Floats = np.zeros(SLOTS)
        self.maps: Floats = np.zeros((SLOTS, n, PAIR))
        self.inlets: Floats = np.zeros((SLOTS, n, PAIR))
        self.framed: Integers = np.zeros(n, dtype=np.int64)
        self.everything: Integers = np.arange(n, dtype=np.int64)
        self.lay_out()

    def load(self, which: Integers, rows: Floats) -> bool:
        """Take the parameter rows of elements; True when one now has higher orders and the layout has changed."""
        self.parameters[which] = rows
        if not np.count_nonzero(rows.take(HIGHER_ORDERS, axis=1)):
            return False
        risen = which[rows[:, HIGHER_ORDERS].any(axis=1) & (self.kinds[which] == AFFINE)]
        if not risen.size:
            return False
        self.kinds[risen] = NONLINEAR
        self.lay_out()
        return True

    def lay_out(self) -> None:
        """Arrange the nonlinear elements in lanes and the others in segments between them; all maps become stale."""
        self.bounds: Integers = np.flatnonzero(self.kinds == NONLINEAR).astype(np.int64)
        count = self.bounds.size
        nonlinear = self.kinds == NONLINEAR
        self.ordinals: Integers = (np.cumsum(nonlinear) - nonlinear).astype(np.int64)
        self.places: Integers = np.zeros(self.kinds.size, dtype=np.int64)
        self.members, self.group_slices = self._group(self.bounds)
        self.lanes: Integers = np.where(self.members < 0, -1, self.ordinals[self.members])
        self.coefficients: Floats = np.zeros((len(self.members), COEFFICIENTS * LANES))
        self.body_members, self.body_slices = self._group(np.flatnonzero(self.kinds == AFFINE))
        self.body_coefficients: Floats = np.zeros((len(self.body_members), COEFFICIENTS * LANES))
        self.outlets: Floats = np.zeros((SLOTS, count, PAIR))
        self.segments: Floats = np.zeros((SLOTS, count + 1, PAIR))
        self.points: Floats = np.zeros((SLOTS, count, 4))
        self.bodies: Floats = np.zeros((SLOTS, count, BODY))
        self.touching: Integers = np.zeros(SLOTS, dtype=np.int64)
        self.reached: Floats = np.zeros((count, 20))
        self.turns: Floats = np.zeros((SLOTS, 20))
        self.starts: Floats = np.zeros((SLOTS, 4))

    def _group(self, elements: Integers) -> tuple[Integers, Integers]:
        """Put elements of equal numbers of slices side by side: (groups, 8), -1 where there is none, and the slices."""
        members: list[list[int]] = []
        group_slices: list[int] = []
        for slices in sorted({int(s) for s in self.slices[elements]}):
            alike = elements[self.slices[elements] == slices]
            for begin in range(0, alike.size, LANES):
                group = alike[begin : begin + LANES]
                self.places[group] = LANES * len(members) + np.arange(group.size)
                members.append([*group.tolist(), *[-1] * (LANES - group.size)])
                group_slices.append(slices)
        return np.array(members, dtype=np.int64).reshape(-1, LANES), np.array(group_slices, dtype=np.int64)

    def rebuild(self, which: Integers, slots: Integers) -> None:
        """Bring the maps of elements in slots up to date with parameters and momentum deviations."""
        rebuild(
            which, slots, self.bases, self.deltas, self.kinds, self.ordinals, self.slices, self.places, self.bounds,
            self.geometry, self.parameters, self.moved, self.framed, self.frames, self.coefficients,
            self.body_coefficients, self.body_slices, self.body_members, self.maps, self.inlets, self.outlets,
            self.segments, self.touching,
        )  # fmt: skip

    def find(
        self, slot: int, wanted: int, target: float, reach: float, orbit: Floats, dispersion: Floats, optics: Floats,
        pairs: Floats, report: Floats,
    ) -> None:  # fmt: skip
        """Find a slot's orbit (n+1, 4) and what else is `wanted` (`kernels.find`); see `report`.

        `optics` (3, 2, n+1) are beta, alpha and phase, `pairs` (2, 2) the tunes and chromaticities.
        """
        kernels.find(
            slot, wanted, target, reach, self.bases, self.deltas, self.kinds, self.ordinals, self.bounds, self.geometry,
            self.parameters, self.moved, self.framed, self.frames, self.coefficients, self.group_slices, self.lanes,
            self.members, self.body_coefficients, self.body_slices, self.body_members, self.maps, self.inlets,
            self.outlets, self.segments, self.points, self.bodies, self.touching, self.reached, self.turns, self.starts,
            orbit, dispersion, optics[0], optics[1], optics[2], pairs[0], pairs[1], report,
        )  # fmt: skip
