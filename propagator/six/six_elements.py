"""Drifts, kicks, edges, steerers and cavities in six dimensions, and their exact derivatives.

Coordinates are pyAT's: x, px, y, py, delta, ct, where ct [m] is the lengthening of the path. The formulas are those of
its DriftPass, StrMPoleSymplectic4Pass, BndMPoleSymplectic4Pass (fringe method 1), CorrectorPass and RFCavityPass, and,
with radiation, of its RadPass methods: a kick first reduces delta by k |v x B|^2 (path) (1 + delta)^2 at fixed slopes.
Unlike pyAT, a pole face rotated by e corrects the loss: the path of a particle at x is shorter than that in the sector
body by tan(e) x, so k h^2 tan(e) x (1 + delta)^2 is given back (R. Helm et al., IEEE Trans. Nucl. Sci. 20 (1973) 900).

A point is a tuple, so that it stays in registers. A matrix is 6 rows of 8 numbers, of which 6 columns are used (8 fill
a vector register). Each `..._matrix` must be called with the point before the step.
"""

import math

from gnomon.propagator.compiled import Floats, compiled, embedded
from gnomon.propagator.live.affine_maps import (
    DRIFT_INNER,
    DRIFT_OUTER,
    KICK_INNER,
    KICK_OUTER,
    OF_PX,
    OF_PY,
    OF_X,
    OF_Y,
    multiply_row,
)
from gnomon.propagator.live.misalignment import (
    COLUMNS,
    FRAME_CONSTANT,
    FRAME_PATH,
    FRAME_PX,
    FRAME_PY,
    FRAME_X,
    FRAME_Y,
    OF_DELTA,
    ROWS,
)

#: Numbers of a matrix, and of a row of it.
MATRIX, WIDTH = 48, 8

#: Start of each row of a matrix.
X, PX, Y, PY, DELTA, CT = range(0, MATRIX, WIDTH)

#: Fields of a kick: b1 to b4 and a1 to a4.
FIELD_COUNT = 8
B1, B2, B3, B4, A1, A2, A3, A4 = range(FIELD_COUNT)

Point = tuple[float, float, float, float, float, float]

#: Derivatives of a kick (`kick_slopes`) or of free space (`drift_slopes`), and of what a kick loses (`loss_slopes`).
Slopes = tuple[float, float, float, float]
Losses = tuple[float, float, float, float, float, float, float, float]


@embedded
def drift(length: float, point: Point) -> Point:
    """Drift by a length [m]."""
    x, px, y, py, delta, ct = point
    p = 1.0 / (1.0 + delta)
    reach = length * p
    return x + reach * px, px, y + reach * py, py, delta, ct + 0.5 * reach * p * (px * px + py * py)


@embedded
def drift_slopes(length: float, point: Point) -> tuple[float, float, float, float]:
    """Return dx/dpx, -dx/ddelta, -dy/ddelta and -dct/ddelta of a drift."""
    p = 1.0 / (1.0 + point[4])
    reach = length * p
    down_x, down_y = reach * point[1] * p, reach * point[3] * p
    return reach, down_x, down_y, p * (down_x * point[1] + down_y * point[3])


@compiled
def drift_matrix(length: float, point: Point, matrix: Floats) -> None:
    """Multiply `matrix` by the derivative of a drift."""
    reach, down_x, down_y, down = drift_slopes(length, point)
    for c in range(WIDTH):
        dpx, dpy, dd = matrix[PX + c], matrix[PY + c], matrix[DELTA + c]
        matrix[X + c] += reach * dpx - down_x * dd
        matrix[Y + c] += reach * dpy - down_y * dd
        matrix[CT + c] += down_x * dpx + down_y * dpy - down * dd


@embedded
def field(fields: Floats, high: bool, x: float, y: float) -> tuple[float, float, float, float]:
    """Return B_y, B_x and real and imaginary part of their derivative, of `fields` b1 to b4, a1 to a4, over Brho.

    Without `high`, only terms up to the quadrupole's count.
    """
    if high:
        g, f = fields[B4], fields[A4]
        b, a = g * x - f * y + fields[B3], g * y + f * x + fields[A3]
        g, f = g * x - f * y + b, g * y + f * x + a
        b, a = b * x - a * y + fields[B2], b * y + a * x + fields[A2]
        g, f = g * x - f * y + b, g * y + f * x + a
    else:
        g, f = fields[B2], fields[A2]
        b, a = g, f
    return b * x - a * y + fields[B1], b * y + a * x + fields[A1], g, f


