"""The tables of the live model are those that its kernels get, whatever has been laid out anew."""

import numpy as np

from gnomon.lattice.elements import Drift, Quadrupole, Sextupole
from gnomon.propagator.live.affine import AFFINE, B2, B3, NONLINEAR
from gnomon.propagator.live.program import SLOTS, Program

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
    assert all(array is table for array, table in zip(program.arrays, tables, strict=True))


def test_strengths_survive_a_new_layout() -> None:
    program = Program(ELEMENTS)
    row = np.zeros((1, program.tables.parameters.shape[1]))
    row[0, B2] = 1.0
    assert not program.load(np.array([1]), row)
    parameters = program.tables.parameters
    row[0, B3] = 2.0
    program.load(np.array([1]), row)
    assert program.tables.parameters is parameters
    assert parameters[1, B2] == 1.0
