"""The tables that kernels work on: a ring's elements as arrays, and the maps built from them."""

from typing import Any

import numpy as np

from gnomon.lattice.elements import PARAMETERS, Bend, Corrector, Element, Multipole, Quadrupole
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.live import live_kernels
from gnomon.propagator.live.affine_maps import AFFINE, CORRECTOR, DRIFT, GEOMETRY, IDENTITY, MAP, NONLINEAR
from gnomon.propagator.live.live_tables import LiveTables, Packed, pack
from gnomon.propagator.live.map_building import rebuild
from gnomon.propagator.live.map_pairs import PAIR
from gnomon.propagator.live.misalignment import COLUMNS, ROWS
from gnomon.propagator.live.nonlinear_bodies import BODY, COEFFICIENTS, LANES

#: Columns of the parameters with a sextupole or octupole term.
HIGHER_ORDERS = np.array([PARAMETERS.index(name) for name in ("a3", "a4", "b3", "b4")])

#: Slots of a program: the beam's momentum deviation, one step above and below it, and the reference for path lengths.
BEAM, ABOVE, BELOW, REFERENCE = range(4)
SLOTS = 4


def static_kind(element: Element) -> int:
    """Return the kind of an element as far as its class decides it."""
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
    """A ring as arrays (`tables`), and the kernels that work on them.

    Sextupoles, octupoles and general multipoles are tracked. Quadrupoles and bends are maps; if one of them gets a
    sextupole or octupole term (`load`), the program is laid out again.
    """

    tables: LiveTables
    #: The same tables in the form that kernels take.
    packed: Packed

    def __init__(self, elements: tuple[Element, ...]) -> None:
        n = len(elements)
        kinds: Integers = np.array([static_kind(e) for e in elements], dtype=np.int64)
        self.with_parameters = tuple(i for i, e in enumerate(elements) if isinstance(e, Multipole))
        self.everything: Integers = np.arange(n, dtype=np.int64)
        slices: Integers = np.ones(n, dtype=np.int64)
        geometry: Floats = np.zeros((n, len(GEOMETRY)))
        for i, element in enumerate(elements):
            geometry[i] = [float(getattr(element, name, 0.0)) for name in GEOMETRY]
            if isinstance(element, Multipole) and element.length > 0.0:
                slices[i] = element.slices
        self._kept: dict[str, Any] = {
            "kinds": kinds,
            "slices": slices,
            "geometry": geometry,
            "parameters": np.zeros((n, len(PARAMETERS))),
            "misaligned": np.zeros(n, dtype=np.int64),
            "has_frame": np.zeros(n, dtype=np.int64),
            "frames": np.zeros((n, 2, ROWS * COLUMNS)),
            "bases": np.zeros(SLOTS),
            "deltas": np.zeros(SLOTS),
            "maps": np.zeros((SLOTS, n, PAIR)),
            "inlets": np.zeros((SLOTS, n, PAIR)),
        }
        self.lay_out()

    def load(self, which: Integers, rows: Floats) -> bool:
        """Take over the parameter rows of elements; True if one gained a higher order and the layout has changed."""
        kinds = self.tables.kinds
        self.tables.parameters[which] = rows
        if not np.count_nonzero(rows.take(HIGHER_ORDERS, axis=1)):
            return False
        risen = which[rows[:, HIGHER_ORDERS].any(axis=1) & (kinds[which] == AFFINE)]
        if not risen.size:
            return False
        kinds[risen] = NONLINEAR
        self.lay_out()
        return True

    def lay_out(self) -> None:
        """Arrange nonlinear elements in lanes and the others in segments between them; all maps become outdated."""
        kinds, slices = self._kept["kinds"], self._kept["slices"]
        nonlinear = kinds == NONLINEAR
        bounds: Integers = np.flatnonzero(nonlinear).astype(np.int64)
        count = bounds.size
        ordinals: Integers = (np.cumsum(nonlinear) - nonlinear).astype(np.int64)
        places: Integers = np.zeros(kinds.size, dtype=np.int64)
        members, group_slices = group(bounds, slices, places)
        body_members, body_slices = group(np.flatnonzero(kinds == AFFINE), slices, places)
        tables = LiveTables(
            **self._kept,
            ordinals=ordinals,
            places=places,
            bounds=bounds,
            coefficients=np.zeros((len(members), COEFFICIENTS * LANES)),
            group_slices=group_slices,
            lanes=np.where(members < 0, -1, ordinals[members]),
            members=members,
            body_coefficients=np.zeros((len(body_members), COEFFICIENTS * LANES)),
            body_slices=body_slices,
            body_members=body_members,
            outlets=np.zeros((SLOTS, count, PAIR)),
            segments=np.zeros((SLOTS, count + 1, PAIR)),
            points=np.zeros((SLOTS, count, 4)),
            bodies=np.zeros((SLOTS, count, BODY)),
            bodies_valid=np.zeros(SLOTS, dtype=np.int64),
            arrival_maps=np.zeros((count, MAP)),
            turns=np.zeros((SLOTS, MAP)),
            starts=np.zeros((SLOTS, 4)),
        )
        self.tables, self.packed = pack(tables)
        self._kept = {name: getattr(self.tables, name) for name in self._kept}

    def rebuild(self, which: Integers, slots: Integers) -> None:
        """Update the maps of elements in slots to the present parameters and momentum deviations."""
        rebuild(which, slots, self.packed)

    def find(
        self, slot: int, wanted: int, target: float, reach: float, orbit: Floats, dispersion: Floats, optics: Floats,
        pairs: Floats, report: Floats,
    ) -> None:  # fmt: skip
        """Find a slot's orbit (n+1, 4) and the other quantities `wanted` (`live_kernels.find`), and write `report`.

        `optics` (3, 2, n+1) holds beta, alpha and phase, `pairs` (2, 2) tunes and chromaticities.
        """
        live_kernels.find(slot, wanted, target, reach, self.packed, orbit, dispersion, optics, pairs, report)


def group(elements: Integers, slices: Integers, places: Integers) -> tuple[Integers, Integers]:
    """Group elements with equal numbers of slices: return (groups, LANES), -1 for empty lanes, and each group's slices.

    The elements' `places` (n) are written.
    """
    members: list[list[int]] = []
    group_slices: list[int] = []
    for count in sorted({int(s) for s in slices[elements]}):
        alike = elements[slices[elements] == count]
        for begin in range(0, alike.size, LANES):
            side_by_side = alike[begin : begin + LANES]
            places[side_by_side] = LANES * len(members) + np.arange(side_by_side.size)
            members.append([*side_by_side.tolist(), *[-1] * (LANES - side_by_side.size)])
            group_slices.append(count)
    return np.array(members, dtype=np.int64).reshape(-1, LANES), np.array(group_slices, dtype=np.int64)