@embedded
def radiated(b: float, a: float, curvature: float, point: Point) -> tuple[float, float]:
    """Return |v x B|^2, and the path times (1 + delta)^2, per length of a kick in the field `b`, `a`."""
    p = 1.0 / (1.0 + point[4])
    slope_x, slope_y = point[1] * p, point[3] * p
    w, by = 1.0 + point[0] * curvature, b + curvature
    cross, squares = a * slope_y - by * slope_x, slope_x * slope_x + slope_y * slope_y
    square = ((by * by + a * a) * w * w + cross * cross) * (1.0 / (w * w + squares))
    return square, (w + 0.5 * squares) * (1.0 + point[4]) * (1.0 + point[4])


@embedded
def kick(length: float, curvature: float, high: bool, fields: Floats, radiation: float, point: Point) -> Point:
    """Apply a multipole kick; `radiation` is the constant of the classical loss [m], 0 for none."""
    x, px, y, py, delta, ct = point
    b, a, _, _ = field(fields, high, x, y)
    force = length * (b - curvature * (delta - curvature * x))
    if radiation > 0.0:
        square, path = radiated(b, a, curvature, point)
        loss, p = radiation * length * path * square, 1.0 / (1.0 + delta)
        px -= loss * (px * p)
        py -= loss * (py * p)
        delta -= loss
    return x, px - force, y, py + length * a, delta, ct + length * curvature * x


@embedded
def kick_slopes(length: float, curvature: float, gradient: float, skew: float) -> Slopes:
    """Return the derivatives of a kick in a field with the derivative `gradient` + i `skew`: by x and y, y, delta."""
    return length * (gradient + curvature * curvature), length * skew, length * gradient, length * curvature


@embedded
def loss_slopes(length: float, curvature: float, high: bool, fields: Floats, radiation: float, point: Point) -> Losses:
    """Return the derivatives of a kick's loss by x, px, y, py and delta, its share of the momentum, and x' and y'."""
    x, px, y, py, delta, _ = point
    b, a, g, f = field(fields, high, x, y)
    p = 1.0 / (1.0 + delta)
    slope_x, slope_y = px * p, py * p
    w, by = 1.0 + x * curvature, b + curvature
    cross = a * slope_y - by * slope_x
    size = w * w + (slope_x * slope_x + slope_y * slope_y)
    square, path = radiated(b, a, curvature, point)
    loss = radiation * length * path * square
    share = 2.0 * radiation * length * path * (1.0 / size)
    scale = radiation * length * square * (1.0 + delta) * (1.0 + delta)
    by_b = share * (by * w * w - cross * slope_x)
    by_a = share * (a * w * w + cross * slope_y)
    by_w = share * w * (by * by + a * a - square) + scale
    by_x = (scale * slope_x - share * (cross * by + square * slope_x)) * p
    by_y = (scale * slope_y + share * (cross * a - square * slope_y)) * p
    row_x, row_y = by_b * g + by_a * f + by_w * curvature, by_a * g - by_b * f
    row_d = 2.0 * loss * p - by_x * slope_x - by_y * slope_y
    return row_x, by_x, row_y, by_y, row_d, loss * p, slope_x, slope_y


@embedded
def kick_column(kick: Slopes, free: Slopes, column: Point) -> Point:
    """Carry a column of a matrix through a kick without radiation and the free space behind it."""
    focus, skew, gradient, bend = kick
    reach, down_x, down_y, down = free
    dx, dpx, dy, dpy, dd, dct = column
    dpx = dpx - (focus * dx - skew * dy - bend * dd)
    dpy = dpy + skew * dx + gradient * dy
    return (
        dx + reach * dpx - down_x * dd, dpx, dy + reach * dpy - down_y * dd, dpy, dd,
        dct + bend * dx + down_x * dpx + down_y * dpy - down * dd,
    )  # fmt: skip


