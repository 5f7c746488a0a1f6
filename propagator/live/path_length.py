"""The path of a turn and its derivative by the momentum deviation, along a closed orbit and its dispersion.

pyAT's convention: ct [m] grows with the path and has no term for the particle's velocity. Multipoles are tracked slice
by slice, eight side by side; the derivative is that along (dispersion, 1), so that over a turn it is the circumference
times the momentum compaction.
"""

from gnomon.propagator.compiled import Floats, Integers, compiled
from gnomon.propagator.live.affine import (
    CORRECTOR,
    DRIFT,
    DRIFT_INNER,
    DRIFT_OUTER,
    KICK_INNER,
    KICK_OUTER,
    KICK_X,
    KICK_Y,
    LENGTH,
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
    fill_state,
)  # fmt: skip
from gnomon.propagator.live.orbit_search import carry
from gnomon.propagator.live.pairs import carry_slope, edge_pair, frame_pair, move_pair


@compiled
def lengthen_slice(kick: float, drift: float, delta: float, state: Floats) -> None:
    """Kick and free space (divided by 1 + delta) of every lane's point and derivative, with their paths [m].

    The point is in rows 0 to 24, its derivative by the momentum deviation in 32 to 56, their paths in 64 and 72.
    """
    weight = 1.0 / (1.0 + delta)
    for lane in range(8):
        x, px, y, py = state[lane], state[8 + lane], state[16 + lane], state[24 + lane]
        dx, dpx, dy, dpy = state[32 + lane], state[40 + lane], state[48 + lane], state[56 + lane]
        g, f = state[B_4 + lane], state[A_4 + lane]
        b = g * x - f * y + state[B_3 + lane]
        a = g * y + f * x + state[A_3 + lane]
        real = g * x - f * y + b
        f = g * y + f * x + a
        g = real
        real = b * x - a * y + state[B_2 + lane]
        a = b * y + a * x + state[A_2 + lane]
        b = real
        real = g * x - f * y + b
        f = g * y + f * x + a
        g = real
        real = b * x - a * y + state[B_1 + lane]
        a = b * y + a * x + state[A_1 + lane]
        h = state[CURVATURE + lane]
        length, free = kick * state[KICKING + lane], drift * state[DRIFTING + lane]
        px -= length * (real - h * (delta - h * x))
        py += length * a
        dpx -= length * (g * dx - f * dy - h * (1.0 - h * dx))
        dpy += length * (f * dx + g * dy)
        square = px * px + py * py
        state[64 + lane] += length * h * x + 0.5 * free * weight * square
        state[72 + lane] += length * h * dx + free * weight * (px * dpx + py * dpy - weight * square)
        state[lane], state[8 + lane] = x + free * px, px
        state[16 + lane], state[24 + lane] = y + free * py, py
        state[32 + lane], state[40 + lane] = dx + free * (dpx - weight * px), dpx
        state[48 + lane], state[56 + lane] = dy + free * (dpy - weight * py), dpy


@compiled
def lengthen_linear_slice(kick: float, drift: float, delta: float, state: Floats) -> None:
    """The same for fields up to the quadrupole's."""
    weight = 1.0 / (1.0 + delta)
    for lane in range(8):
        x, px, y, py = state[lane], state[8 + lane], state[16 + lane], state[24 + lane]
        dx, dpx, dy, dpy = state[32 + lane], state[40 + lane], state[48 + lane], state[56 + lane]
        h = state[CURVATURE + lane]
        length, free = kick * state[KICKING + lane], drift * state[DRIFTING + lane]
        g, f = length * state[B_2 + lane], length * state[A_2 + lane]
        focus = g + length * h * h
        px -= focus * x - f * y + length * (state[B_1 + lane] - h * delta)
        py += g * y + f * x + length * state[A_1 + lane]
        dpx -= focus * dx - f * dy - length * h
        dpy += g * dy + f * dx
        square = px * px + py * py
        state[64 + lane] += length * h * x + 0.5 * free * weight * square
        state[72 + lane] += length * h * dx + free * weight * (px * dpx + py * dpy - weight * square)
        state[lane], state[8 + lane] = x + free * px, px
        state[16 + lane], state[24 + lane] = y + free * py, py
        state[32 + lane], state[40 + lane] = dx + free * (dpx - weight * px), dpx
        state[48 + lane], state[56 + lane] = dy + free * (dpy - weight * py), dpy


