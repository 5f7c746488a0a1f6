"""The lengthening of the closed orbit's path: quadratic forms of affine elements, slices of the others.

pyAT's convention: ct [m] grows with the path and has no term for the particle's velocity.
"""

from gnomon.propagator.affine import (
    AFFINE,
    CORRECTOR,
    DRIFT,
    DRIFT_INNER,
    DRIFT_OUTER,
    IDENTITY,
    KICK_INNER,
    KICK_OUTER,
    LENGTH,
    edge_map,
    has_edges,
)
from gnomon.propagator.compiled import Floats, Integers, compiled
from gnomon.propagator.nonlinear import (
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
)  # fmt: skip
from gnomon.propagator.orbit_search import carry
from gnomon.propagator.path_form import form_value


@compiled
def lengthen_slice(kick: float, drift: float, delta: float, state: Floats) -> None:
    """Kick and free space of every lane's values, with the path [m] in row 32."""
    for lane in range(8):
        x, px, y, py = state[lane], state[8 + lane], state[16 + lane], state[24 + lane]
        b, a = state[B_4 + lane], state[A_4 + lane]
        real = b * x - a * y + state[B_3 + lane]
        a = b * y + a * x + state[A_3 + lane]
        b = real
        real = b * x - a * y + state[B_2 + lane]
        a = b * y + a * x + state[A_2 + lane]
        b = real
        real = b * x - a * y + state[B_1 + lane]
        a = b * y + a * x + state[A_1 + lane]
        h = state[CURVATURE + lane]
        length = kick * state[KICKING + lane]
        free = drift * state[DRIFTING + lane]
        px -= length * (real - h * (delta - h * x))
        py += length * a
        state[32 + lane] += length * h * x + 0.5 * free / (1.0 + delta) * (px * px + py * py)
        state[lane] = x + free * px
        state[8 + lane] = px
        state[16 + lane] = y + free * py
        state[24 + lane] = py


@compiled
def lengthen_bodies(
    coefficients: Floats, group_slices: Integers, lanes: Integers, delta: float, points: Floats, state: Floats
) -> float:
    """The path [m] in the bodies of all nonlinear elements, from the points at their entrances."""
    outer, inner = DRIFT_OUTER / (1.0 + delta), DRIFT_INNER / (1.0 + delta)
    total = 0.0
    for group in range(group_slices.size):
        state[0:40] = 0.0
        state[ROWS:STATE] = coefficients[group]
        for lane in range(8):
            k = lanes[group, lane]
            if k >= 0:
                for row in range(4):
                    state[8 * row + lane] = points[k, row]
        slices = group_slices[group]
        lengthen_slice(0.0, outer, delta, state)
        for slice_number in range(slices):
            lengthen_slice(KICK_OUTER, inner, delta, state)
            lengthen_slice(KICK_INNER, inner, delta, state)
            lengthen_slice(KICK_OUTER, 2.0 * outer if slice_number < slices - 1 else outer, delta, state)
        for lane in range(8):
            total += state[32 + lane]
    return total


@compiled
def frame_path(frame: Floats, delta: float, x: float, px: float, y: float, py: float) -> float:
    """The path [m] in a change of frame (`misalignment.write_frame`)."""
    return float(frame[24] * x + frame[25] * px + frame[26] * y + frame[27] * py + frame[28] * delta + frame[29])


@compiled
def lengthening(
    kinds: Integers,
    ordinals: Integers,
    geometry: Floats,
    moved: Integers,
    frames: Floats,
    forms: Floats,
    coefficients: Floats,
    group_slices: Integers,
    lanes: Integers,
    points: Floats,
    bodies: Floats,
    delta: float,
    orbit: Floats,
    work: Floats,
) -> float:
    """The path of a turn [m] less the ring's length, along `orbit` (n+1, 4); `work` is room for a state."""
    total = lengthen_bodies(coefficients, group_slices, lanes, delta, points, work)
    half = 0.5 / (1.0 + delta) ** 2
    for index in range(kinds.size):
        kind = kinds[index]
        if kind == IDENTITY:
            continue
        x, px, y, py = orbit[index, 0], orbit[index, 1], orbit[index, 2], orbit[index, 3]
        if kind == DRIFT:
            total += half * geometry[index, LENGTH] * (px * px + py * py)
        elif kind in (AFFINE, CORRECTOR):
            total += form_value(forms[index], x, px, y, py)
        elif moved[index]:
            total += frame_path(frames[index, 0], delta, x, px, y, py)
            k = ordinals[index]
            x, px, y, py = carry(bodies[k], points[k, 0], points[k, 1], points[k, 2], points[k, 3])
            if has_edges(geometry[index]):
                edge_map(geometry[index], True, delta, work)
                x, px, y, py = carry(work, x, px, y, py)
            total += frame_path(frames[index, 1], delta, x, px, y, py)
    return total
