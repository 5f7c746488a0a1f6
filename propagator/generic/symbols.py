"""Closed formulas: sympy expressions propagated through the same elements. Needs the extra `symbols`."""

from typing import Any

try:
    import sympy
except ImportError as missing:
    raise ImportError("formulas need sympy: pip install 'gnomon[symbols]'", name="sympy") from missing

from gnomon.propagator.generic.closed_orbit import TRANSVERSE
from gnomon.propagator.generic.preprocessor import Program
from gnomon.propagator.generic.processor import propagate
from gnomon.propagator.physics.integrators import Integrator, yoshida
from gnomon.propagator.physics.number_types import register_number
from gnomon.propagator.physics.phase_space import PhaseSpace

register_number(sympy.Basic, sympy)

#: Yoshida's integrator with exact numbers.
EXACT_YOSHIDA = yoshida(sympy.cbrt(2))

#: Second order: drift, kick, drift.
DRIFT_KICK_DRIFT = Integrator((sympy.Rational(1, 2), sympy.Rational(1, 2)), (sympy.Integer(1),))


def symbolic_matrix(program: Program, delta: Any = 0) -> sympy.Matrix:
    """Compute the matrix (4, 4) of a program about the axis; its entries are formulas in the symbols of the knobs.

    Choose an exact integrator and one slice for a short formula.
    """
    symbols = sympy.symbols(TRANSVERSE, real=True)
    end = propagate(program, PhaseSpace._make([*symbols, sympy.sympify(delta), sympy.Integer(0)]))
    slopes = sympy.Matrix(end[:4]).jacobian(symbols)
    return slopes.subs(dict.fromkeys(symbols, 0)).applyfunc(sympy.expand)
