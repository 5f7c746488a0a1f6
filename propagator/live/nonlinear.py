"""Elements with sextupole or octupole terms: slices tracked together with their Jacobian, eight elements side by side.

Each lane holds the state and five columns of its derivative (by the coordinates and by the momentum deviation), 6 x 4
rows of 8 numbers, then the coefficients. All of it
is one array: loops of eight with constant offsets into one array need no check for overlap, and only without that
check does the compiler turn loops so short into vector instructions (measured: five times faster).
"""

from gnomon.propagator.compiled import Floats, Integers, compiled
from gnomon.propagator.live.affine import (
    A2,
    ANGLE,
    B2,
    DRIFT_INNER,
    DRIFT_OUTER,
    KICK_INNER,
    KICK_OUTER,
    LENGTH,
    dipole_terms,
)

LANES = 8

#: Numbers of a linearised body: the affine map, and the derivative by the momentum deviation.
BODY = 24

#: Rows of a group's coefficients: b1 to b4, a1 to a4, length that drifts, length that kicks, curvature.
COEFFICIENTS = 11

#: Numbers in a group's state: the rows of six columns, x px y py each, and the coefficients behind them.
ROWS = 4 * 6 * LANES
STATE = ROWS + COEFFICIENTS * LANES

#: Where the coefficients stand in a state.
B_1, B_2, B_3, B_4, A_1, A_2, A_3, A_4, DRIFTING, KICKING, CURVATURE = range(ROWS, STATE, LANES)


@compiled
def write_coefficients(geometry: Floats, parameters: Floats, slices: int, lane: int, flat: Floats, at: int) -> None:
    """Write a nonlinear element's lane into the flat coefficients of its group, which start at `at`."""
    length = geometry[LENGTH]
    normal, skew = dipole_terms(length, parameters)
    for order in range(4):
        flat[at + 8 * order + lane] = normal if order == 0 else parameters[B2 + order - 1]
        flat[at + 32 + 8 * order + lane] = skew if order == 0 else parameters[A2 + order - 1]
    flat[at + 64 + lane] = length / slices
    flat[at + 72 + lane] = length / slices if length > 0.0 else 1.0
    flat[at + 80 + lane] = geometry[ANGLE] / length if length > 0.0 else 0.0


@compiled
def fill_state(coefficients: Floats, used: int, at: int, state: Floats) -> None:
    """Set the first `used` numbers of a state to 0 and write a group's coefficients at `at`; slices take longer."""
    for i in range(used):
        state[i] = 0.0
    for i in range(88):
        state[at + i] = coefficients[i]


@compiled
def drift_lanes(fraction: float, state: Floats) -> None:
    """Free space of `fraction` (divided by 1 + delta) of each lane's slice, but for its own change with delta."""
    for column in range(6):
        i = 32 * column
        for lane in range(8):
            length = fraction * state[DRIFTING + lane]
            state[i + lane] += length * state[i + 8 + lane]
            state[i + 16 + lane] += length * state[i + 24 + lane]


@compiled
def kick_drift_lanes(kick: float, drift: float, delta: float, state: Floats) -> None:
    """Multipole kick and then free space, fractions of each lane's slice; field and derivative by Horner's rule."""
    weight = 1.0 / (1.0 + delta)
    for lane in range(8):
        x, px, y, py = state[lane], state[8 + lane], state[16 + lane], state[24 + lane]
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
        b = real
        h = state[CURVATURE + lane]
        length = kick * state[KICKING + lane]
        free = drift * state[DRIFTING + lane]
        px -= length * (b - h * (delta - h * x))
        py += length * a
        state[lane] = x + free * px
        state[8 + lane] = px
        state[16 + lane] = y + free * py
        state[24 + lane] = py
        focus = length * (g + h * h)
        f *= length
        g *= length
        x, y = state[160 + lane], state[176 + lane]
        by_delta = state[168 + lane] - (focus * x - f * y) + length * h
        state[168 + lane] = by_delta
        state[160 + lane] = x + free * (by_delta - weight * px)
        by_delta = state[184 + lane] + (f * x + g * y)
        state[184 + lane] = by_delta
        state[176 + lane] = y + free * (by_delta - weight * py)
        x, y = state[32 + lane], state[48 + lane]
        px = state[40 + lane] - (focus * x - f * y)
        py = state[56 + lane] + (f * x + g * y)
        state[32 + lane] = x + free * px
        state[40 + lane] = px
        state[48 + lane] = y + free * py
        state[56 + lane] = py
        x, y = state[64 + lane], state[80 + lane]
        px = state[72 + lane] - (focus * x - f * y)
        py = state[88 + lane] + (f * x + g * y)
        state[64 + lane] = x + free * px
        state[72 + lane] = px
        state[80 + lane] = y + free * py
        state[88 + lane] = py
        x, y = state[96 + lane], state[112 + lane]
        px = state[104 + lane] - (focus * x - f * y)
        py = state[120 + lane] + (f * x + g * y)
        state[96 + lane] = x + free * px
        state[104 + lane] = px
        state[112 + lane] = y + free * py
        state[120 + lane] = py
        x, y = state[128 + lane], state[144 + lane]
        px = state[136 + lane] - (focus * x - f * y)
        py = state[152 + lane] + (f * x + g * y)
        state[128 + lane] = x + free * px
        state[136 + lane] = px
        state[144 + lane] = y + free * py
        state[152 + lane] = py


@compiled
def track_lanes(slices: int, delta: float, state: Floats) -> None:
    """Carry a group through all its slices."""
    outer = DRIFT_OUTER / (1.0 + delta)
    inner = DRIFT_INNER / (1.0 + delta)
    drift_lanes(outer, state)
    for lane in range(8):
        free = outer / (1.0 + delta) * state[DRIFTING + lane]
        state[160 + lane] -= free * state[8 + lane]
        state[176 + lane] -= free * state[24 + lane]
    for slice_number in range(slices):
        kick_drift_lanes(KICK_OUTER, inner, delta, state)
        kick_drift_lanes(KICK_INNER, inner, delta, state)
        kick_drift_lanes(KICK_OUTER, 2.0 * outer if slice_number < slices - 1 else outer, delta, state)


@compiled
def linearise(
    coefficients: Floats,
    group_slices: Integers,
    lanes: Integers,
    delta: float,
    points: Floats,
    state: Floats,
    out: Floats,
) -> None:
    """Write the affine map that touches each nonlinear element's body at its point.

    `points` (k, 4) are the coordinates at the bodies' entrances, `out` (k, 24) the maps and behind each what a unit of
    the momentum deviation changes at its exit; `lanes` (groups, 8) says which element a lane carries, -1 for none.
    """
    for group in range(group_slices.size):
        fill_state(coefficients[group], ROWS, ROWS, state)
        for lane in range(8):
            k = lanes[group, lane]
            if k >= 0:
                for row in range(4):
                    state[8 * row + lane] = points[k, row]
                    state[32 * (row + 1) + 8 * row + lane] = 1.0
        track_lanes(group_slices[group], delta, state)
        for lane in range(8):
            k = lanes[group, lane]
            if k >= 0:
                for row in range(4):
                    constant = state[8 * row + lane]
                    for column in range(4):
                        slope = state[32 * (column + 1) + 8 * row + lane]
                        out[k, 5 * row + column] = slope
                        constant -= slope * points[k, column]
                    out[k, 5 * row + 4] = constant
                    out[k, 20 + row] = state[160 + 8 * row + lane]
