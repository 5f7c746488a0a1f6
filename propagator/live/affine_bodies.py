"""The affine bodies of quadrupoles and bends: their maps and the derivatives with respect to momentum, eight at a time.

Rows of a state are x, px, y, py of five columns of the map, the same of its derivative with respect to the momentum
deviation, and the coefficients, in the same order as in `nonlinear_bodies`.
"""

from gnomon.propagator.compiled import Floats, compiled, inlined
from gnomon.propagator.live.affine_maps import DRIFT_INNER, DRIFT_OUTER, KICK_INNER, KICK_OUTER, WIDTH
from gnomon.propagator.live.map_pairs import BASE, SLOPE
from gnomon.propagator.live.nonlinear_bodies import (
    A_1,
    A_2,
    B_1,
    B_2,
    COEFFICIENTS,
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
    kick_drift_column,
)  # fmt: skip

#: Start of the column of the constant part, of the five columns of derivatives, and of the last of these.
CONSTANTS, SLOPES, CONSTANT_SLOPES = 4 * COLUMN, 5 * COLUMN, 9 * COLUMN

#: Numbers of a state: ten columns, followed by the coefficients.
BEFORE = 10 * COLUMN
BODY_STATE = BEFORE + COEFFICIENTS * LANES

#: Distance from a coefficient's place in a state of `nonlinear_bodies` to its place here.
FURTHER = BEFORE - ROWS


@inlined
def kick_drift_pair(
    at: int, lane: int, focus: float, gradient: float, skew: float, free: float, weight: float, state: Floats
) -> None:
    """Kick a lane's column of the map and of its derivative with respect to momentum, and let both drift."""
    px, py = kick_drift_column(at, lane, focus, gradient, skew, free, state)
    x, y = state[SLOPES + at + X + lane], state[SLOPES + at + Y + lane]
    slope_x = state[SLOPES + at + PX + lane] - (focus * x - skew * y)
    slope_y = state[SLOPES + at + PY + lane] + (skew * x + gradient * y)
    state[SLOPES + at + X + lane] = x + free * (slope_x - weight * px)
    state[SLOPES + at + PX + lane] = slope_x
    state[SLOPES + at + Y + lane] = y + free * (slope_y - weight * py)
    state[SLOPES + at + PY + lane] = slope_y


@compiled
def kick_drift_bodies(kick: float, drift: float, delta: float, state: Floats) -> None:
    """Apply a linear kick and then a drift to all lanes, each over a fraction of its slice."""
    weight = 1.0 / (1.0 + delta)
    for lane in range(LANES):
        h, length = state[CURVATURE + FURTHER + lane], kick * state[KICKING + FURTHER + lane]
        focus = length * (state[B_2 + FURTHER + lane] + h * h)
        g, f = length * state[B_2 + FURTHER + lane], length * state[A_2 + FURTHER + lane]
        free = drift * weight * state[DRIFTING + FURTHER + lane]
        kick_drift_pair(0, lane, focus, g, f, free, weight, state)
        kick_drift_pair(COLUMN, lane, focus, g, f, free, weight, state)
        kick_drift_pair(2 * COLUMN, lane, focus, g, f, free, weight, state)
        kick_drift_pair(3 * COLUMN, lane, focus, g, f, free, weight, state)
        x, y = state[CONSTANTS + X + lane], state[CONSTANTS + Y + lane]
        px = state[CONSTANTS + PX + lane] - (focus * x - f * y) - length * (state[B_1 + FURTHER + lane] - h * delta)
        py = state[CONSTANTS + PY + lane] + (f * x + g * y) + length * state[A_1 + FURTHER + lane]
        state[CONSTANTS + X + lane], state[CONSTANTS + PX + lane] = x + free * px, px
        state[CONSTANTS + Y + lane], state[CONSTANTS + PY + lane] = y + free * py, py
        x, y = state[CONSTANT_SLOPES + X + lane], state[CONSTANT_SLOPES + Y + lane]
        slope_x = state[CONSTANT_SLOPES + PX + lane] - (focus * x - f * y) + length * h
        slope_y = state[CONSTANT_SLOPES + PY + lane] + (f * x + g * y)
        state[CONSTANT_SLOPES + X + lane] = x + free * (slope_x - weight * px)
        state[CONSTANT_SLOPES + PX + lane] = slope_x
        state[CONSTANT_SLOPES + Y + lane] = y + free * (slope_y - weight * py)
        state[CONSTANT_SLOPES + PY + lane] = slope_y


@compiled
def map_bodies(coefficients: Floats, slices: int, delta: float, state: Floats) -> None:
    """Write the maps and derivatives of a group's bodies to `state` (`coefficients` as in `nonlinear_bodies`)."""
    fill_state(coefficients, BEFORE, BEFORE, state)
    for row in range(4):
        for lane in range(LANES):
            state[COLUMN * row + LANES * row + lane] = 1.0
    kick_drift_bodies(0.0, DRIFT_OUTER, delta, state)
    for slice_number in range(slices):
        kick_drift_bodies(KICK_OUTER, DRIFT_INNER, delta, state)
        kick_drift_bodies(KICK_INNER, DRIFT_INNER, delta, state)
        last = slice_number == slices - 1
        kick_drift_bodies(KICK_OUTER, DRIFT_OUTER if last else 2.0 * DRIFT_OUTER, delta, state)


@compiled
def take_body(state: Floats, lane: int, out: Floats) -> None:
    """Write a lane's map and derivative to a pair."""
    for row in range(4):
        for column in range(WIDTH):
            out[BASE + WIDTH * row + column] = state[COLUMN * column + LANES * row + lane]
            out[SLOPE + WIDTH * row + column] = state[SLOPES + COLUMN * column + LANES * row + lane]


assert STATE - ROWS == BODY_STATE - BEFORE
