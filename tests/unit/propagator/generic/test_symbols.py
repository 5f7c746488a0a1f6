"""Symbols pass through the same elements and give the textbook's formulas."""

import math

import numpy as np
import pytest
import sympy

from gnomon.lattice.elements import Bend, Drift, Element, Multipole, Quadrupole
from gnomon.propagator.generic import PhaseSpace, Program, propagate
from gnomon.propagator.generic.symbols import DRIFT_KICK_DRIFT, EXACT_YOSHIDA, symbolic_matrix
from gnomon.propagator.physics.integrators import YOSHIDA, Integrator

k, L, f, D = sympy.symbols("k L f D", positive=True)


def thin_cell() -> list[Element]:
    return [Multipole(name="QF"), Drift(name="D1"), Multipole(name="QD"), Drift(name="D2")]


def thick_cell(strength: float = 0.0, length: float = 1.0, free: float = 0.0, slices: int = 1) -> list[Element]:
    return [
        Quadrupole(name="QF", length=length, b=(0.0, strength, 0.0, 0.0), slices=slices),
        Drift(name="D1", length=free),
        Quadrupole(name="QD", length=length, b=(0.0, -strength, 0.0, 0.0), slices=slices),
        Drift(name="D2", length=free),
    ]


THICK = {
    ("QF", "k1"): k, ("QD", "k1"): -k, ("QF", "length"): L, ("QD", "length"): L, ("D1", "length"): D,
    ("D2", "length"): D,
}  # fmt: skip


def test_the_thin_fodo_cell_has_the_textbooks_trace() -> None:
    knobs = {("QF", "k1"): 1 / f, ("QD", "k1"): -1 / f, ("D1", "length"): L, ("D2", "length"): L}
    matrix = symbolic_matrix(Program.of_elements(thin_cell(), knobs))
    for plane in (0, 2):
        trace = matrix[plane, plane] + matrix[plane + 1, plane + 1]
        assert sympy.expand(trace - (2 - L**2 / f**2)) == 0
        block = matrix[plane : plane + 2, plane : plane + 2]
        assert sympy.expand(block.det()) == 1
    assert matrix[0:2, 2:4] == sympy.zeros(2, 2)


def test_the_natural_chromaticity_of_the_thin_cell_follows_from_delta() -> None:
    delta = sympy.symbols("delta")
    knobs = {("QF", "k1"): 1 / f, ("QD", "k1"): -1 / f, ("D1", "length"): L, ("D2", "length"): L}
    matrix = symbolic_matrix(Program.of_elements(thin_cell(), knobs), delta)
    slope = sympy.diff(matrix[0, 0] + matrix[1, 1], delta).subs(delta, 0)
    sin_half = L / (2 * f)  # of the phase advance; trace = 2 cos(mu), d(mu)/d(delta) = -2 tan(mu / 2)
    tan_half = sin_half / sympy.sqrt(1 - sin_half**2)
    sin = 2 * sin_half * sympy.sqrt(1 - sin_half**2)
    assert sympy.simplify(-slope / (2 * sin) + 2 * tan_half) == 0


@pytest.mark.parametrize("integrator", [DRIFT_KICK_DRIFT, pytest.param(YOSHIDA, marks=pytest.mark.slow)])
def test_the_thick_fodo_cell_equals_the_propagation_of_floats(integrator: Integrator) -> None:
    values = {k: 1.3, L: 0.4, D: 0.9}
    formula = symbolic_matrix(Program.of_elements(thick_cell(), THICK, integrator=integrator))
    exact = np.array(formula.subs(values).evalf(), dtype=float)
    floats = type(integrator)(tuple(map(float, integrator.drifts)), tuple(map(float, integrator.kicks)))
    program = Program.of_elements(thick_cell(1.3, 0.4, 0.9), integrator=floats)
    columns = [propagate(program, PhaseSpace(*np.eye(4)[i].tolist()))[:4] for i in range(4)]
    assert np.abs(np.array(columns).T - exact).max() < 1e-14


def test_a_slice_of_the_fourth_order_is_the_exact_quadrupole_to_its_order() -> None:
    quadrupole = [Quadrupole(name="Q", length=1.0, slices=1)]
    for integrator, order in ((DRIFT_KICK_DRIFT, 2), (EXACT_YOSHIDA, 4)):
        program = Program.of_elements(quadrupole, {("Q", "k1"): k, ("Q", "length"): L}, integrator=integrator)
        matrix = symbolic_matrix(program)
        for entry, exact in (
            (matrix[0, 0], sympy.cos(sympy.sqrt(k) * L)),
            (matrix[2, 2], sympy.cosh(sympy.sqrt(k) * L)),
        ):
            difference = sympy.Poly(sympy.expand(entry - sympy.series(exact, L, 0, order + 3).removeO()), L)
            known = [c for (power,), c in difference.terms() if power <= order]
            assert all(abs(sympy.N(c.subs(k, 1))) < 1e-14 for c in known)
            assert abs(sympy.N(difference.coeff_monomial(L ** (order + 2)).subs(k, 1))) > 1e-4


def test_a_bend_with_symbols_equals_its_numbers() -> None:
    h, e = sympy.symbols("h e")
    bend = Bend(name="B", length=1.0, angle=0.1, slices=1)
    knobs = {("B", "angle"): h, ("B", "entrance_angle"): e}
    formula = symbolic_matrix(Program.of_elements([bend], knobs, integrator=DRIFT_KICK_DRIFT))
    exact = np.array(formula.subs({h: 0.2, e: 0.05}).evalf(), dtype=float)
    numbers = Bend(name="B", length=1.0, angle=0.2, entrance_angle=0.05, slices=1)
    program = Program.of_elements([numbers], integrator=type(DRIFT_KICK_DRIFT)((0.5, 0.5), (1.0,)))
    columns = [propagate(program, PhaseSpace(*np.eye(4)[i].tolist()))[:4] for i in range(4)]
    assert np.abs(np.array(columns).T - exact).max() < 1e-15
    assert math.isclose(float(formula[3, 2].subs({h: 0.2, e: 0.05})), -0.2 * math.tan(0.05), rel_tol=1e-12)


def test_the_fourth_orders_fractions_add_to_one() -> None:
    for numbers in (EXACT_YOSHIDA.drifts, EXACT_YOSHIDA.kicks):
        assert sympy.simplify(sum(numbers)) == 1
        assert float(sum(numbers)) == pytest.approx(1.0)