@compiled
def lengthen_bodies(
    linear: bool,
    coefficients: Floats,
    group_slices: Integers,
    members: Integers,
    moved: Integers,
    framed: Integers,
    inlets: Floats,
    geometry: Floats,
    frames: Floats,
    delta: float,
    orbit: Floats,
    dispersion: Floats,
    state: Floats,
    pairs: Floats,
    total: Floats,
) -> None:
    """Add path [m] and derivative of groups of multipoles (`members` (groups, 8) are elements) to `total` (2).

    They are `linear` up to the quadrupole's field.
    """
    weight = 1.0 / (1.0 + delta)
    outer, inner = DRIFT_OUTER * weight, DRIFT_INNER * weight
    for group in range(group_slices.size):
        fill_state(coefficients[group], 80, ROWS, state)
        for lane in range(8):
            index = members[group, lane]
            if index < 0:
                continue
            z, d = orbit[index], dispersion[index]
            if framed[index]:
                pair = inlets[index]
                point = carry(pair, z[0], z[1], z[2], z[3])
                slope = carry_slope(pair, z[0], z[1], z[2], z[3], d[0], d[1], d[2], d[3])
            else:
                point = (z[0], z[1], z[2], z[3])
                slope = (d[0], d[1], d[2], d[3])
            state[lane], state[8 + lane], state[16 + lane], state[24 + lane] = point
            state[32 + lane], state[40 + lane], state[48 + lane], state[56 + lane] = slope
        slices = group_slices[group]
        lengthen_slice(0.0, outer, delta, state)
        for slice_number in range(slices):
            between = 2.0 * outer if slice_number < slices - 1 else outer
            if linear:
                lengthen_linear_slice(KICK_OUTER, inner, delta, state)
                lengthen_linear_slice(KICK_INNER, inner, delta, state)
                lengthen_linear_slice(KICK_OUTER, between, delta, state)
            else:
                lengthen_slice(KICK_OUTER, inner, delta, state)
                lengthen_slice(KICK_INNER, inner, delta, state)
                lengthen_slice(KICK_OUTER, between, delta, state)
        for lane in range(8):
            index = members[group, lane]
            if index < 0:
                continue
            total[0] += state[64 + lane]
            total[1] += state[72 + lane]
            if moved[index]:
                add_frame_path(frames[index, 0], delta, orbit[index], dispersion[index], total)
                edge = pairs[0:60]
                edge_pair(geometry[index], True, delta, edge)
                move_pair(edge, 0.0)
                x, px, y, py = state[lane], state[8 + lane], state[16 + lane], state[24 + lane]
                pairs[60], pairs[61], pairs[62], pairs[63] = carry(edge, x, px, y, py)
                pairs[64], pairs[65], pairs[66], pairs[67] = carry_slope(
                    edge, x, px, y, py, state[32 + lane], state[40 + lane], state[48 + lane], state[56 + lane]
                )
                add_frame_path(frames[index, 1], delta, pairs[60:64], pairs[64:68], total)


@compiled
def add_frame_path(frame: Floats, delta: float, z: Floats, d: Floats, total: Floats) -> None:
    """Add the path [m] and its derivative in a change of frame (`misalignment.write_frame`)."""
    total[0] += frame[24] * z[0] + frame[25] * z[1] + frame[26] * z[2] + frame[27] * z[3] + frame[28] * delta
    total[0] += frame[29]
    total[1] += frame[24] * d[0] + frame[25] * d[1] + frame[26] * d[2] + frame[27] * d[3] + frame[28]


