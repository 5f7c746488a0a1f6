"""Pairs: affine maps and their derivatives with respect to the momentum deviation.

A pair is kept as 60 numbers: the map at the momentum deviation where it is used, the map at the one about which it was
built (the base), and its derivative there. The first follows small changes of momentum to first order (`move_pair`).
"""

from gnomon.propagator.compiled import Floats, compiled
from gnomon.propagator.live.affine_maps import (
    ANGLE,
    CONSTANT,
    ENTRANCE,
    EXIT,
    FINT_ENTRANCE,
    FINT_EXIT,
    GAP,
    LENGTH,
    MAP,
    OF_PX,
    OF_PY,
    OF_X,
    OF_Y,
    ROW_PX,
    ROW_PY,
    ROW_X,
    ROW_Y,
    WIDTH,
    apply_row,
    corrector_map,
    edge_of,
    edge_psi,
    has_edges,
    multiply_row,
)
from gnomon.propagator.live.misalignment import COLUMNS, OF_DELTA, frame_map

#: Numbers of a pair, and the start of the base and of the derivative.
PAIR, BASE, SLOPE = 3 * MAP, MAP, 2 * MAP


@compiled
def move_pair(pair: Floats, by: float) -> None:
    """Set the map that is used to the momentum deviation `by` above the base."""
    for i in range(MAP):
        pair[i] = pair[BASE + i] + by * pair[SLOPE + i]


@compiled
def copy_pair(source: Floats, out: Floats) -> None:
    """Copy a pair to `out`."""
    for i in range(PAIR):
        out[i] = source[i]


@compiled
def set_identity_pair(out: Floats) -> None:
    """Set `out` to the identity at any momentum."""
    for i in range(PAIR):
        out[i] = 0.0
    for row in range(4):
        out[(WIDTH + 1) * row] = 1.0
        out[BASE + (WIDTH + 1) * row] = 1.0


@compiled
def compose_pair(after: Floats, before: Floats, out: Floats) -> None:
    """Write base and derivative of `before` followed by `after` to `out`, which must be neither of them."""
    for row in range(4):
        i, j = BASE + WIDTH * row, SLOPE + WIDTH * row
        m0, m1, m2, m3 = after[i + OF_X], after[i + OF_PX], after[i + OF_Y], after[i + OF_PY]
        s0, s1, s2, s3 = after[j + OF_X], after[j + OF_PX], after[j + OF_Y], after[j + OF_PY]
        for column in range(WIDTH):
            b, d = BASE + column, SLOPE + column
            b0, b1, b2, b3 = before[b + ROW_X], before[b + ROW_PX], before[b + ROW_Y], before[b + ROW_PY]
            d0, d1, d2, d3 = before[d + ROW_X], before[d + ROW_PX], before[d + ROW_Y], before[d + ROW_PY]
            out[i + column] = m0 * b0 + m1 * b1 + m2 * b2 + m3 * b3
            out[j + column] = m0 * d0 + m1 * d1 + m2 * d2 + m3 * d3 + s0 * b0 + s1 * b1 + s2 * b2 + s3 * b3
        out[i + CONSTANT] += after[i + CONSTANT]
        out[j + CONSTANT] += after[j + CONSTANT]


@compiled
def apply_drift_pair(length: float, weight: float, out: Floats) -> None:
    """Append a drift of `length` [m] to base and derivative of `out`; `weight` is 1 / (1 + delta)."""
    free = length * weight
    slope = -free * weight
    for column in range(WIDTH):
        base, change = BASE + column, SLOPE + column
        out[change + ROW_X] += free * out[change + ROW_PX] + slope * out[base + ROW_PX]
        out[change + ROW_Y] += free * out[change + ROW_PY] + slope * out[base + ROW_PY]
        out[base + ROW_X] += free * out[base + ROW_PX]
        out[base + ROW_Y] += free * out[base + ROW_PY]


@compiled
def by_delta(pair: Floats, row: int, x: float, px: float, y: float, py: float) -> float:
    """Return the partial derivative of a row at the exit with respect to the momentum deviation."""
    return apply_row(pair, SLOPE + WIDTH * row, x, px, y, py)


