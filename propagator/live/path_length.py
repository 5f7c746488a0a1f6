"""Path length of a turn and its derivative with respect to the momentum deviation, along an orbit and its dispersion.

As in pyAT, ct [m] grows with the path and has no term for the particle's velocity. Multipoles are tracked slice by
slice, eight side by side. The derivative is taken along (dispersion, 1), so that over a turn it is the circumference
times the momentum compaction.
"""

from gnomon.propagator.compiled import Floats, Integers, compiled, inlined
from gnomon.propagator.live.affine_maps import (
    CORRECTOR,
    DRIFT,
    DRIFT_INNER,
    DRIFT_OUTER,
    KICK_INNER,
    KICK_OUTER,
    KICK_X,
    KICK_Y,
    LENGTH,
    carry,
    multiply_row,
    steer,
)
from gnomon.propagator.live.live_tables import LiveTables
from gnomon.propagator.live.map_pairs import PAIR, carry_slope, edge_pair, frame_pair, move_pair
from gnomon.propagator.live.misalignment import FRAME_CONSTANT, FRAME_PATH, OF_DELTA
from gnomon.propagator.live.nonlinear_bodies import (
    A_1,
    A_2,
    A_3,
    A_4,
    B_1,
    B_2,
    B_3,
    B_4,
    COLUMN,
    CURVATURE,
    DRIFTING,
    KICKING,
    LANES,
    PX,
    PY,
    ROWS,
    X,
    Y,
    fill_state,
    horner,
)

#: Start in a state, after the point, of its momentum derivative, of the path [m] and of the path's derivative [m].
SLOPE, PATH, PATH_SLOPE = COLUMN, 2 * COLUMN, 2 * COLUMN + LANES

#: Numbers of a state that are used, before the coefficients.
USED = PATH_SLOPE + LANES

#: Places of a point and its derivative after a pair, in the space for pairs.
BEHIND_Z, BEHIND_D, BEHIND_END = PAIR, PAIR + 4, PAIR + 8


@inlined
def drift_with_path(
    lane: int, x: float, px: float, y: float, py: float, dx: float, dpx: float, dy: float, dpy: float,
    bent: float, free: float, weight: float, state: Floats,
) -> None:  # fmt: skip
    """Drift a lane's point and derivative (d...) after a kick; `bent` is the kick's bending angle [rad]."""
    square = px * px + py * py
    state[PATH + lane] += bent * x + 0.5 * free * weight * square
    state[PATH_SLOPE + lane] += bent * dx + free * weight * (px * dpx + py * dpy - weight * square)
    state[X + lane], state[PX + lane] = x + free * px, px
    state[Y + lane], state[PY + lane] = y + free * py, py
    state[SLOPE + X + lane], state[SLOPE + PX + lane] = dx + free * (dpx - weight * px), dpx
    state[SLOPE + Y + lane], state[SLOPE + PY + lane] = dy + free * (dpy - weight * py), dpy


@compiled
def lengthen_slice(kick: float, drift: float, delta: float, state: Floats) -> None:
    """Kick and drift (divided by 1 + delta) every lane's point and derivative, and add their paths [m]."""
    weight = 1.0 / (1.0 + delta)
    for lane in range(LANES):
        x, px, y, py = state[X + lane], state[PX + lane], state[Y + lane], state[PY + lane]
        dx, dpx = state[SLOPE + X + lane], state[SLOPE + PX + lane]
        dy, dpy = state[SLOPE + Y + lane], state[SLOPE + PY + lane]
        b, a, g, f = horner(
            state[B_1 + lane], state[B_2 + lane], state[B_3 + lane], state[B_4 + lane],
            state[A_1 + lane], state[A_2 + lane], state[A_3 + lane], state[A_4 + lane], x, y,
        )  # fmt: skip
        h = state[CURVATURE + lane]
        length, free = kick * state[KICKING + lane], drift * state[DRIFTING + lane]
        px -= length * (b - h * (delta - h * x))
        py += length * a
        dpx -= length * (g * dx - f * dy - h * (1.0 - h * dx))
        dpy += length * (f * dx + g * dy)
        drift_with_path(lane, x, px, y, py, dx, dpx, dy, dpy, length * h, free, weight, state)


@compiled
def lengthen_linear_slice(kick: float, drift: float, delta: float, state: Floats) -> None:
    """Kick and drift as `lengthen_slice` does, for fields up to the quadrupole's."""
    weight = 1.0 / (1.0 + delta)
    for lane in range(LANES):
        x, px, y, py = state[X + lane], state[PX + lane], state[Y + lane], state[PY + lane]
        dx, dpx = state[SLOPE + X + lane], state[SLOPE + PX + lane]
        dy, dpy = state[SLOPE + Y + lane], state[SLOPE + PY + lane]
        h = state[CURVATURE + lane]
        length, free = kick * state[KICKING + lane], drift * state[DRIFTING + lane]
        g, f = length * state[B_2 + lane], length * state[A_2 + lane]
        focus = g + length * h * h
        px -= focus * x - f * y + length * (state[B_1 + lane] - h * delta)
        py += g * y + f * x + length * state[A_1 + lane]
        dpx -= focus * dx - f * dy - length * h
        dpy += g * dy + f * dx
        drift_with_path(lane, x, px, y, py, dx, dpx, dy, dpy, length * h, free, weight, state)


