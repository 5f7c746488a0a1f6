"""Affine maps of phase space (x, px, y, py) at fixed momentum deviation, and the elements that are exactly such maps.

A map is kept as `MAP` numbers: 4 rows of `WIDTH` columns, the last being the constant part. Slices, edges and kicks
follow pyAT's StrMPoleSymplectic4Pass, BndMPoleSymplectic4Pass (fringe method 1), ThinMPolePass and CorrectorPass; the
integrator is that of H. Yoshida, Phys. Lett. A 150 (1990) 262.
"""

import math

import numpy as np

from gnomon.propagator.compiled import Floats, compiled

#: Columns of the geometry table.
GEOMETRY = ("length", "angle", "entrance_angle", "exit_angle", "gap", "fint_entrance", "fint_exit")
LENGTH, ANGLE, ENTRANCE, EXIT, GAP, FINT_ENTRANCE, FINT_EXIT = range(7)

#: Columns of a parameter row, `gnomon.lattice.elements.PARAMETERS`.
A1, A2, A3, A4, B1, B2, B3, B4, KICK_X, KICK_Y, DX, DY, ROLL = range(13)

#: Places of the coordinates in a point, an orbit's row and a dispersion's.
X, PX, Y, PY = range(4)

#: Numbers of a map, and of a row of it.
MAP, WIDTH = 20, 5

#: Start of each row of a map, and the columns of a row: the contributions of the coordinates and the constant part.
ROW_X, ROW_PX, ROW_Y, ROW_PY = range(0, MAP, WIDTH)
OF_X, OF_PX, OF_Y, OF_PY, CONSTANT = range(WIDTH)

#: Kinds of elements.
IDENTITY, DRIFT, AFFINE, CORRECTOR, NONLINEAR = range(5)

#: Yoshida's fourth order: fractions of a slice that drift and kick.
KICK_OUTER = 1.0 / (2.0 - 2.0 ** (1.0 / 3.0))
KICK_INNER = 1.0 - 2.0 * KICK_OUTER
DRIFT_OUTER = 0.5 * KICK_OUTER
DRIFT_INNER = 0.5 - DRIFT_OUTER


@compiled
def set_identity(out: Floats) -> None:
    """Set `out` to the identity map."""
    out[:] = 0.0
    out[ROW_X + OF_X] = 1.0
    out[ROW_PX + OF_PX] = 1.0
    out[ROW_Y + OF_Y] = 1.0
    out[ROW_PY + OF_PY] = 1.0


@compiled
def copy(source: Floats, out: Floats) -> None:
    """Copy a map to `out`; many times faster than assigning a slice, which checks for overlap."""
    for i in range(MAP):
        out[i] = source[i]


@compiled
def compose(after: Floats, before: Floats, out: Floats) -> None:
    """Write the map `before` followed by `after` to `out`, which must be neither of them."""
    for row in range(4):
        i = WIDTH * row
        m0, m1, m2, m3 = after[i + OF_X], after[i + OF_PX], after[i + OF_Y], after[i + OF_PY]
        for column in range(WIDTH):
            out[i + column] = (
                m0 * before[ROW_X + column] + m1 * before[ROW_PX + column] + m2 * before[ROW_Y + column]
                + m3 * before[ROW_PY + column]
            )  # fmt: skip
        out[i + CONSTANT] += after[i + CONSTANT]


@compiled
def multiply_row(m: Floats, i: int, x: float, px: float, y: float, py: float) -> float:
    """Apply the linear part of the row that starts at `i` to a point."""
    return float(m[i + OF_X] * x + m[i + OF_PX] * px + m[i + OF_Y] * y + m[i + OF_PY] * py)


@compiled
def apply_row(m: Floats, i: int, x: float, px: float, y: float, py: float) -> float:
    """Apply the row that starts at `i` to a point."""
    return float(m[i + OF_X] * x + m[i + OF_PX] * px + m[i + OF_Y] * y + m[i + OF_PY] * py + m[i + CONSTANT])


@compiled
def carry(m: Floats, x: float, px: float, y: float, py: float) -> tuple[float, float, float, float]:
    """Apply an affine map to a point."""
    return (
        apply_row(m, ROW_X, x, px, y, py),
        apply_row(m, ROW_PX, x, px, y, py),
        apply_row(m, ROW_Y, x, px, y, py),
        apply_row(m, ROW_PY, x, px, y, py),
    )