@compiled
def carry_slope(
    pair: Floats, x: float, px: float, y: float, py: float, dx: float, dpx: float, dy: float, dpy: float
) -> tuple[float, float, float, float]:
    """Carry the derivative (d...) of an orbit with respect to the momentum deviation through a pair."""
    return (
        multiply_row(pair, ROW_X, dx, dpx, dy, dpy) + by_delta(pair, 0, x, px, y, py),
        multiply_row(pair, ROW_PX, dx, dpx, dy, dpy) + by_delta(pair, 1, x, px, y, py),
        multiply_row(pair, ROW_Y, dx, dpx, dy, dpy) + by_delta(pair, 2, x, px, y, py),
        multiply_row(pair, ROW_PY, dx, dpx, dy, dpy) + by_delta(pair, 3, x, px, y, py),
    )


@compiled
def frame_pair(frame: Floats, delta: float, out: Floats) -> None:
    """Write base and derivative of a change of frame (`misalignment.write_frame`)."""
    frame_map(frame, delta, out[BASE:SLOPE])
    for i in range(SLOPE, PAIR):
        out[i] = 0.0
    for row in range(4):
        out[SLOPE + WIDTH * row + CONSTANT] = frame[COLUMNS * row + OF_DELTA]


@compiled
def corrector_pair(length: float, kick_x: float, kick_y: float, delta: float, out: Floats) -> None:
    """Write base and derivative of a steerer [rad] whose field is spread over `length` [m]."""
    corrector_map(length, kick_x, kick_y, delta, out[BASE:SLOPE])
    for i in range(SLOPE, PAIR):
        out[i] = 0.0
    slope = -length / (1.0 + delta) ** 2
    out[SLOPE + ROW_X + OF_PX] = slope
    out[SLOPE + ROW_Y + OF_PY] = slope
    out[SLOPE + ROW_X + CONSTANT] = 0.5 * slope * kick_x
    out[SLOPE + ROW_Y + CONSTANT] = 0.5 * slope * kick_y


@compiled
def edge_pair(geometry: Floats, exit_side: bool, delta: float, out: Floats) -> None:
    """Write base and derivative of a bend's entrance or exit edge; the identity for elements without edges."""
    set_identity_pair(out)
    if not has_edges(geometry):
        return
    horizontal, vertical = edge_of(geometry, exit_side, delta)
    out[BASE + ROW_PX + OF_X] = horizontal
    out[BASE + ROW_PY + OF_Y] = -vertical
    fint = geometry[FINT_EXIT] if exit_side else geometry[FINT_ENTRANCE]
    if geometry[GAP] * fint != 0.0:
        # d tan(e - psi / (1 + delta)) = (1 + tan^2) psi / (1 + delta)^2
        curvature = geometry[ANGLE] / geometry[LENGTH]
        psi = edge_psi(curvature, geometry[EXIT] if exit_side else geometry[ENTRANCE], geometry[GAP], fint)
        tangent = vertical / curvature
        out[SLOPE + ROW_PY + OF_Y] = -curvature * (1.0 + tangent * tangent) * psi / (1.0 + delta) ** 2


@compiled
def write_end_pairs(
    geometry: Floats, misaligned: bool, frames: Floats, delta: float, inlet: Floats, outlet: Floats, work: Floats
) -> None:
    """Write the pairs from an element's entrance to its body and from its body to its exit (`magnet_ends.write_ends`).

    `work` has space for two pairs.
    """
    edge_pair(geometry, False, delta, inlet)
    edge_pair(geometry, True, delta, outlet)
    if misaligned:
        frame, spare = work[0:PAIR], work[PAIR : 2 * PAIR]
        frame_pair(frames[0], delta, frame)
        compose_pair(inlet, frame, spare)
        copy_pair(spare, inlet)
        frame_pair(frames[1], delta, frame)
        compose_pair(frame, outlet, spare)
        copy_pair(spare, outlet)
