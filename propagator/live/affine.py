"""Affine maps of phase space (x, px, y, py) at fixed momentum deviation, and the elements that are exactly such maps.

A map is kept as 20 numbers: 4 rows of 5 columns, the last the constant part. Slices, edges and kicks follow pyAT's
StrMPoleSymplectic4Pass, BndMPoleSymplectic4Pass (fringe method 1), ThinMPolePass and CorrectorPass; the integrator is
that of H. Yoshida, Phys. Lett. A 150 (1990) 262.
"""

import math

import numpy as np

from gnomon.propagator.compiled import Floats, compiled

#: What a row of the geometry table holds.
GEOMETRY = ("length", "angle", "entrance_angle", "exit_angle", "gap", "fint_entrance", "fint_exit")
LENGTH, ANGLE, ENTRANCE, EXIT, GAP, FINT_ENTRANCE, FINT_EXIT = range(7)

#: Columns of a parameter row, `gnomon.lattice.elements.PARAMETERS`.
A1, A2, A3, A4, B1, B2, B3, B4, KICK_X, KICK_Y, DX, DY, ROLL = range(13)

#: What an element is to the kernels.
IDENTITY, DRIFT, AFFINE, CORRECTOR, NONLINEAR = range(5)

#: Yoshida's fourth order: fractions of a slice that drift and kick.
KICK_OUTER = 1.0 / (2.0 - 2.0 ** (1.0 / 3.0))
KICK_INNER = 1.0 - 2.0 * KICK_OUTER
DRIFT_OUTER = 0.5 * KICK_OUTER
DRIFT_INNER = 0.5 - DRIFT_OUTER


@compiled
def set_identity(out: Floats) -> None:
    """Make `out` the map that changes nothing."""
    out[:] = 0.0
    out[0] = 1.0
    out[6] = 1.0
    out[12] = 1.0
    out[18] = 1.0


@compiled
def copy(source: Floats, out: Floats) -> None:
    """Write a map to `out`; many times faster than the assignment of a slice, which looks for overlap."""
    for i in range(20):
        out[i] = source[i]


@compiled
def compose(after: Floats, before: Floats, out: Floats) -> None:
    """Write `after` following `before` to `out`, which must be neither."""
    for row in range(4):
        i = 5 * row
        m0, m1, m2, m3 = after[i], after[i + 1], after[i + 2], after[i + 3]
        for column in range(5):
            out[i + column] = (
                m0 * before[column] + m1 * before[5 + column] + m2 * before[10 + column] + m3 * before[15 + column]
            )
        out[i + 4] += after[i + 4]


@compiled
def apply_drift(length: float, out: Floats) -> None:
    """Let `out` be followed by free space; `length` [m] is divided by 1 + delta already."""
    for column in range(5):
        out[column] += length * out[5 + column]
        out[10 + column] += length * out[15 + column]


@compiled
def apply_kick(length: float, gradient: float, skew: float, weak: float, out: Floats) -> None:
    """Let `out` be followed by a linear kick of `length` [m]: gradients [1/m^2], `weak` the square of the curvature."""
    for column in range(5):
        x = out[column]
        y = out[10 + column]
        out[5 + column] -= length * ((gradient + weak) * x - skew * y)
        out[15 + column] += length * (skew * x + gradient * y)


@compiled
def edge_psi(curvature: float, angle: float, gap: float, fint: float) -> float:
    """By how much [rad] the fringe field turns a bend's edge for the vertical focusing, at the reference momentum."""
    return curvature * gap * fint * (1.0 + math.sin(angle) ** 2) / math.cos(angle)


@compiled
def edge_strengths(curvature: float, angle: float, gap: float, fint: float, delta: float) -> tuple[float, float]:
    """Focusing of a bend's edge [1/m]: px += h x, py -= v y. `angle` [rad], `gap` [m, full], `curvature` [1/m]."""
    psi = edge_psi(curvature, angle, gap, fint)
    return curvature * math.tan(angle), curvature * math.tan(angle - psi / (1.0 + delta))


@compiled
def has_edges(geometry: Floats) -> bool:
    """Whether an element bends and so has edges."""
    return bool(geometry[ANGLE] != 0.0 and geometry[LENGTH] > 0.0)


@compiled
def edge_map(geometry: Floats, exit_side: bool, delta: float, out: Floats) -> None:
    """Write the map of a bend's entrance or exit edge."""
    curvature = geometry[ANGLE] / geometry[LENGTH]
    angle = geometry[EXIT] if exit_side else geometry[ENTRANCE]
    fint = geometry[FINT_EXIT] if exit_side else geometry[FINT_ENTRANCE]
    horizontal, vertical = edge_strengths(curvature, angle, geometry[GAP], fint, delta)
    set_identity(out)
    out[5] = horizontal
    out[17] = -vertical


@compiled
def dipole_terms(length: float, parameters: Floats) -> tuple[float, float]:
    """Normal and skew dipole term with the coils [1/m; rad when `length` is 0]."""
    if length == 0.0:
        return parameters[B1] - parameters[KICK_X], parameters[A1] + parameters[KICK_Y]
    return (
        parameters[B1] - math.sin(parameters[KICK_X]) / length,
        parameters[A1] + math.sin(parameters[KICK_Y]) / length,
    )


@compiled
def corrector_map(length: float, kick_x: float, kick_y: float, delta: float, out: Floats) -> None:
    """Write the map of a steerer [rad] whose field is spread over `length` [m]."""
    drift = length / (1.0 + delta)
    set_identity(out)
    out[1] = drift
    out[13] = drift
    out[4] = 0.5 * drift * kick_x
    out[9] = kick_x
    out[14] = 0.5 * drift * kick_y
    out[19] = kick_y


@compiled
def solve_fixed_point(turn: Floats, out: Floats) -> bool:
    """Write the point that the map leaves where it is; False when there is none or more than one."""
    system = np.empty((4, 5))
    for row in range(4):
        for column in range(4):
            system[row, column] = (1.0 if row == column else 0.0) - turn[5 * row + column]
        system[row, 4] = turn[5 * row + 4]
    for step in range(4):
        pivot = step
        for row in range(step + 1, 4):
            if abs(system[row, step]) > abs(system[pivot, step]):
                pivot = row
        if not abs(system[pivot, step]) > 1e-14:
            return False
        for column in range(step, 5):
            system[step, column], system[pivot, column] = system[pivot, column], system[step, column]
        for row in range(step + 1, 4):
            ratio = system[row, step] / system[step, step]
            for column in range(step, 5):
                system[row, column] -= ratio * system[step, column]
    for row in range(3, -1, -1):
        value = system[row, 4]
        for column in range(row + 1, 4):
            value -= system[row, column] * out[column]
        out[row] = value / system[row, row]
    return True
