"""Elements with sextupole or octupole terms: slices tracked together with their Jacobian, eight elements side by side.

Each lane holds the state and five columns of its derivative (with respect to the coordinates and the momentum
deviation), 6 x 4 rows of 8 numbers, then the coefficients. All of it is one array: loops of eight with constant offsets
into a single array need no check for overlap, and the compiler vectorises such short loops only without that check
(measured: five times faster). For the same reason, functions that such a loop calls are `inlined`.
"""

from gnomon.propagator.compiled import Floats, compiled, inlined
from gnomon.propagator.live.affine_maps import (
    A2,
    ANGLE,
    B2,
    CONSTANT,
    DRIFT_INNER,
    DRIFT_OUTER,
    KICK_INNER,
    KICK_OUTER,
    LENGTH,
    WIDTH,
    dipole_terms,
)
from gnomon.propagator.live.live_tables import LiveTables

LANES = 8

#: Numbers of a linearised body, and where its derivative with respect to the momentum deviation starts, after the map.
BODY, BODY_BY_DELTA = 24, 20

#: Rows of a column of a state, eight lanes each, and the number of numbers in a column.
X, PX, Y, PY = range(0, 4 * LANES, LANES)
COLUMN = 4 * LANES

#: Columns of a state: coordinates, and their derivatives with respect to those at the entrance and to the momentum.
POINT, BY_X, BY_PX, BY_Y, BY_PY, BY_DELTA = range(0, 6 * COLUMN, COLUMN)

#: Rows of a group's coefficients: b1 to b4, a1 to a4, length of the drifts, length of the kicks, curvature.
COEFFICIENTS = 11
NORMAL_ROW, SKEW_ROW, DRIFTING_ROW, KICKING_ROW, CURVATURE_ROW = 0, 4 * LANES, 8 * LANES, 9 * LANES, 10 * LANES

#: Numbers in a group's state: the rows of six columns, x px y py each, followed by the coefficients.
ROWS = 6 * COLUMN
STATE = ROWS + COEFFICIENTS * LANES

#: Start of each coefficient in a state.
B_1, B_2, B_3, B_4, A_1, A_2, A_3, A_4, DRIFTING, KICKING, CURVATURE = range(ROWS, STATE, LANES)


@compiled
def write_coefficients(geometry: Floats, parameters: Floats, slices: int, lane: int, flat: Floats, at: int) -> None:
    """Write a nonlinear element's coefficients to its lane in the group's flat ones, which start at `at`."""
    length = geometry[LENGTH]
    normal, skew = dipole_terms(length, parameters)
    for order in range(4):
        flat[at + NORMAL_ROW + LANES * order + lane] = normal if order == 0 else parameters[B2 + order - 1]
        flat[at + SKEW_ROW + LANES * order + lane] = skew if order == 0 else parameters[A2 + order - 1]
    flat[at + DRIFTING_ROW + lane] = length / slices
    flat[at + KICKING_ROW + lane] = length / slices if length > 0.0 else 1.0
    flat[at + CURVATURE_ROW + lane] = geometry[ANGLE] / length if length > 0.0 else 0.0


@compiled
def fill_state(coefficients: Floats, used: int, at: int, state: Floats) -> None:
    """Zero the first `used` numbers of a state and copy a group's coefficients to `at`; faster than slices."""
    for i in range(used):
        state[i] = 0.0
    for i in range(COEFFICIENTS * LANES):
        state[at + i] = coefficients[i]


@inlined
def horner(
    b1: float, b2: float, b3: float, b4: float, a1: float, a2: float, a3: float, a4: float, x: float, y: float
) -> tuple[float, float, float, float]:
    """Return B_y and B_x of a multipole field over Brho, and the real and imaginary parts of d/d(x + i y) of it."""
    g, f = b4, a4
    b = g * x - f * y + b3
    a = g * y + f * x + a3
    real = g * x - f * y + b
    f = g * y + f * x + a
    g = real
    real = b * x - a * y + b2
    a = b * y + a * x + a2
    b = real
    real = g * x - f * y + b
    f = g * y + f * x + a
    g = real
    real = b * x - a * y + b1
    a = b * y + a * x + a1
    return real, a, g, f


@inlined
def kick_drift_column(
    at: int, lane: int, focus: float, gradient: float, skew: float, free: float, state: Floats
) -> tuple[float, float]:
    """Kick a lane's column of derivatives and let it drift; return its px and py. Strengths are integrated."""
    x, y = state[at + X + lane], state[at + Y + lane]
    px = state[at + PX + lane] - (focus * x - skew * y)
    py = state[at + PY + lane] + (skew * x + gradient * y)
    state[at + X + lane] = x + free * px
    state[at + PX + lane] = px
    state[at + Y + lane] = y + free * py
    state[at + PY + lane] = py
    return px, py


