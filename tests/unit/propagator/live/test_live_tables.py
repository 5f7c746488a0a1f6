"""The tables of the live model are those that its kernels get, whatever has been laid out anew."""

from typing import Any

import numpy as np
import pytest
from numba import literal_unroll

from gnomon.lattice.elements import Drift, Quadrupole, Sextupole
from gnomon.propagator.compiled import Floats, kernel
from gnomon.propagator.live.affine_maps import AFFINE, B2, B3, NONLINEAR
from gnomon.propagator.live.live_program import SLOTS, Program
from gnomon.propagator.live.live_tables import Packed, pack, unpack

ELEMENTS = (
    Drift(name="drift", length=1.0),
    Quadrupole(name="quadrupole", length=0.2),
    Sextupole(name="sextupole", length=0.1),
)


def test_a_quadrupole_with_a_sextupole_term_becomes_nonlinear_and_the_kernels_get_the_new_tables() -> None:
    program = Program(ELEMENTS)
    before = program.tables
    assert before.kinds[1] == AFFINE
    assert before.points.shape == (SLOTS, 1, 4)
    row = np.zeros((1, before.parameters.shape[1]))
    row[0, B2], row[0, B3] = 1.0, 2.0
    assert program.load(np.array([1]), row)
    tables = program.tables
    assert tables.kinds[1] == NONLINEAR
    assert tables.points.shape == (SLOTS, 2, 4)
    assert tables.bounds.tolist() == [1, 2]
    assert tables.ordinals.tolist() == [0, 0, 1]
    assert seen_by_a_kernel(program) == seen_by_python(program)


def test_strengths_survive_a_new_layout() -> None:
    program = Program(ELEMENTS)
    row = np.zeros((1, program.tables.parameters.shape[1]))
    row[0, B2] = 1.0
    assert not program.load(np.array([1]), row)
    parameters = program.tables.parameters
    row[0, B3] = 2.0
    program.load(np.array([1]), row)
    assert (parameters[1, B2], program.tables.parameters[1, B2], program.tables.parameters[1, B3]) == (1.0, 1.0, 2.0)
    program.tables.parameters[1, B2] = 3.0
    assert not program.load(np.array([2]), np.zeros((1, row.size)))
    assert program.tables.parameters[1, B2] == 3.0


def test_a_kernel_sees_tables_of_every_type_in_their_places_and_what_it_writes_python_reads() -> None:
    program = Program(ELEMENTS)
    for number, table in enumerate(program.tables):
        table[...] = 1000 * number + np.arange(table.size).reshape(table.shape)
    seen = seen_by_a_kernel(program)
    assert seen == seen_by_python(program)
    assert len(set(seen)) == len(NAMES)
    write_points(program.packed)
    assert program.tables.points[SLOTS - 1, 0, 3] == -7.0
    assert np.count_nonzero(program.tables.points < 0.0) == 1


def test_a_table_of_another_type_is_refused() -> None:
    tables = Program(ELEMENTS).tables
    numbers: Any = np.zeros(len(ELEMENTS))
    with pytest.raises(ValueError, match="deltas"):
        pack(tables._replace(deltas=np.zeros((SLOTS, 2))))
    with pytest.raises(ValueError, match="kinds"):
        pack(tables._replace(kinds=numbers))


#: First and last table, and of each type of number one with one, two and, of floats, three axes.
NAMES = ("kinds", "members", "bodies_valid", "parameters", "maps", "points", "bases", "starts")


def seen_by_python(program: Program) -> list[tuple[float, ...]]:
    """Size, last length, first and last number and sum of tables."""
    tables = [getattr(program.tables, name) for name in NAMES]
    return [(t.size, t.shape[-1], t.flat[0], t.flat[-1], t.sum()) for t in tables]


def seen_by_a_kernel(program: Program) -> list[tuple[float, ...]]:
    """Return the same as a kernel finds it."""
    out = np.full((len(NAMES), 5), np.nan)
    look(program.packed, out)
    return [tuple(row) for row in out.tolist()]


@kernel
def look(packed: Packed, out: Floats) -> None:
    """Write a row about each of `NAMES`."""
    t = unpack(packed)
    row = 0
    tables = (t.kinds, t.members, t.bodies_valid, t.parameters, t.maps, t.points, t.bases, t.starts)
    for table in literal_unroll(tables):
        flat = table.ravel()
        out[row, 0], out[row, 1], out[row, 2], out[row, 3] = table.size, table.shape[-1], flat[0], flat[-1]
        out[row, 4] = table.sum()
        row += 1  # noqa: SIM113 - numba unrolls no enumeration


@kernel
def write_points(packed: Packed) -> None:
    """Write a number to one place."""
    unpack(packed).points[-1, 0, 3] = -7.0
