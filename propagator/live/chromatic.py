"""First-order effects of the momentum deviation: dispersion and chromaticity.

The dispersion is the fixed point of the derivative of the turn. A small symplectic change dM of an element's matrix M
changes the phase advance of a mode with the eigenvector E by -Re(conj(M E) S dM E) / 2, where S is the symplectic form;
for a thin kick this is the well-known beta dK / 2. In elements with sextupole or octupole terms the field's change
along the dispersive orbit is taken kick by kick.
"""

import numpy as np

from gnomon.propagator.compiled import Floats, compiled
from gnomon.propagator.live.affine_maps import (
    AFFINE,
    CONSTANT,
    CORRECTOR,
    DRIFT,
    DRIFT_INNER,
    DRIFT_OUTER,
    KICK_INNER,
    KICK_OUTER,
    LENGTH,
    MAP,
    NONLINEAR,
    ROW_PX,
    ROW_PY,
    ROW_X,
    ROW_Y,
    WIDTH,
    carry,
    compose,
    copy,
    multiply_row,
    solve_fixed_point,
)
from gnomon.propagator.live.live_tables import LiveTables
from gnomon.propagator.live.map_pairs import SLOPE, by_delta, carry_slope
from gnomon.propagator.live.nonlinear_bodies import (
    A_1,
    A_2,
    A_3,
    A_4,
    B_1,
    B_2,
    B_3,
    B_4,
    BODY_BY_DELTA,
    COLUMN,
    CURVATURE,
    DRIFTING,
    KICKING,
    LANES,
    PX,
    PY,
    ROWS,
    STATE,
    X,
    Y,
    fill_state,
)

#: Columns of a state after the orbit: dispersion, and the eigenvectors of both modes.
DISPERSION, REAL_1, IMAGINARY_1, REAL_2, IMAGINARY_2 = range(COLUMN, 6 * COLUMN, COLUMN)

#: Places of the changes of phase, after a state.
PHASE_1, PHASE_2 = STATE, STATE + LANES


@compiled
def carry_body_slope(body: Floats, dx: float, dpx: float, dy: float, dpy: float) -> tuple[float, float, float, float]:
    """Carry the derivative of an orbit with respect to the momentum deviation through a linearised nonlinear body."""
    return (
        multiply_row(body, ROW_X, dx, dpx, dy, dpy) + body[BODY_BY_DELTA],
        multiply_row(body, ROW_PX, dx, dpx, dy, dpy) + body[BODY_BY_DELTA + 1],
        multiply_row(body, ROW_Y, dx, dpx, dy, dpy) + body[BODY_BY_DELTA + 2],
        multiply_row(body, ROW_PY, dx, dpx, dy, dpy) + body[BODY_BY_DELTA + 3],
    )


@compiled
def find_dispersion(tables: LiveTables, slot: int, out: Floats) -> bool:
    """Write the dispersion (4) at the ring's start; False if there is none or more than one."""
    segments, bodies, points = tables.segments[slot], tables.bodies[slot], tables.points[slot]
    start = tables.starts[slot]
    count = points.shape[0]
    x, px, y, py = start[0], start[1], start[2], start[3]
    e0 = e1 = e2 = e3 = 0.0
    for k in range(count + 1):
        e0, e1, e2, e3 = carry_slope(segments[k], x, px, y, py, e0, e1, e2, e3)
        if k == count:
            break
        body = bodies[k]
        e0, e1, e2, e3 = carry_body_slope(body, e0, e1, e2, e3)
        x, px, y, py = carry(body, points[k, 0], points[k, 1], points[k, 2], points[k, 3])
    system = np.empty(MAP)
    copy(tables.turns[slot], system)
    system[ROW_X + CONSTANT], system[ROW_PX + CONSTANT] = e0, e1
    system[ROW_Y + CONSTANT], system[ROW_PY + CONSTANT] = e2, e3
    return solve_fixed_point(system, out)


@compiled
def walk_dispersion(tables: LiveTables, slot: int, orbit: Floats, start: Floats, dispersion: Floats) -> None:
    """Write the dispersion (n+1, 4) along an orbit (n+1, 4), given its value at the start."""
    kinds, ordinals, geometry, has_frame = tables.kinds, tables.ordinals, tables.geometry, tables.has_frame
    maps, inlets, bodies, outlets = tables.maps[slot], tables.inlets[slot], tables.bodies[slot], tables.outlets[slot]
    delta = tables.deltas[slot]
    weight = 1.0 / (1.0 + delta)
    e0, e1, e2, e3 = start[0], start[1], start[2], start[3]
    for index in range(kinds.size):
        dispersion[index, 0] = e0
        dispersion[index, 1] = e1
        dispersion[index, 2] = e2
        dispersion[index, 3] = e3
        kind = kinds[index]
        x, px, y, py = orbit[index, 0], orbit[index, 1], orbit[index, 2], orbit[index, 3]
        if kind == DRIFT:
            free = geometry[index, LENGTH] * weight
            e0 += free * (e1 - weight * px)
            e2 += free * (e3 - weight * py)
        elif kind in (AFFINE, CORRECTOR):
            e0, e1, e2, e3 = carry_slope(maps[index], x, px, y, py, e0, e1, e2, e3)
        elif kind == NONLINEAR:
            k = ordinals[index]
            if has_frame[index]:
                e0, e1, e2, e3 = carry_slope(inlets[index], x, px, y, py, e0, e1, e2, e3)
                x, px, y, py = carry(inlets[index], x, px, y, py)
            body = bodies[k]
            e0, e1, e2, e3 = carry_body_slope(body, e0, e1, e2, e3)
            if has_frame[index]:
                x, px, y, py = carry(body, x, px, y, py)
                e0, e1, e2, e3 = carry_slope(outlets[k], x, px, y, py, e0, e1, e2, e3)
    last = kinds.size
    dispersion[last, 0] = e0
    dispersion[last, 1] = e1
    dispersion[last, 2] = e2
    dispersion[last, 3] = e3