@compiled
def drift_lanes(fraction: float, state: Floats) -> None:
    """Drift all lanes by `fraction` (divided by 1 + delta) of a slice, without the effect of delta on the drift."""
    for column in range(6):
        i = COLUMN * column
        for lane in range(LANES):
            length = fraction * state[DRIFTING + lane]
            state[i + X + lane] += length * state[i + PX + lane]
            state[i + Y + lane] += length * state[i + PY + lane]


@compiled
def kick_drift_lanes(kick: float, drift: float, delta: float, state: Floats) -> None:
    """Apply a multipole kick and then a drift to all lanes, as fractions of a slice; the field is by Horner's rule."""
    weight = 1.0 / (1.0 + delta)
    for lane in range(LANES):
        x, px, y, py = state[X + lane], state[PX + lane], state[Y + lane], state[PY + lane]
        b, a, g, f = horner(
            state[B_1 + lane], state[B_2 + lane], state[B_3 + lane], state[B_4 + lane],
            state[A_1 + lane], state[A_2 + lane], state[A_3 + lane], state[A_4 + lane], x, y,
        )  # fmt: skip
        h = state[CURVATURE + lane]
        length = kick * state[KICKING + lane]
        free = drift * state[DRIFTING + lane]
        px -= length * (b - h * (delta - h * x))
        py += length * a
        state[X + lane] = x + free * px
        state[PX + lane] = px
        state[Y + lane] = y + free * py
        state[PY + lane] = py
        focus = length * (g + h * h)
        f *= length
        g *= length
        x, y = state[BY_DELTA + X + lane], state[BY_DELTA + Y + lane]
        by_delta = state[BY_DELTA + PX + lane] - (focus * x - f * y) + length * h
        state[BY_DELTA + PX + lane] = by_delta
        state[BY_DELTA + X + lane] = x + free * (by_delta - weight * px)
        by_delta = state[BY_DELTA + PY + lane] + (f * x + g * y)
        state[BY_DELTA + PY + lane] = by_delta
        state[BY_DELTA + Y + lane] = y + free * (by_delta - weight * py)
        kick_drift_column(BY_X, lane, focus, g, f, free, state)
        kick_drift_column(BY_PX, lane, focus, g, f, free, state)
        kick_drift_column(BY_Y, lane, focus, g, f, free, state)
        kick_drift_column(BY_PY, lane, focus, g, f, free, state)


@compiled
def track_lanes(slices: int, delta: float, state: Floats) -> None:
    """Carry a group through all its slices."""
    outer = DRIFT_OUTER / (1.0 + delta)
    inner = DRIFT_INNER / (1.0 + delta)
    drift_lanes(outer, state)
    for lane in range(LANES):
        free = outer / (1.0 + delta) * state[DRIFTING + lane]
        state[BY_DELTA + X + lane] -= free * state[PX + lane]
        state[BY_DELTA + Y + lane] -= free * state[PY + lane]
    for slice_number in range(slices):
        kick_drift_lanes(KICK_OUTER, inner, delta, state)
        kick_drift_lanes(KICK_INNER, inner, delta, state)
        kick_drift_lanes(KICK_OUTER, 2.0 * outer if slice_number < slices - 1 else outer, delta, state)


@compiled
def linearise(tables: LiveTables, slot: int, state: Floats) -> None:
    """Write one slot's `bodies`: the affine map of each nonlinear body about its point, and its delta derivative."""
    coefficients, group_slices, lanes = tables.coefficients, tables.group_slices, tables.lanes
    delta, points, out = tables.deltas[slot], tables.points[slot], tables.bodies[slot]
    for group in range(group_slices.size):
        fill_state(coefficients[group], ROWS, ROWS, state)
        for lane in range(LANES):
            k = lanes[group, lane]
            if k >= 0:
                for row in range(4):
                    state[LANES * row + lane] = points[k, row]
                    state[COLUMN * (row + 1) + LANES * row + lane] = 1.0
        track_lanes(group_slices[group], delta, state)
        for lane in range(LANES):
            k = lanes[group, lane]
            if k >= 0:
                for row in range(4):
                    constant = state[LANES * row + lane]
                    for column in range(4):
                        slope = state[COLUMN * (column + 1) + LANES * row + lane]
                        out[k, WIDTH * row + column] = slope
                        constant -= slope * points[k, column]
                    out[k, WIDTH * row + CONSTANT] = constant
                    out[k, BODY_BY_DELTA + row] = state[BY_DELTA + LANES * row + lane]