@compiled
def lengthen_bodies(
    linear: bool,
    coefficients: Floats,
    group_slices: Integers,
    members: Integers,
    tables: LiveTables,
    slot: int,
    orbit: Floats,
    dispersion: Floats,
    state: Floats,
    pairs: Floats,
    total: Floats,
) -> None:
    """Add path [m] and derivative in groups of multipoles to `total` (2); `members` (groups, LANES) are their elements.

    If `linear`, their fields go up to the quadrupole's.
    """
    misaligned, has_frame, geometry, frames = tables.misaligned, tables.has_frame, tables.geometry, tables.frames
    inlets, delta = tables.inlets[slot], tables.deltas[slot]
    weight = 1.0 / (1.0 + delta)
    outer, inner = DRIFT_OUTER * weight, DRIFT_INNER * weight
    for group in range(group_slices.size):
        fill_state(coefficients[group], USED, ROWS, state)
        for lane in range(LANES):
            index = members[group, lane]
            if index < 0:
                continue
            z, d = orbit[index], dispersion[index]
            if has_frame[index]:
                pair = inlets[index]
                point = carry(pair, z[0], z[1], z[2], z[3])
                slope = carry_slope(pair, z[0], z[1], z[2], z[3], d[0], d[1], d[2], d[3])
            else:
                point = (z[0], z[1], z[2], z[3])
                slope = (d[0], d[1], d[2], d[3])
            state[X + lane], state[PX + lane], state[Y + lane], state[PY + lane] = point
            state[SLOPE + X + lane], state[SLOPE + PX + lane], state[SLOPE + Y + lane], state[SLOPE + PY + lane] = slope
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
        for lane in range(LANES):
            index = members[group, lane]
            if index < 0:
                continue
            total[0] += state[PATH + lane]
            total[1] += state[PATH_SLOPE + lane]
            if misaligned[index]:
                add_frame_path(frames[index, 0], delta, orbit[index], dispersion[index], total)
                edge, z, d = pairs[0:PAIR], pairs[BEHIND_Z:BEHIND_D], pairs[BEHIND_D:BEHIND_END]
                edge_pair(geometry[index], True, delta, edge)
                move_pair(edge, 0.0)
                x, px, y, py = state[X + lane], state[PX + lane], state[Y + lane], state[PY + lane]
                z[0], z[1], z[2], z[3] = carry(edge, x, px, y, py)
                d[0], d[1], d[2], d[3] = carry_slope(
                    edge,
                    x,
                    px,
                    y,
                    py,
                    state[SLOPE + X + lane],
                    state[SLOPE + PX + lane],
                    state[SLOPE + Y + lane],
                    state[SLOPE + PY + lane],
                )
                add_frame_path(frames[index, 1], delta, z, d, total)


@compiled
def add_frame_path(frame: Floats, delta: float, z: Floats, d: Floats, total: Floats) -> None:
    """Add the path [m] and its derivative in a change of frame (`misalignment.write_frame`)."""
    total[0] += multiply_row(frame, FRAME_PATH, z[0], z[1], z[2], z[3]) + frame[FRAME_PATH + OF_DELTA] * delta
    total[0] += frame[FRAME_PATH + FRAME_CONSTANT]
    total[1] += multiply_row(frame, FRAME_PATH, d[0], d[1], d[2], d[3]) + frame[FRAME_PATH + OF_DELTA]


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
    tables: LiveTables, slot: int, orbit: Floats, dispersion: Floats, state: Floats, pairs: Floats, total: Floats
) -> None:
    """Write the path of a turn less the ring's length, and its momentum derivative [m], to `total` (2).

    `orbit` and `dispersion` (n+1, 4) are at the entrances and the end; `state` and `pairs` are working space.
    """
    total[0] = total[1] = 0.0
    lengthen_bodies(
        False, tables.coefficients, tables.group_slices, tables.members, tables, slot, orbit, dispersion, state, pairs,
        total,
    )  # fmt: skip
    lengthen_bodies(
        True, tables.body_coefficients, tables.body_slices, tables.body_members, tables, slot, orbit, dispersion, state,
        pairs, total,
    )  # fmt: skip
    kinds, geometry, parameters = tables.kinds, tables.geometry, tables.parameters
    misaligned, frames, delta = tables.misaligned, tables.frames, tables.deltas[slot]
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
            if misaligned[index]:
                add_frame_path(frames[index, 0], delta, z, d, total)
                pair, inner, d_inner = pairs[0:PAIR], pairs[BEHIND_Z:BEHIND_D], pairs[BEHIND_D:BEHIND_END]
                frame_pair(frames[index, 0], delta, pair)
                move_pair(pair, 0.0)
                inner[0], inner[1], inner[2], inner[3] = carry(pair, z[0], z[1], z[2], z[3])
                d_inner[0], d_inner[1], d_inner[2], d_inner[3] = carry_slope(
                    pair, z[0], z[1], z[2], z[3], d[0], d[1], d[2], d[3]
                )
                length = geometry[index, LENGTH]
                add_corrector_path(length, row[KICK_X], row[KICK_Y], delta, inner, d_inner, total)
                leave_corrector(length, row[KICK_X], row[KICK_Y], weight, inner, d_inner)
                add_frame_path(frames[index, 1], delta, inner, d_inner, total)
            else:
                add_corrector_path(geometry[index, LENGTH], row[KICK_X], row[KICK_Y], delta, z, d, total)
    total[0] += own
    total[1] += slope


@compiled
def leave_corrector(length: float, kick_x: float, kick_y: float, weight: float, z: Floats, d: Floats) -> None:
    """Carry a point and its momentum derivative through a steerer."""
    free = length * weight
    d[0] += free * (d[1] - weight * (z[1] + 0.5 * kick_x))
    d[2] += free * (d[3] - weight * (z[3] + 0.5 * kick_y))
    z[0], z[1], z[2], z[3] = steer(free, kick_x, kick_y, z[0], z[1], z[2], z[3])
