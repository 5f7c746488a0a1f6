"""What the momentum deviation changes, to first order: dispersion, and the tunes along it.

The dispersion is the fixed point of the derivative of the turn. A small symplectic change dM of an element's matrix M
moves the phase advance of a mode with the eigenvector E by -Re(conj(M E) S dM E) / 2, S the symplectic form: of a thin
kick that is the well known beta dK / 2. Of elements with sextupole or octupole terms the field's change is that along
the dispersive orbit, kick by kick.
"""

import numpy as np

from gnomon.propagator.compiled import Floats, Integers, compiled
from gnomon.propagator.live.affine import (
    AFFINE,
    CORRECTOR,
    DRIFT,
    DRIFT_INNER,
    DRIFT_OUTER,
    KICK_INNER,
    KICK_OUTER,
    LENGTH,
    NONLINEAR,
    compose,
    copy,
    solve_fixed_point,
)
from gnomon.propagator.live.nonlinear import (
    A_1,
    A_2,
    A_3,
    A_4,
    B_1,
    B_2,
    B_3,
    B_4,
    CURVATURE,
    DRIFTING,
    KICKING,
    ROWS,
    STATE,
    fill_state,
)  # fmt: skip
from gnomon.propagator.live.orbit_search import carry
from gnomon.propagator.live.pairs import by_delta, carry_slope


@compiled
def find_dispersion(segments: Floats, bodies: Floats, points: Floats, turn: Floats, start: Floats, out: Floats) -> bool:
    """Write the dispersion (4) at the ring's start; False when there is none or more than one."""
    count = points.shape[0]
    x, px, y, py = start[0], start[1], start[2], start[3]
    e0 = e1 = e2 = e3 = 0.0
    for k in range(count + 1):
        e0, e1, e2, e3 = carry_slope(segments[k], x, px, y, py, e0, e1, e2, e3)
        if k == count:
            break
        body = bodies[k]
        b0 = body[0] * e0 + body[1] * e1 + body[2] * e2 + body[3] * e3 + body[20]
        b1 = body[5] * e0 + body[6] * e1 + body[7] * e2 + body[8] * e3 + body[21]
        b2 = body[10] * e0 + body[11] * e1 + body[12] * e2 + body[13] * e3 + body[22]
        e3 = body[15] * e0 + body[16] * e1 + body[17] * e2 + body[18] * e3 + body[23]
        e0, e1, e2 = b0, b1, b2
        x, px, y, py = carry(body, points[k, 0], points[k, 1], points[k, 2], points[k, 3])
    system = np.empty(20)
    copy(turn, system)
    system[4], system[9], system[14], system[19] = e0, e1, e2, e3
    return solve_fixed_point(system, out)


@compiled
def walk_dispersion(
    kinds: Integers,
    ordinals: Integers,
    geometry: Floats,
    framed: Integers,
    maps: Floats,
    inlets: Floats,
    bodies: Floats,
    outlets: Floats,
    delta: float,
    orbit: Floats,
    start: Floats,
    dispersion: Floats,
) -> None:
    """Write the dispersion (n+1, 4) along an orbit (n+1, 4), from that at the start."""
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
            if framed[index]:
                e0, e1, e2, e3 = carry_slope(inlets[index], x, px, y, py, e0, e1, e2, e3)
                x, px, y, py = carry(inlets[index], x, px, y, py)
            body = bodies[k]
            b0 = body[0] * e0 + body[1] * e1 + body[2] * e2 + body[3] * e3 + body[20]
            b1 = body[5] * e0 + body[6] * e1 + body[7] * e2 + body[8] * e3 + body[21]
            b2 = body[10] * e0 + body[11] * e1 + body[12] * e2 + body[13] * e3 + body[22]
            e3 = body[15] * e0 + body[16] * e1 + body[17] * e2 + body[18] * e3 + body[23]
            e0, e1, e2 = b0, b1, b2
            if framed[index]:
                x, px, y, py = carry(body, x, px, y, py)
                e0, e1, e2, e3 = carry_slope(outlets[k], x, px, y, py, e0, e1, e2, e3)
    last = kinds.size
    dispersion[last, 0] = e0
    dispersion[last, 1] = e1
    dispersion[last, 2] = e2
    dispersion[last, 3] = e3


@compiled
def advance_segments(
    segments: Floats,
    bodies: Floats,
    points: Floats,
    start: Floats,
    vectors: Floats,
    reached: Floats,
    work: Floats,
    advance: Floats,
) -> None:
    """Add to `advance` (2) what the momentum deviation changes of the modes' phases [rad] in the affine segments.

    `vectors` (20) holds the eigenvectors at the start in four columns and the dispersion in the fifth; those at every
    nonlinear body go to `reached` (k, 20).
    """
    count = points.shape[0]
    x, px, y, py = start[0], start[1], start[2], start[3]
    for k in range(count + 1):
        segment = segments[k]
        compose(segment, vectors, work)
        for mode in range(2):
            total = 0.0
            for part in range(2):
                i = 2 * mode + part
                v0, v1, v2, v3 = vectors[i], vectors[5 + i], vectors[10 + i], vectors[15 + i]
                for plane in range(2):
                    row = 10 * plane
                    s = 40 + row
                    change = segment[s] * v0 + segment[s + 1] * v1 + segment[s + 2] * v2 + segment[s + 3] * v3
                    change_p = segment[s + 5] * v0 + segment[s + 6] * v1 + segment[s + 7] * v2 + segment[s + 8] * v3
                    total += work[row + i] * change_p - work[row + 5 + i] * change
            advance[mode] -= 0.5 * total
        if k == count:
            return
        for row in range(4):
            work[5 * row + 4] += by_delta(segment, row, x, px, y, py) - segment[5 * row + 4]
        copy(work, reached[k])
        body = bodies[k]
        compose(body, work, vectors)
        for row in range(4):
            vectors[5 * row + 4] += body[20 + row] - body[5 * row + 4]
        x, px, y, py = carry(body, points[k, 0], points[k, 1], points[k, 2], points[k, 3])