@compiled
def advance_segments(tables: LiveTables, slot: int, vectors: Floats, work: Floats, advance: Floats) -> None:
    """Add the affine segments' part of the modes' phase derivatives [rad] to `advance` (2).

    The derivatives are with respect to the momentum deviation. `vectors` (20) holds the eigenvectors at the start in
    four columns and the dispersion in the fifth; their values at every nonlinear body overwrite its arrival map.
    """
    segments, bodies, points = tables.segments[slot], tables.bodies[slot], tables.points[slot]
    start, arrivals = tables.starts[slot], tables.arrival_maps
    count = points.shape[0]
    x, px, y, py = start[0], start[1], start[2], start[3]
    for k in range(count + 1):
        segment = segments[k]
        compose(segment, vectors, work)
        for mode in range(2):
            total = 0.0
            for part in range(2):
                i = 2 * mode + part
                v0, v1 = vectors[ROW_X + i], vectors[ROW_PX + i]
                v2, v3 = vectors[ROW_Y + i], vectors[ROW_PY + i]
                for plane in range(2):
                    row = 2 * WIDTH * plane
                    change = multiply_row(segment, SLOPE + row, v0, v1, v2, v3)
                    change_p = multiply_row(segment, SLOPE + row + WIDTH, v0, v1, v2, v3)
                    total += work[row + i] * change_p - work[row + WIDTH + i] * change
            advance[mode] -= 0.5 * total
        if k == count:
            return
        for row in range(4):
            i = WIDTH * row + CONSTANT
            work[i] += by_delta(segment, row, x, px, y, py) - segment[i]
        copy(work, arrivals[k])
        body = bodies[k]
        compose(body, work, vectors)
        for row in range(4):
            i = WIDTH * row + CONSTANT
            vectors[i] += body[BODY_BY_DELTA + row] - body[i]
        x, px, y, py = carry(body, points[k, 0], points[k, 1], points[k, 2], points[k, 3])


@compiled
def advance_drift(drift: float, weight: float, state: Floats) -> None:
    """Drift every lane's orbit, dispersion and eigenvectors by a fraction of a slice.

    `drift` is that fraction divided by 1 + delta, `weight` is 1 / (1 + delta). Rows are x, px, y, py of these six
    columns; the modes' changes of phase follow the state.
    """
    for lane in range(LANES):
        free = drift * state[DRIFTING + lane]
        px, py = state[PX + lane], state[PY + lane]
        state[X + lane] += free * px
        state[Y + lane] += free * py
        state[DISPERSION + X + lane] += free * (state[DISPERSION + PX + lane] - weight * px)
        state[DISPERSION + Y + lane] += free * (state[DISPERSION + PY + lane] - weight * py)
        half = 0.5 * free * weight
        a, b, c, d = (
            state[REAL_1 + PX + lane],
            state[REAL_1 + PY + lane],
            state[IMAGINARY_1 + PX + lane],
            state[IMAGINARY_1 + PY + lane],
        )
        state[PHASE_1 + lane] -= half * (a * a + b * b + c * c + d * d)
        state[REAL_1 + X + lane] += free * a
        state[REAL_1 + Y + lane] += free * b
        state[IMAGINARY_1 + X + lane] += free * c
        state[IMAGINARY_1 + Y + lane] += free * d
        a, b, c, d = (
            state[REAL_2 + PX + lane],
            state[REAL_2 + PY + lane],
            state[IMAGINARY_2 + PX + lane],
            state[IMAGINARY_2 + PY + lane],
        )
        state[PHASE_2 + lane] -= half * (a * a + b * b + c * c + d * d)
        state[REAL_2 + X + lane] += free * a
        state[REAL_2 + Y + lane] += free * b
        state[IMAGINARY_2 + X + lane] += free * c
        state[IMAGINARY_2 + Y + lane] += free * d