@embedded
def radiating_column(kick: Slopes, losses: Losses, free: Slopes, column: Point) -> Point:
    """Carry a column of a matrix through a kick with radiation and the free space behind it.

    In each sum the coordinates that the step before computes last stand last, so that the processor waits for less.
    """
    focus, skew, gradient, bend = kick
    reach, down_x, down_y, down = free
    row_x, by_x, row_y, by_y, row_d, share, slope_x, slope_y = losses
    dx, dpx, dy, dpy, dd, dct = column
    loss = row_d * dd + by_x * dpx + by_y * dpy + row_x * dx + row_y * dy
    dpx = dpx - share * (dpx - slope_x * dd) + bend * dd - focus * dx + skew * dy - slope_x * loss
    dpy = dpy - share * (dpy - slope_y * dd) + skew * dx + gradient * dy - slope_y * loss
    dd = dd - loss
    return (
        dx + reach * dpx - down_x * dd, dpx, dy + reach * dpy - down_y * dd, dpy, dd,
        dct + bend * dx + down_x * dpx + down_y * dpy - down * dd,
    )  # fmt: skip


@embedded
def column_of(matrix: Floats, c: int) -> Point:
    """Return column `c` of a matrix."""
    return matrix[X + c], matrix[PX + c], matrix[Y + c], matrix[PY + c], matrix[DELTA + c], matrix[CT + c]


@embedded
def write_column(column: Point, matrix: Floats, c: int) -> None:
    """Write column `c` of a matrix."""
    matrix[X + c], matrix[PX + c], matrix[Y + c], matrix[PY + c], matrix[DELTA + c], matrix[CT + c] = column


@compiled
def kick_matrix(
    length: float, curvature: float, high: bool, fields: Floats, radiation: float, point: Point, free: float,
    after: Point, matrix: Floats,
) -> None:  # fmt: skip
    """Multiply `matrix` by the derivative of a kick and of the drift [m] after it; the particle is `after` the kick.

    Together they take little more than half the time of two steps, since the rows stay in registers.
    """
    _, _, g, f = field(fields, high, point[0], point[2])
    kick, behind = kick_slopes(length, curvature, g, f), drift_slopes(free, after)
    if radiation == 0.0:
        for c in range(WIDTH):
            write_column(kick_column(kick, behind, column_of(matrix, c)), matrix, c)
        return
    losses = loss_slopes(length, curvature, high, fields, radiation, point)
    for c in range(WIDTH):
        write_column(radiating_column(kick, losses, behind, column_of(matrix, c)), matrix, c)


@compiled
def slices_matrix(
    step: float, slices: int, curvature: float, high: bool, fields: Floats, point: Point, matrix: Floats
) -> Point:
    """Carry a particle and a matrix through slices of `step` [m] without radiation, from behind the first free space.

    A slice is one loop, so that a column stays in registers for three kicks.
    """
    inner, outer, ahead = KICK_INNER * step, KICK_OUTER * step, DRIFT_INNER * step
    for number in range(slices):
        last = (2.0 * DRIFT_OUTER if number < slices - 1 else DRIFT_OUTER) * step
        _, _, g, f = field(fields, high, point[0], point[2])
        point = kick(outer, curvature, high, fields, 0.0, point)
        kick_1, free_1 = kick_slopes(outer, curvature, g, f), drift_slopes(ahead, point)
        point = drift(ahead, point)
        _, _, g, f = field(fields, high, point[0], point[2])
        point = kick(inner, curvature, high, fields, 0.0, point)
        kick_2, free_2 = kick_slopes(inner, curvature, g, f), drift_slopes(ahead, point)
        point = drift(ahead, point)
        _, _, g, f = field(fields, high, point[0], point[2])
        point = kick(outer, curvature, high, fields, 0.0, point)
        kick_3, free_3 = kick_slopes(outer, curvature, g, f), drift_slopes(last, point)
        point = drift(last, point)
        for c in range(WIDTH):
            column = kick_column(kick_1, free_1, column_of(matrix, c))
            column = kick_column(kick_2, free_2, column)
            write_column(kick_column(kick_3, free_3, column), matrix, c)
    return point


