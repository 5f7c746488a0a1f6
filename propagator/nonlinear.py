"""Elements with sextupole or octupole terms: slices tracked together with their Jacobian, eight elements side by side.

Each lane holds the state and four columns of its derivative as rows x, px, y, py of 5 x 8 numbers. Loops over the lanes
have a constant length and constant offsets, so that they become vector instructions.
"""

from gnomon.propagator.affine import (
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
from gnomon.propagator.compiled import Floats, Integers, compiled

LANES = 8

#: Rows of a group's coefficients: b1 to b4, a1 to a4, length that drifts, length that kicks, curvature.
COEFFICIENTS = 11

#: Numbers in a group's state.
STATE = 4 * 5 * LANES


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
def drift_lanes(fraction: float, group: Floats, state: Floats) -> None:
    """Free space of `fraction` of each lane's slice."""
    for column in range(5):
        i = 8 * column
        for lane in range(8):
            length = fraction * group[64 + lane]
            state[i + lane] += length * state[40 + i + lane]
            state[80 + i + lane] += length * state[120 + i + lane]


@compiled
def kick_lanes(fraction: float, delta: float, group: Floats, state: Floats) -> None:
    """Multipole kick of `fraction` of each lane's slice; the field and its derivative by Horner's rule."""
    for lane in range(8):
        x = state[lane]
        y = state[80 + lane]
        g = group[24 + lane]
        f = group[56 + lane]
        b = g * x - f * y + group[16 + lane]
        a = g * y + f * x + group[48 + lane]
        real = g * x - f * y + b
        f = g * y + f * x + a
        g = real
        real = b * x - a * y + group[8 + lane]
        a = b * y + a * x + group[40 + lane]
        b = real
        real = g * x - f * y + b
        f = g * y + f * x + a
        g = real
        real = b * x - a * y + group[lane]
        a = b * y + a * x + group[32 + lane]
        b = real
        h = group[80 + lane]
        length = fraction * group[72 + lane]
        state[40 + lane] -= length * (b - h * (delta - h * x))
        state[120 + lane] += length * a
        focus = length * (g + h * h)
        f *= length
        g *= length
        x = state[8 + lane]
        y = state[88 + lane]
        state[48 + lane] -= focus * x - f * y
        state[128 + lane] += f * x + g * y
        x = state[16 + lane]
        y = state[96 + lane]
        state[56 + lane] -= focus * x - f * y
        state[136 + lane] += f * x + g * y
        x = state[24 + lane]
        y = state[104 + lane]
        state[64 + lane] -= focus * x - f * y
        state[144 + lane] += f * x + g * y
        x = state[32 + lane]
        y = state[112 + lane]
        state[72 + lane] -= focus * x - f * y
        state[152 + lane] += f * x + g * y


@compiled
def track_lanes(group: Floats, slices: int, delta: float, state: Floats) -> None:
    """Carry a group through all its slices."""
    outer = DRIFT_OUTER / (1.0 + delta)
    inner = DRIFT_INNER / (1.0 + delta)
    drift_lanes(outer, group, state)
    for slice_number in range(slices):
        kick_lanes(KICK_OUTER, delta, group, state)
        drift_lanes(inner, group, state)
        kick_lanes(KICK_INNER, delta, group, state)
        drift_lanes(inner, group, state)
        kick_lanes(KICK_OUTER, delta, group, state)
        drift_lanes(2.0 * outer if slice_number < slices - 1 else outer, group, state)


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

    `points` (k, 4) are the coordinates at the bodies' entrances, `out` (k, 20) the maps, `lanes` (groups, 8) says which
    element a lane carries, -1 for none.
    """
    for group in range(group_slices.size):
        state[:] = 0.0
        for lane in range(8):
            k = lanes[group, lane]
            if k >= 0:
                for row in range(4):
                    state[40 * row + lane] = points[k, row]
                    state[40 * row + 8 * (row + 1) + lane] = 1.0
        track_lanes(coefficients[group], group_slices[group], delta, state)
        for lane in range(8):
            k = lanes[group, lane]
            if k >= 0:
                for row in range(4):
                    constant = state[40 * row + lane]
                    for column in range(4):
                        slope = state[40 * row + 8 * (column + 1) + lane]
                        out[k, 5 * row + column] = slope
                        constant -= slope * points[k, column]
                    out[k, 5 * row + 4] = constant
