"""Tune shift with amplitude, from the normal form of the one-turn map to third order.

In c = sqrt(J / 2) exp(i phi) of each mode and their conjugates, the first order of the map is diagonal. The second
order is removed by c = w + g(w) with g_k (L^k - l_j) = f_k for each monomial k of component j, L the eigenvalues (E.
Forest, Beam Dynamics: A New Attitude and Framework, 1998). The third-order terms w_j |w_i|^2 that remain are the phase
shift.
"""

import math

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Lattice
from gnomon.propagator.generic.closed_orbit import TRANSVERSE, closed_orbit
from gnomon.propagator.generic.generic_errors import SeriesError
from gnomon.propagator.generic.normal_modes import find_modes
from gnomon.propagator.generic.power_series import TpsSpace, TruncatedPowerSeries
from gnomon.propagator.generic.preprocessor import Program
from gnomon.propagator.generic.processor import propagate
from gnomon.propagator.physics.phase_space import PhaseSpace

Floats = NDArray[np.float64]

#: The coordinates: each mode and its conjugate.
COMPLEX = ("c1", "c1*", "c2", "c2*")

#: A denominator below this means a resonance.
NEAREST = 1e-6


def tune_shift_with_amplitude(lattice: Lattice, delta: float = 0.0) -> Floats:
    """Compute dQ_i / dJ_j (2, 2) [1/m] at fixed `delta`, where J = (gamma x^2 + 2 alpha x px + beta px^2) / 2.

    Raises SeriesError without a stable beam or on a resonance up to third order, and what `one_turn_map` raises.
    """
    return program_tune_shift(Program.of(lattice), delta)


def program_tune_shift(program: Program, delta: float = 0.0) -> Floats:
    """Compute the tune shift with amplitude (`tune_shift_with_amplitude`) of a ring's or a cell's program."""
    space = TpsSpace(3, TRANSVERSE)
    orbit = closed_orbit(program, delta)
    start = [space.variable(name, at) for name, at in zip(TRANSVERSE, orbit.tolist(), strict=True)]
    end = propagate(program, PhaseSpace._make([*start, delta, 0.0]))[:4]
    modes = find_modes(np.array([series.linear() for series in end]))
    basis = np.empty((4, 4), dtype=complex)
    basis[:, 0::2], basis[:, 1::2] = modes.vectors, modes.vectors.conj()
    turn = _in_modes([s - at for s, at in zip(end, orbit.tolist(), strict=True)], basis)
    normal = _without_second_order(turn)
    shift = np.empty((2, 2))
    for i in range(2):
        eigenvalue = normal[2 * i].coefficient(COMPLEX[2 * i])
        for j in range(2):
            third = normal[2 * i].coefficient(COMPLEX[2 * i], COMPLEX[2 * j], COMPLEX[2 * j + 1])
            shift[i, j] = (third / eigenvalue).imag / (4.0 * math.pi)
    return shift


def _in_modes(turn: list[TruncatedPowerSeries], basis: NDArray[np.complex128]) -> list[TruncatedPowerSeries]:
    """Express a map in the modes' coordinates; the columns of `basis` are x, px, y, py of each mode."""
    space = TpsSpace(3, COMPLEX)
    variables = [space.variable(name) for name in COMPLEX]
    old = [_sum(space, row, variables) for row in basis]
    return [_sum(space, row, space.substitute(turn, old)) for row in np.linalg.inv(basis)]


def _sum(space: TpsSpace, weights: NDArray[np.complex128], series: list[TruncatedPowerSeries]) -> TruncatedPowerSeries:
    total = space.constant(0j)
    for weight, one in zip(weights.tolist(), series, strict=True):
        total = total + one * weight
    return total


def _without_second_order(turn: list[TruncatedPowerSeries]) -> list[TruncatedPowerSeries]:
    """Express a map in coordinates in which its second order vanishes."""
    space = turn[0].space
    monomials = space.monomials
    second = np.flatnonzero(monomials.degree == 2)
    factors = monomials.factors[second][:, 1:] - 1
    values = np.array([series.linear()[j] for j, series in enumerate(turn)])
    change = []
    for j, series in enumerate(turn):
        denominators = values[factors].prod(axis=1) - values[j]
        nearest = int(np.argmin(np.abs(denominators)))
        if abs(denominators[nearest]) < NEAREST:
            names = " ".join(COMPLEX[f] for f in factors[nearest])
            raise SeriesError(f"the tunes lie on a resonance that drives {COMPLEX[j]} by {names}; move the tunes")
        coefficients = np.zeros(space.size, dtype=complex)
        coefficients[second] = series.coefficients[second] / denominators
        change.append(TruncatedPowerSeries(space, coefficients))
    variables = [space.variable(name) for name in COMPLEX]
    after = space.substitute(turn, [v + g for v, g in zip(variables, change, strict=True)])
    normal = after
    for _ in range(2):  # w + g(w) = after; each pass is correct to one order more
        moved = space.substitute(change, normal)
        normal = [a - g for a, g in zip(after, moved, strict=True)]
    return normal