@compiled
def radiating_slices_matrix(
    step: float, slices: int, curvature: float, high: bool, fields: Floats, radiation: float, point: Point,
    matrix: Floats,
) -> Point:  # fmt: skip
    """Carry a particle and a matrix through slices of `step` [m] with radiation, from behind the first free space.

    A loop for each kick: the numbers of three are more than there are registers.
    """
    for number in range(slices):
        last = 2.0 * DRIFT_OUTER if number < slices - 1 else DRIFT_OUTER
        for stage in range(3):
            part = (KICK_INNER if stage == 1 else KICK_OUTER) * step
            ahead = (DRIFT_INNER if stage < 2 else last) * step
            _, _, g, f = field(fields, high, point[0], point[2])
            slopes = kick_slopes(part, curvature, g, f)
            losses = loss_slopes(part, curvature, high, fields, radiation, point)
            point = kick(part, curvature, high, fields, radiation, point)
            free = drift_slopes(ahead, point)
            point = drift(ahead, point)
            for c in range(WIDTH):
                write_column(radiating_column(slopes, losses, free, column_of(matrix, c)), matrix, c)
    return point


@compiled
def face(gain: float, point: Point) -> Point:
    """Correct the loss for a rotated pole face, at fixed slopes; `gain` [1/m] is k h^2 tan(angle), 0 for none."""
    x, px, y, py, delta, ct = point
    gained = gain * x * (1.0 + delta)
    keep = 1.0 + gained
    return x, px * keep, y, py * keep, delta + gained * (1.0 + delta), ct


@compiled
def face_matrix(gain: float, point: Point, matrix: Floats) -> None:
    """Multiply `matrix` by the derivative of `face`."""
    x, px, _, py, delta, _ = point
    by_x, by_d = gain * (1.0 + delta), gain * x
    keep = 1.0 + gain * x * (1.0 + delta)
    for c in range(WIDTH):
        dx, dd = matrix[X + c], matrix[DELTA + c]
        more = by_x * dx + by_d * dd
        matrix[PX + c] = keep * matrix[PX + c] + px * more
        matrix[PY + c] = keep * matrix[PY + c] + py * more
        matrix[DELTA + c] = keep * dd + (1.0 + delta) * more


@compiled
def edge_angle(curvature: float, angle: float, psi: float, delta: float) -> float:
    """Return the vertical strength [1/m] of an edge with the gap correction `psi`."""
    return curvature * math.tan(angle - psi / (1.0 + delta))


@compiled
def edge(horizontal: float, curvature: float, angle: float, psi: float, point: Point) -> Point:
    """Pass a bend's edge: px += `horizontal` x, py -= `curvature` tan(`angle` - `psi` / (1 + delta)) y."""
    x, px, y, py, delta, ct = point
    return x, px + horizontal * x, y, py - edge_angle(curvature, angle, psi, delta) * y, delta, ct


@compiled
def edge_matrix(horizontal: float, curvature: float, angle: float, psi: float, point: Point, matrix: Floats) -> None:
    """Multiply `matrix` by the derivative of an edge."""
    vertical = edge_angle(curvature, angle, psi, point[4])
    p = 1.0 / (1.0 + point[4])
    slope = (curvature + vertical * vertical / curvature) * psi * p * p * point[2]
    for c in range(WIDTH):
        matrix[PX + c] += horizontal * matrix[X + c]
        matrix[PY + c] -= vertical * matrix[Y + c] + slope * matrix[DELTA + c]


@compiled
def steer(length: float, kick_x: float, kick_y: float, point: Point) -> Point:
    """Pass a steerer [rad] whose field is spread over `length` [m]."""
    x, px, y, py, delta, ct = point
    p = 1.0 / (1.0 + delta)
    mean_x, mean_y = px + 0.5 * kick_x, py + 0.5 * kick_y
    squares = mean_x * mean_x + mean_y * mean_y + (kick_x * kick_x + kick_y * kick_y) / 12.0
    return (
        x + length * p * mean_x, px + kick_x, y + length * p * mean_y, py + kick_y, delta,
        ct + 0.5 * length * p * p * squares,
    )  # fmt: skip