@compiled
def add_corrector_path(
    length: float, kick_x: float, kick_y: float, delta: float, z: Floats, d: Floats, total: Floats
) -> None:
    """Add the path [m] and its derivative in a steerer [rad] whose field is spread over `length` [m]."""
    weight = 1.0 / (1.0 + delta)
    square = z[1] * (z[1] + kick_x) + kick_x * kick_x / 3.0 + z[3] * (z[3] + kick_y) + kick_y * kick_y / 3.0
    scale = length * weight * weight
    total[0] += 0.5 * scale * square
    total[1] += scale * ((z[1] + 0.5 * kick_x) * d[1] + (z[3] + 0.5 * kick_y) * d[3] - weight * square)


@compiled
def lengthening(
    kinds: Integers,
    geometry: Floats,
    parameters: Floats,
    moved: Integers,
    frames: Floats,
    framed: Integers,
    inlets: Floats,
    coefficients: Floats,
    group_slices: Integers,
    members: Integers,
    body_coefficients: Floats,
    body_slices: Integers,
    body_members: Integers,
    delta: float,
    orbit: Floats,
    dispersion: Floats,
    state: Floats,
    pairs: Floats,
    total: Floats,
) -> None:
    """Write the path of a turn [m] less the ring's length, and its derivative by the momentum deviation, to `total`.

    `orbit` and `dispersion` (n+1, 4) are those at the entrances; `state` and `pairs` are room to work.
    """
    total[0] = total[1] = 0.0
    lengthen_bodies(
        False, coefficients, group_slices, members, moved, framed, inlets, geometry, frames, delta, orbit, dispersion,
        state, pairs, total,
    )  # fmt: skip
    lengthen_bodies(
        True, body_coefficients, body_slices, body_members, moved, framed, inlets, geometry, frames, delta, orbit,
        dispersion, state, pairs, total,
    )  # fmt: skip
    weight = 1.0 / (1.0 + delta)
    own = slope = 0.0
    for index in range(kinds.size):
        kind = kinds[index]
        if kind == DRIFT:
            px, py = orbit[index, 1], orbit[index, 3]
            square, scale = px * px + py * py, geometry[index, LENGTH] * weight * weight
            own += 0.5 * scale * square
            slope += scale * (px * dispersion[index, 1] + py * dispersion[index, 3] - weight * square)
        elif kind == CORRECTOR:
            row, z, d = parameters[index], orbit[index], dispersion[index]
            if moved[index]:
                add_frame_path(frames[index, 0], delta, z, d, total)
                pair = pairs[0:60]
                frame_pair(frames[index, 0], delta, pair)
                move_pair(pair, 0.0)
                pairs[60], pairs[61], pairs[62], pairs[63] = carry(pair, z[0], z[1], z[2], z[3])
                pairs[64], pairs[65], pairs[66], pairs[67] = carry_slope(
                    pair, z[0], z[1], z[2], z[3], d[0], d[1], d[2], d[3]
                )
                add_corrector_path(
                    geometry[index, LENGTH], row[KICK_X], row[KICK_Y], delta, pairs[60:64], pairs[64:68], total
                )
                leave_corrector(geometry[index, LENGTH], row[KICK_X], row[KICK_Y], weight, pairs[60:64], pairs[64:68])
                add_frame_path(frames[index, 1], delta, pairs[60:64], pairs[64:68], total)
            else:
                add_corrector_path(geometry[index, LENGTH], row[KICK_X], row[KICK_Y], delta, z, d, total)
    total[0] += own
    total[1] += slope


@compiled
def leave_corrector(length: float, kick_x: float, kick_y: float, weight: float, z: Floats, d: Floats) -> None:
    """Carry a point and its derivative by the momentum through a steerer."""
    free = length * weight
    d[0] += free * (d[1] - weight * (z[1] + 0.5 * kick_x))
    d[2] += free * (d[3] - weight * (z[3] + 0.5 * kick_y))
    z[0] += free * (z[1] + 0.5 * kick_x)
    z[2] += free * (z[3] + 0.5 * kick_y)
    z[1] += kick_x
    z[3] += kick_y
