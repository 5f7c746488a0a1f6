"""Affine maps with their derivative by the momentum deviation.

A pair is kept as 60 numbers: the map where it is used, the map at the momentum deviation about which it was built, and
its derivative there. The first follows a small change of the momentum to first order (`move_pair`).
"""

from gnomon.propagator.compiled import Floats, compiled
from gnomon.propagator.live.affine import (
    ANGLE,
    ENTRANCE,
    EXIT,
    FINT_ENTRANCE,
    FINT_EXIT,
    GAP,
    LENGTH,
    corrector_map,
    edge_psi,
    edge_strengths,
    has_edges,
)  # fmt: skip
from gnomon.propagator.live.misalignment import COLUMNS, frame_map

#: Numbers of a pair.
PAIR = 60


@compiled
def move_pair(pair: Floats, by: float) -> None:
    """Have a pair's map where it is used be that at `by` beyond the base."""
    for i in range(20):
        pair[i] = pair[20 + i] + by * pair[40 + i]


@compiled
def copy_pair(source: Floats, out: Floats) -> None:
    """Write a pair to `out`."""
    for i in range(60):
        out[i] = source[i]


@compiled
def set_identity_pair(out: Floats) -> None:
    """Make `out` the map that changes nothing, whatever the momentum."""
    for i in range(60):
        out[i] = 0.0
    for row in range(4):
        out[6 * row] = 1.0
        out[20 + 6 * row] = 1.0


@compiled
def compose_pair(after: Floats, before: Floats, out: Floats) -> None:
    """Write the base and the derivative of `after` following `before` to `out`, which must be neither."""
    for row in range(4):
        i, j = 20 + 5 * row, 40 + 5 * row
        m0, m1, m2, m3 = after[i], after[i + 1], after[i + 2], after[i + 3]
        s0, s1, s2, s3 = after[j], after[j + 1], after[j + 2], after[j + 3]
        for column in range(5):
            b0, b1, b2, b3 = before[20 + column], before[25 + column], before[30 + column], before[35 + column]
            d0, d1, d2, d3 = before[40 + column], before[45 + column], before[50 + column], before[55 + column]
            out[i + column] = m0 * b0 + m1 * b1 + m2 * b2 + m3 * b3
            out[j + column] = m0 * d0 + m1 * d1 + m2 * d2 + m3 * d3 + s0 * b0 + s1 * b1 + s2 * b2 + s3 * b3
        out[i + 4] += after[i + 4]
        out[j + 4] += after[j + 4]


@compiled
def apply_drift_pair(length: float, weight: float, out: Floats) -> None:
    """Let base and derivative of `out` be followed by free space of `length` [m]; `weight` is 1 / (1 + delta)."""
    free = length * weight
    slope = -free * weight
    for column in range(5):
        out[40 + column] += free * out[45 + column] + slope * out[25 + column]
        out[50 + column] += free * out[55 + column] + slope * out[35 + column]
        out[20 + column] += free * out[25 + column]
        out[30 + column] += free * out[35 + column]


@compiled
def by_delta(pair: Floats, row: int, x: float, px: float, y: float, py: float) -> float:
    """What a unit of the momentum deviation changes in a row of the exit, the coordinates at the entrance held."""
    i = 40 + 5 * row
    return float(pair[i] * x + pair[i + 1] * px + pair[i + 2] * y + pair[i + 3] * py + pair[i + 4])


@compiled
def carry_slope(
    pair: Floats, x: float, px: float, y: float, py: float, dx: float, dpx: float, dy: float, dpy: float
) -> tuple[float, float, float, float]:
    """Carry the derivative (d...) of an orbit by the momentum deviation through a pair."""
    return (
        pair[0] * dx + pair[1] * dpx + pair[2] * dy + pair[3] * dpy + by_delta(pair, 0, x, px, y, py),
        pair[5] * dx + pair[6] * dpx + pair[7] * dy + pair[8] * dpy + by_delta(pair, 1, x, px, y, py),
        pair[10] * dx + pair[11] * dpx + pair[12] * dy + pair[13] * dpy + by_delta(pair, 2, x, px, y, py),
        pair[15] * dx + pair[16] * dpx + pair[17] * dy + pair[18] * dpy + by_delta(pair, 3, x, px, y, py),
    )


@compiled
def frame_pair(frame: Floats, delta: float, out: Floats) -> None:
    """Write base and derivative of a change of frame (`misalignment.write_frame`)."""
    frame_map(frame, delta, out[20:40])
    for i in range(40, 60):
        out[i] = 0.0
    for row in range(4):
        out[44 + 5 * row] = frame[COLUMNS * row + 4]


@compiled
def corrector_pair(length: float, kick_x: float, kick_y: float, delta: float, out: Floats) -> None:
    """Write base and derivative of a steerer [rad] whose field is spread over `length` [m]."""
    corrector_map(length, kick_x, kick_y, delta, out[20:40])
    for i in range(40, 60):
        out[i] = 0.0
    slope = -length / (1.0 + delta) ** 2
    out[41] = slope
    out[53] = slope
    out[44] = 0.5 * slope * kick_x
    out[54] = 0.5 * slope * kick_y


@compiled
def edge_pair(geometry: Floats, exit_side: bool, delta: float, out: Floats) -> None:
    """Write base and derivative of a bend's entrance or exit edge, or of none."""
    set_identity_pair(out)
    if not has_edges(geometry):
        return
    curvature = geometry[ANGLE] / geometry[LENGTH]
    angle = geometry[EXIT] if exit_side else geometry[ENTRANCE]
    fint = geometry[FINT_EXIT] if exit_side else geometry[FINT_ENTRANCE]
    horizontal, vertical = edge_strengths(curvature, angle, geometry[GAP], fint, delta)
    out[25] = horizontal
    out[37] = -vertical
    if geometry[GAP] * fint != 0.0:
        # d tan(e - psi / (1 + delta)) = (1 + tan^2) psi / (1 + delta)^2
        psi = edge_psi(curvature, angle, geometry[GAP], fint)
        tangent = vertical / curvature
        out[57] = -curvature * (1.0 + tangent * tangent) * psi / (1.0 + delta) ** 2


@compiled
def write_end_pairs(
    geometry: Floats, moved: bool, frames: Floats, delta: float, inlet: Floats, outlet: Floats, work: Floats
) -> None:
    """Write the pairs from an element's entrance to its body and from its body to its exit (`ends.write_ends`).

    `work` is room for two pairs.
    """
    edge_pair(geometry, False, delta, inlet)
    edge_pair(geometry, True, delta, outlet)
    if moved:
        frame, spare = work[0:60], work[60:120]
        frame_pair(frames[0], delta, frame)
        compose_pair(inlet, frame, spare)
        copy_pair(spare, inlet)
        frame_pair(frames[1], delta, frame)
        compose_pair(frame, outlet, spare)
        copy_pair(spare, outlet)