@compiled
def steer_matrix(length: float, kick_x: float, kick_y: float, point: Point, matrix: Floats) -> None:
    """Multiply `matrix` by the derivative of a steerer."""
    p = 1.0 / (1.0 + point[4])
    reach = length * p
    mean_x, mean_y = point[1] + 0.5 * kick_x, point[3] + 0.5 * kick_y
    squares = mean_x * mean_x + mean_y * mean_y + (kick_x * kick_x + kick_y * kick_y) / 12.0
    for c in range(WIDTH):
        dpx, dpy, dd = matrix[PX + c], matrix[PY + c], matrix[DELTA + c]
        matrix[X + c] += reach * (dpx - p * mean_x * dd)
        matrix[Y + c] += reach * (dpy - p * mean_y * dd)
        matrix[CT + c] += reach * p * (mean_x * dpx + mean_y * dpy - p * squares * dd)


@compiled
def accelerate(voltage: float, wave: float, lag: float, point: Point) -> Point:
    """Apply a cavity's kick: delta -= `voltage` sin(`wave` ct - `lag`); voltage over energy, 1/m, rad."""
    x, px, y, py, delta, ct = point
    return x, px, y, py, delta - voltage * math.sin(wave * ct - lag), ct


@compiled
def accelerate_matrix(voltage: float, wave: float, lag: float, point: Point, matrix: Floats) -> None:
    """Multiply `matrix` by the derivative of a cavity's kick."""
    slope = voltage * wave * math.cos(wave * point[5] - lag)
    for c in range(WIDTH):
        matrix[DELTA + c] -= slope * matrix[CT + c]


@compiled
def frame_row(frame: Floats, at: int, x: float, px: float, y: float, py: float, delta: float) -> float:
    """Apply the row of a change of frame that starts at `at` to a particle, summing in the order of `frame_map`."""
    return float(multiply_row(frame, at, x, px, y, py) + (frame[at + OF_DELTA] * delta + frame[at + FRAME_CONSTANT]))


@compiled
def change_frame(frame: Floats, point: Point) -> Point:
    """Carry a particle into another frame (`misalignment.write_frame`)."""
    x, px, y, py, delta, ct = point
    return (
        frame_row(frame, FRAME_X, x, px, y, py, delta), frame_row(frame, FRAME_PX, x, px, y, py, delta),
        frame_row(frame, FRAME_Y, x, px, y, py, delta), frame_row(frame, FRAME_PY, x, px, y, py, delta),
        delta, ct + frame_row(frame, FRAME_PATH, x, px, y, py, delta),
    )  # fmt: skip


@compiled
def frame_matrix(frame: Floats, matrix: Floats, work: Floats) -> None:
    """Multiply `matrix` by the derivative of a change of frame; `work` has `MATRIX` numbers."""
    work[:] = matrix
    for row in range(ROWS):
        i, at = COLUMNS * row, WIDTH * row if row < 4 else CT
        for c in range(WIDTH):
            value = frame[i + OF_X] * work[X + c] + frame[i + OF_PX] * work[PX + c] + frame[i + OF_Y] * work[Y + c]
            value += frame[i + OF_PY] * work[PY + c] + frame[i + OF_DELTA] * work[DELTA + c]
            matrix[at + c] = value if row < 4 else work[CT + c] + value


@compiled
def add_diffusion(amount: float, slope_x: float, slope_y: float, matrix: Floats, diffusion: Floats) -> None:
    """Add a kick's quantum excitation, carried back to the start of `matrix`, to `diffusion` (6, 6; 7 rows).

    Ohmi's matrix of a kick is amount v v^t with v = (0, slope_x, 0, slope_y, 1, 0). It is carried back by the
    symplectic inverse, which is exact except for the damping in between. A pole face that shortens the field has a
    negative amount.
    """
    back = diffusion[6]
    for plane in range(3):
        i = 2 * plane
        j = i + 1
        back[i] = matrix[CT + j] - slope_x * matrix[X + j] - slope_y * matrix[Y + j]
        back[j] = slope_x * matrix[X + i] + slope_y * matrix[Y + i] - matrix[CT + i]
    for row in range(6):
        for column in range(6):
            diffusion[row, column] += amount * back[row] * back[column]