@compiled
def advance_kick(kick: float, delta: float, state: Floats) -> None:
    """Kick every lane's orbit, dispersion and eigenvectors, with the field's change along the dispersion."""
    for lane in range(LANES):
        x, y = state[X + lane], state[Y + lane]
        slope_x, slope_y = state[DISPERSION + X + lane], state[DISPERSION + Y + lane]
        b4, a4, b3, a3 = state[B_4 + lane], state[A_4 + lane], state[B_3 + lane], state[A_3 + lane]
        b2, a2 = state[B_2 + lane], state[A_2 + lane]
        # the field by Horner's rule, its first derivative with respect to w = x + i y, and the second: u + i v
        cubic, cubic_a = b4 * x - a4 * y, b4 * y + a4 * x
        b, a = cubic + b3, cubic_a + a3
        g, f = 2.0 * cubic + b3, 2.0 * cubic_a + a3
        u, v = 6.0 * cubic + 2.0 * b3, 6.0 * cubic_a + 2.0 * a3
        real = b * x - a * y + b2
        a = b * y + a * x + a2
        b = real
        real = g * x - f * y + b
        f = g * y + f * x + a
        g = real
        real = b * x - a * y + state[B_1 + lane]
        a = b * y + a * x + state[A_1 + lane]
        h = state[CURVATURE + lane]
        length = kick * state[KICKING + lane]
        state[PX + lane] -= length * (real - h * (delta - h * x))
        state[PY + lane] += length * a
        state[DISPERSION + PX + lane] -= length * (g * slope_x - f * slope_y - h * (1.0 - h * slope_x))
        state[DISPERSION + PY + lane] += length * (f * slope_x + g * slope_y)
        change = 0.5 * length * (u * slope_x - v * slope_y)
        change_a = length * (u * slope_y + v * slope_x)
        focus = length * (g + h * h)
        f *= length
        g *= length
        x1, y1, x2, y2 = (
            state[REAL_1 + X + lane],
            state[REAL_1 + Y + lane],
            state[IMAGINARY_1 + X + lane],
            state[IMAGINARY_1 + Y + lane],
        )
        state[PHASE_1 + lane] += change * (x1 * x1 + x2 * x2 - y1 * y1 - y2 * y2) - change_a * (x1 * y1 + x2 * y2)
        state[REAL_1 + PX + lane] -= focus * x1 - f * y1
        state[REAL_1 + PY + lane] += f * x1 + g * y1
        state[IMAGINARY_1 + PX + lane] -= focus * x2 - f * y2
        state[IMAGINARY_1 + PY + lane] += f * x2 + g * y2
        x1, y1, x2, y2 = (
            state[REAL_2 + X + lane],
            state[REAL_2 + Y + lane],
            state[IMAGINARY_2 + X + lane],
            state[IMAGINARY_2 + Y + lane],
        )
        state[PHASE_2 + lane] += change * (x1 * x1 + x2 * x2 - y1 * y1 - y2 * y2) - change_a * (x1 * y1 + x2 * y2)
        state[REAL_2 + PX + lane] -= focus * x1 - f * y1
        state[REAL_2 + PY + lane] += f * x1 + g * y1
        state[IMAGINARY_2 + PX + lane] -= focus * x2 - f * y2
        state[IMAGINARY_2 + PY + lane] += f * x2 + g * y2


@compiled
def advance_bodies(tables: LiveTables, slot: int, state: Floats, advance: Floats) -> None:
    """Add the nonlinear bodies' part of the modes' phase derivatives [rad] to `advance` (2).

    The derivatives are with respect to the momentum deviation. The arrival maps hold eigenvectors and dispersion at the
    bodies' entrances; `state` has room for another 16 numbers.
    """
    coefficients, group_slices, lanes = tables.coefficients, tables.group_slices, tables.lanes
    delta, points, arrivals = tables.deltas[slot], tables.points[slot], tables.arrival_maps
    weight = 1.0 / (1.0 + delta)
    outer, inner = DRIFT_OUTER * weight, DRIFT_INNER * weight
    for group in range(group_slices.size):
        fill_state(coefficients[group], ROWS, ROWS, state)
        for i in range(2 * LANES):
            state[PHASE_1 + i] = 0.0
        for lane in range(LANES):
            k = lanes[group, lane]
            if k >= 0:
                for row in range(4):
                    i, j = WIDTH * row, LANES * row + lane
                    state[j] = points[k, row]
                    state[DISPERSION + j] = arrivals[k, i + CONSTANT]
                    for column in range(4):
                        state[REAL_1 + COLUMN * column + j] = arrivals[k, i + column]
        slices = group_slices[group]
        advance_drift(outer, weight, state)
        for slice_number in range(slices):
            advance_kick(KICK_OUTER, delta, state)
            advance_drift(inner, weight, state)
            advance_kick(KICK_INNER, delta, state)
            advance_drift(inner, weight, state)
            advance_kick(KICK_OUTER, delta, state)
            advance_drift(2.0 * outer if slice_number < slices - 1 else outer, weight, state)
        for mode in range(2):
            for lane in range(LANES):
                advance[mode] += state[PHASE_1 + LANES * mode + lane]