@compiled
def apply_drift(length: float, out: Floats) -> None:
    """Append a drift to the map `out`; `length` [m] is already divided by 1 + delta."""
    for column in range(WIDTH):
        out[ROW_X + column] += length * out[ROW_PX + column]
        out[ROW_Y + column] += length * out[ROW_PY + column]


@compiled
def edge_psi(curvature: float, angle: float, gap: float, fint: float) -> float:
    """Return the angle [rad] by which the fringe field turns a bend's edge in its vertical focusing, at delta 0."""
    return curvature * gap * fint * (1.0 + math.sin(angle) ** 2) / math.cos(angle)


@compiled
def edge_strengths(curvature: float, angle: float, gap: float, fint: float, delta: float) -> tuple[float, float]:
    """Return the focusing h, v of a bend's edge [1/m]: px += h x, py -= v y. `gap` [m] is the full gap."""
    psi = edge_psi(curvature, angle, gap, fint)
    return curvature * math.tan(angle), curvature * math.tan(angle - psi / (1.0 + delta))


@compiled
def has_edges(geometry: Floats) -> bool:
    """Return True if an element bends and so has edges."""
    return bool(geometry[ANGLE] != 0.0 and geometry[LENGTH] > 0.0)


@compiled
def edge_of(geometry: Floats, exit_side: bool, delta: float) -> tuple[float, float]:
    """Return the focusing of an element's entrance or exit edge (`edge_strengths`), 0 without edges."""
    if not has_edges(geometry):
        return 0.0, 0.0
    angle = geometry[EXIT] if exit_side else geometry[ENTRANCE]
    fint = geometry[FINT_EXIT] if exit_side else geometry[FINT_ENTRANCE]
    return edge_strengths(geometry[ANGLE] / geometry[LENGTH], angle, geometry[GAP], fint, delta)


@compiled
def edge_map(geometry: Floats, exit_side: bool, delta: float, out: Floats) -> None:
    """Write the map of a bend's entrance or exit edge."""
    horizontal, vertical = edge_of(geometry, exit_side, delta)
    set_identity(out)
    out[ROW_PX + OF_X] = horizontal
    out[ROW_PY + OF_Y] = -vertical


@compiled
def dipole_terms(length: float, parameters: Floats) -> tuple[float, float]:
    """Return the normal and skew dipole terms with the coils' kicks [1/m; rad when `length` is 0]."""
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
    out[ROW_X + OF_PX] = drift
    out[ROW_Y + OF_PY] = drift
    out[ROW_X + CONSTANT] = 0.5 * drift * kick_x
    out[ROW_PX + CONSTANT] = kick_x
    out[ROW_Y + CONSTANT] = 0.5 * drift * kick_y
    out[ROW_PY + CONSTANT] = kick_y


@compiled
def steer(
    free: float, kick_x: float, kick_y: float, x: float, px: float, y: float, py: float
) -> tuple[float, float, float, float]:
    """Carry a point through a steerer [rad]; `free` is its length [m] divided by 1 + delta."""
    return x + free * (px + 0.5 * kick_x), px + kick_x, y + free * (py + 0.5 * kick_y), py + kick_y


@compiled
def solve(system: Floats, size: int, out: Floats) -> bool:
    """Solve `size` linear equations, the right side in the last column, by elimination; False if they are singular.

    `system` (size, size + 1) is overwritten. For so few equations this takes less time than the call of LAPACK.
    """
    for step in range(size):
        pivot = step
        for row in range(step + 1, size):
            if abs(system[row, step]) > abs(system[pivot, step]):
                pivot = row
        if not abs(system[pivot, step]) > 1e-14:
            return False
        for column in range(step, size + 1):
            system[step, column], system[pivot, column] = system[pivot, column], system[step, column]
        for row in range(step + 1, size):
            ratio = system[row, step] / system[step, step]
            for column in range(step, size + 1):
                system[row, column] -= ratio * system[step, column]
    for row in range(size - 1, -1, -1):
        value = system[row, size]
        for column in range(row + 1, size):
            value -= system[row, column] * out[column]
        out[row] = value / system[row, row]
    return True


@compiled
def solve_fixed_point(turn: Floats, out: Floats) -> bool:
    """Write the fixed point of a map; False if there is none or more than one."""
    system = np.empty((4, 5))
    for row in range(4):
        for column in range(4):
            system[row, column] = (1.0 if row == column else 0.0) - turn[WIDTH * row + column]
        system[row, 4] = turn[WIDTH * row + CONSTANT]
    return solve(system, 4, out)
