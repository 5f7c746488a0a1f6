"""The bodies of quadrupoles and bends, which are affine: their maps and derivatives by the momentum, eight at a time.

Rows of a state are x, px, y, py of five columns of the map, the same of its derivative by the momentum deviation, and
the coefficients where `nonlinear` has them.
"""

from gnomon.propagator.compiled import Floats, compiled
from gnomon.propagator.live.affine import DRIFT_INNER, DRIFT_OUTER, KICK_INNER, KICK_OUTER
from gnomon.propagator.live.nonlinear import (
    A_1,
    A_2,
    B_1,
    B_2,
    COEFFICIENTS,
    CURVATURE,
    DRIFTING,
    KICKING,
    LANES,
    ROWS,
    STATE,
    fill_state,
)  # fmt: skip

#: Numbers of a state: ten columns, and the coefficients behind them.
BEFORE = 4 * 10 * LANES
BODY_STATE = BEFORE + COEFFICIENTS * LANES

#: From a coefficient's place in a state of `nonlinear` to that here.
FURTHER = BEFORE - ROWS


@compiled
def kick_drift_bodies(kick: float, drift: float, delta: float, state: Floats) -> None:
    """Linear kick and then free space, fractions of each lane's slice; written out, so that it becomes vector code."""
    weight = 1.0 / (1.0 + delta)
    for lane in range(8):
        h, length = state[CURVATURE + FURTHER + lane], kick * state[KICKING + FURTHER + lane]
        focus = length * (state[B_2 + FURTHER + lane] + h * h)
        g, f = length * state[B_2 + FURTHER + lane], length * state[A_2 + FURTHER + lane]
        free = drift * weight * state[DRIFTING + FURTHER + lane]
        x, y = state[lane], state[16 + lane]
        px = state[8 + lane] - (focus * x - f * y)
        py = state[24 + lane] + (f * x + g * y)
        state[lane], state[8 + lane] = x + free * px, px
        state[16 + lane], state[24 + lane] = y + free * py, py
        x, y = state[160 + lane], state[176 + lane]
        slope_x = state[168 + lane] - (focus * x - f * y)
        slope_y = state[184 + lane] + (f * x + g * y)
        state[160 + lane], state[168 + lane] = x + free * (slope_x - weight * px), slope_x
        state[176 + lane], state[184 + lane] = y + free * (slope_y - weight * py), slope_y
        x, y = state[32 + lane], state[48 + lane]
        px = state[40 + lane] - (focus * x - f * y)
        py = state[56 + lane] + (f * x + g * y)
        state[32 + lane], state[40 + lane] = x + free * px, px
        state[48 + lane], state[56 + lane] = y + free * py, py
        x, y = state[192 + lane], state[208 + lane]
        slope_x = state[200 + lane] - (focus * x - f * y)
        slope_y = state[216 + lane] + (f * x + g * y)
        state[192 + lane], state[200 + lane] = x + free * (slope_x - weight * px), slope_x
        state[208 + lane], state[216 + lane] = y + free * (slope_y - weight * py), slope_y
        x, y = state[64 + lane], state[80 + lane]
        px = state[72 + lane] - (focus * x - f * y)
        py = state[88 + lane] + (f * x + g * y)
        state[64 + lane], state[72 + lane] = x + free * px, px
        state[80 + lane], state[88 + lane] = y + free * py, py
        x, y = state[224 + lane], state[240 + lane]
        slope_x = state[232 + lane] - (focus * x - f * y)
        slope_y = state[248 + lane] + (f * x + g * y)
        state[224 + lane], state[232 + lane] = x + free * (slope_x - weight * px), slope_x
        state[240 + lane], state[248 + lane] = y + free * (slope_y - weight * py), slope_y
        x, y = state[96 + lane], state[112 + lane]
        px = state[104 + lane] - (focus * x - f * y)
        py = state[120 + lane] + (f * x + g * y)
        state[96 + lane], state[104 + lane] = x + free * px, px
        state[112 + lane], state[120 + lane] = y + free * py, py
        x, y = state[256 + lane], state[272 + lane]
        slope_x = state[264 + lane] - (focus * x - f * y)
        slope_y = state[280 + lane] + (f * x + g * y)
        state[256 + lane], state[264 + lane] = x + free * (slope_x - weight * px), slope_x
        state[272 + lane], state[280 + lane] = y + free * (slope_y - weight * py), slope_y
        x, y = state[128 + lane], state[144 + lane]
        px = state[136 + lane] - (focus * x - f * y) - length * (state[B_1 + FURTHER + lane] - h * delta)
        py = state[152 + lane] + (f * x + g * y) + length * state[A_1 + FURTHER + lane]
        state[128 + lane], state[136 + lane] = x + free * px, px
        state[144 + lane], state[152 + lane] = y + free * py, py
        x, y = state[288 + lane], state[304 + lane]
        slope_x = state[296 + lane] - (focus * x - f * y) + length * h
        slope_y = state[312 + lane] + (f * x + g * y)
        state[288 + lane], state[296 + lane] = x + free * (slope_x - weight * px), slope_x
        state[304 + lane], state[312 + lane] = y + free * (slope_y - weight * py), slope_y


@compiled
def map_bodies(coefficients: Floats, slices: int, delta: float, state: Floats) -> None:
    """Have `state` hold the maps and derivatives of a group's bodies (`coefficients` as in `nonlinear`)."""
    fill_state(coefficients, BEFORE, BEFORE, state)
    for column in range(4):
        for lane in range(8):
            state[40 * column + lane] = 1.0
    kick_drift_bodies(0.0, DRIFT_OUTER, delta, state)
    for slice_number in range(slices):
        kick_drift_bodies(KICK_OUTER, DRIFT_INNER, delta, state)
        kick_drift_bodies(KICK_INNER, DRIFT_INNER, delta, state)
        last = slice_number == slices - 1
        kick_drift_bodies(KICK_OUTER, DRIFT_OUTER if last else 2.0 * DRIFT_OUTER, delta, state)


@compiled
def take_body(state: Floats, lane: int, out: Floats) -> None:
    """Write one lane's base and derivative to a pair."""
    for row in range(4):
        for column in range(5):
            out[20 + 5 * row + column] = state[32 * column + 8 * row + lane]
            out[40 + 5 * row + column] = state[160 + 32 * column + 8 * row + lane]


assert STATE - ROWS == BODY_STATE - BEFORE
