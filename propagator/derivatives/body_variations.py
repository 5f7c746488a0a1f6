"""First and second derivatives of a multipole's body with respect to coordinates and one parameter, slice by slice.

The variables are x, px, y, py at the body's entrance and the parameter, in this order. The field of a kick is
P(w) = sum c_n w^n with w = x + i y and c_n = b_n + i a_n; drifts are linear. An `order` of 0 means the first derivative
with respect to the parameter only, 1 all first derivatives, 2 the second ones as well.
"""

import math

from gnomon.propagator.compiled import Floats, compiled
from gnomon.propagator.live.affine_maps import (
    A1,
    ANGLE,
    B1,
    DRIFT_INNER,
    DRIFT_OUTER,
    KICK_INNER,
    KICK_OUTER,
    KICK_X,
    KICK_Y,
    LENGTH,
    PX,
    PY,
    X,
    Y,
    dipole_terms,
)  # fmt: skip

#: Number of variables, and place of the parameter among them, behind the coordinates.
VARIABLES, PARAMETER = 5, 4

#: Number of second derivatives, and of the pairs (u, v), u <= v, of variables in their list.
PAIRS = VARIABLES * (VARIABLES + 1) // 2


@compiled
def direction(column: int, length: float, parameters: Floats) -> tuple[int, complex]:
    """Return the order of the field that a parameter changes, and its coefficient; order -1 for no field."""
    share = 1.0 if length == 0.0 else 1.0 / length
    if column == KICK_X:
        return 0, complex(-(share if length == 0.0 else share * math.cos(parameters[KICK_X])), 0.0)
    if column == KICK_Y:
        return 0, complex(0.0, share if length == 0.0 else share * math.cos(parameters[KICK_Y]))
    if A1 <= column < B1:
        return column - A1, complex(0.0, 1.0)
    if B1 <= column < KICK_X:
        return column - B1, complex(1.0, 0.0)
    return -1, complex(0.0, 0.0)


@compiled
def drift_variations(
    length: float, weight: float, point: Floats, first: Floats, second: Floats, path: Floats, order: int
) -> None:
    """Carry point and derivatives through a drift of `length` [m] / (1 + delta); `weight` is 1 / (1 + delta)."""
    point[X] += length * point[PX]
    point[Y] += length * point[PY]
    for v in range(0 if order > 0 else PARAMETER, VARIABLES):
        path[v] += length * weight * (point[PX] * first[v, PX] + point[PY] * first[v, PY])
        first[v, X] += length * first[v, PX]
        first[v, Y] += length * first[v, PY]
    if order > 1:
        for pair in range(PAIRS):
            second[pair, X] += length * second[pair, PX]
            second[pair, Y] += length * second[pair, PY]


@compiled
def kick_variations(
    length: float,
    curvature: float,
    delta: float,
    parameters: Floats,
    normal: float,
    skew: float,
    changed: int,
    coefficient: complex,
    point: Floats,
    first: Floats,
    second: Floats,
    path: Floats,
    order: int,
) -> None:
    """Carry point and derivatives through a multipole kick."""
    w = complex(point[X], point[Y])
    field = slope = bend = complex(0.0, 0.0)
    for n in range(KICK_X - B1 - 1, -1, -1):
        c = complex(parameters[B1 + n], parameters[A1 + n]) if n > 0 else complex(normal, skew)
        bend = bend * w + slope
        slope = slope * w + field
        field = field * w + c
    bend = 2.0 * bend
    own = own_slope = complex(0.0, 0.0)
    if changed >= 0:
        own = coefficient
        for _ in range(changed):
            own_slope = own_slope * w + own
            own = own * w
    weak = curvature * curvature
    if order > 1:
        pair = 0
        for u in range(VARIABLES):
            du = complex(first[u, X], first[u, Y])
            for v in range(u, VARIABLES):
                dv = complex(first[v, X], first[v, Y])
                change = bend * du * dv + slope * complex(second[pair, X], second[pair, Y])
                if v == PARAMETER:
                    change += own_slope * du
                    if u == PARAMETER:
                        change += own_slope * dv
                second[pair, PX] -= length * (change.real + weak * second[pair, X])
                second[pair, PY] += length * change.imag
                pair += 1
    for v in range(0 if order > 0 else PARAMETER, VARIABLES):
        change = slope * complex(first[v, X], first[v, Y])
        if v == PARAMETER:
            change += own
        first[v, PX] -= length * (change.real + weak * first[v, X])
        first[v, PY] += length * change.imag
        path[v] += length * curvature * first[v, X]
    point[PX] -= length * (field.real - curvature * (delta - curvature * point[X]))
    point[PY] += length * field.imag


@compiled
def vary_body(
    geometry: Floats,
    parameters: Floats,
    slices: int,
    delta: float,
    column: int,
    point: Floats,
    first: Floats,
    second: Floats,
    path: Floats,
    order: int,
) -> None:
    """Carry `point` (4) through a body, with derivatives `first` (5, 4), `second` (15, 4) and those of `path` (5)."""
    length = geometry[LENGTH]
    normal, skew = dipole_terms(length, parameters)
    changed, coefficient = direction(column, length, parameters)
    for v in range(VARIABLES):
        path[v] = 0.0
        for row in range(PARAMETER):
            first[v, row] = 1.0 if row == v else 0.0
    if order > 1:
        second[:] = 0.0
    if length == 0.0:
        kick_variations(
            1.0, 0.0, delta, parameters, normal, skew, changed, coefficient, point, first, second, path, order
        )
        return
    curvature = geometry[ANGLE] / length
    weight = 1.0 / (1.0 + delta)
    step = length / slices
    for _ in range(slices):
        for stage in range(3):
            free = step * weight * (DRIFT_OUTER if stage == 0 else DRIFT_INNER)
            drift_variations(free, weight, point, first, second, path, order)
            kick_variations(
                step * (KICK_INNER if stage == 1 else KICK_OUTER), curvature, delta, parameters, normal, skew,
                changed, coefficient, point, first, second, path, order,
            )  # fmt: skip
        drift_variations(step * weight * DRIFT_OUTER, weight, point, first, second, path, order)