@compiled
def advance_drift(drift: float, weight: float, state: Floats) -> None:
    """Free space (a fraction divided by 1 + delta) of every lane's orbit, dispersion and eigenvectors.

    Rows are x, px, y, py of these six columns; 192 and 200 are the modes' changes of phase.
    """
    for lane in range(8):
        free = drift * state[DRIFTING + lane]
        px, py = state[8 + lane], state[24 + lane]
        state[lane] += free * px
        state[16 + lane] += free * py
        state[32 + lane] += free * (state[40 + lane] - weight * px)
        state[48 + lane] += free * (state[56 + lane] - weight * py)
        half = 0.5 * free * weight
        a, b, c, d = state[72 + lane], state[88 + lane], state[104 + lane], state[120 + lane]
        state[EXTRA + lane] -= half * (a * a + b * b + c * c + d * d)
        state[64 + lane] += free * a
        state[80 + lane] += free * b
        state[96 + lane] += free * c
        state[112 + lane] += free * d
        a, b, c, d = state[136 + lane], state[152 + lane], state[168 + lane], state[184 + lane]
        state[EXTRA + 8 + lane] -= half * (a * a + b * b + c * c + d * d)
        state[128 + lane] += free * a
        state[144 + lane] += free * b
        state[160 + lane] += free * c
        state[176 + lane] += free * d


@compiled
def advance_kick(kick: float, delta: float, state: Floats) -> None:
    """Kick of every lane's orbit, dispersion and eigenvectors, with the field's change along the dispersion."""
    for lane in range(8):
        x, y = state[lane], state[16 + lane]
        slope_x, slope_y = state[32 + lane], state[48 + lane]
        b4, a4, b3, a3 = state[B_4 + lane], state[A_4 + lane], state[B_3 + lane], state[A_3 + lane]
        b2, a2 = state[B_2 + lane], state[A_2 + lane]
        # the field by Horner's rule, its derivative by w = x + i y, and the derivative of that: u + i v
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
        state[8 + lane] -= length * (real - h * (delta - h * x))
        state[24 + lane] += length * a
        state[40 + lane] -= length * (g * slope_x - f * slope_y - h * (1.0 - h * slope_x))
        state[56 + lane] += length * (f * slope_x + g * slope_y)
        change = 0.5 * length * (u * slope_x - v * slope_y)
        change_a = length * (u * slope_y + v * slope_x)
        focus = length * (g + h * h)
        f *= length
        g *= length
        x1, y1, x2, y2 = state[64 + lane], state[80 + lane], state[96 + lane], state[112 + lane]
        state[EXTRA + lane] += change * (x1 * x1 + x2 * x2 - y1 * y1 - y2 * y2) - change_a * (x1 * y1 + x2 * y2)
        state[72 + lane] -= focus * x1 - f * y1
        state[88 + lane] += f * x1 + g * y1
        state[104 + lane] -= focus * x2 - f * y2
        state[120 + lane] += f * x2 + g * y2
        x1, y1, x2, y2 = state[128 + lane], state[144 + lane], state[160 + lane], state[176 + lane]
        state[EXTRA + 8 + lane] += change * (x1 * x1 + x2 * x2 - y1 * y1 - y2 * y2) - change_a * (x1 * y1 + x2 * y2)
        state[136 + lane] -= focus * x1 - f * y1
        state[152 + lane] += f * x1 + g * y1
        state[168 + lane] -= focus * x2 - f * y2
        state[184 + lane] += f * x2 + g * y2


#: Place of the changes of phase, behind a state.
EXTRA = STATE


@compiled
def advance_bodies(
    coefficients: Floats,
    group_slices: Integers,
    lanes: Integers,
    delta: float,
    points: Floats,
    reached: Floats,
    state: Floats,
    advance: Floats,
) -> None:
    """Add to `advance` (2) what the momentum deviation changes of the modes' phases [rad] in the nonlinear bodies.

    `reached` (k, 20) holds eigenvectors and dispersion at their entrances; `state` has room for 16 numbers more.
    """
    weight = 1.0 / (1.0 + delta)
    outer, inner = DRIFT_OUTER * weight, DRIFT_INNER * weight
    for group in range(group_slices.size):
        fill_state(coefficients[group], ROWS, ROWS, state)
        for i in range(16):
            state[EXTRA + i] = 0.0
        for lane in range(8):
            k = lanes[group, lane]
            if k >= 0:
                for row in range(4):
                    state[8 * row + lane] = points[k, row]
                    state[32 + 8 * row + lane] = reached[k, 5 * row + 4]
                    for column in range(4):
                        state[64 + 32 * column + 8 * row + lane] = reached[k, 5 * row + column]
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
            for lane in range(8):
                advance[mode] += state[EXTRA + 8 * mode + lane]
