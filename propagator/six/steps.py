"""Drifts, kicks, edges, steerers and cavities in six dimensions, and their exact derivatives.

Coordinates are pyAT's: x, px, y, py, delta, ct, where ct [m] is the path's lengthening. The formulas are those of its
DriftPass, StrMPoleSymplectic4Pass, BndMPoleSymplectic4Pass (fringe method 1), CorrectorPass and RFCavityPass, and, with
radiation, of the RadPass methods: a kick first takes R = k |v x B|^2 (path) (1 + delta)^2 off delta at fixed slopes.
Beyond pyAT, a pole face turned by e gives back what the sector body takes too much of a particle at x, whose way in the
field is shorter by tan(e) x: k h^2 tan(e) x (1 + delta)^2 (R. Helm et al., IEEE Trans. Nucl. Sci. 20 (1973) 900).

A point is a tuple, so that it stays in registers. A matrix is 6 rows of 8 numbers, of which 6 columns count (8 fill a
vector register); each `..._matrix` is to be called with the point before the step.
"""

import math

from gnomon.propagator.compiled import Floats, compiled

#: Numbers in a matrix.
MATRIX = 48

Point = tuple[float, float, float, float, float, float]


@compiled
def drift(length: float, point: Point) -> Point:
    """Free space [m]."""
    x, px, y, py, delta, ct = point
    p = 1.0 / (1.0 + delta)
    reach = length * p
    return x + reach * px, px, y + reach * py, py, delta, ct + 0.5 * reach * p * (px * px + py * py)


@compiled
def drift_slopes(length: float, point: Point) -> tuple[float, float, float, float]:
    """Of free space: dx/dpx, -dx/ddelta, -dy/ddelta and -dct/ddelta."""
    p = 1.0 / (1.0 + point[4])
    reach = length * p
    down_x, down_y = reach * point[1] * p, reach * point[3] * p
    return reach, down_x, down_y, p * (down_x * point[1] + down_y * point[3])


@compiled
def drift_matrix(length: float, point: Point, matrix: Floats) -> None:
    """The derivative of free space."""
    reach, down_x, down_y, down = drift_slopes(length, point)
    for c in range(8):
        dpx, dpy, dd = matrix[8 + c], matrix[24 + c], matrix[32 + c]
        matrix[c] += reach * dpx - down_x * dd
        matrix[16 + c] += reach * dpy - down_y * dd
        matrix[40 + c] += down_x * dpx + down_y * dpy - down * dd


@compiled
def field(fields: Floats, high: bool, x: float, y: float) -> tuple[float, float, float, float]:
    """B_y, B_x and the derivative's real and imaginary part of `fields` b1 to b4, a1 to a4, over Brho.

    Without `high`, only up to quadrupole terms.
    """
    if high:
        g, f = fields[3], fields[7]
        b, a = g * x - f * y + fields[2], g * y + f * x + fields[6]
        g, f = g * x - f * y + b, g * y + f * x + a
        b, a = b * x - a * y + fields[1], b * y + a * x + fields[5]
        g, f = g * x - f * y + b, g * y + f * x + a
    else:
        g, f = fields[1], fields[5]
        b, a = g, f
    return b * x - a * y + fields[0], b * y + a * x + fields[4], g, f


@compiled
def radiated(b: float, a: float, curvature: float, point: Point) -> tuple[float, float]:
    """|v x B|^2 and the path times (1 + delta)^2, per length of a kick in the field `b`, `a`."""
    p = 1.0 / (1.0 + point[4])
    slope_x, slope_y = point[1] * p, point[3] * p
    w, by = 1.0 + point[0] * curvature, b + curvature
    cross, squares = a * slope_y - by * slope_x, slope_x * slope_x + slope_y * slope_y
    square = ((by * by + a * a) * w * w + cross * cross) / (w * w + squares)
    return square, (w + 0.5 * squares) * (1.0 + point[4]) * (1.0 + point[4])


@compiled
def kick(length: float, curvature: float, high: bool, fields: Floats, radiation: float, point: Point) -> Point:
    """Multipole kick; `radiation` is the constant of the classical loss [m], 0 for none."""
    x, px, y, py, delta, ct = point
    b, a, _, _ = field(fields, high, x, y)
    force = length * (b - curvature * (delta - curvature * x))
    if radiation > 0.0:
        square, path = radiated(b, a, curvature, point)
        loss = radiation * length * path * square
        keep = (1.0 + delta - loss) / (1.0 + delta)
        px *= keep
        py *= keep
        delta -= loss
    return x, px - force, y, py + length * a, delta, ct + length * curvature * x


@compiled
def kick_matrix(
    length: float, curvature: float, high: bool, fields: Floats, radiation: float, point: Point, free: float,
    after: Point, matrix: Floats,
) -> None:  # fmt: skip
    """The derivative of a kick and of the free space [m] behind it, where the particle is at `after`.

    Both in one, since a step that finds the rows in registers costs little more than half of two.
    """
    x, px, y, py, delta, _ = point
    b, a, g, f = field(fields, high, x, y)
    focus, skew, gradient, bend = length * (g + curvature * curvature), length * f, length * g, length * curvature
    reach, down_x, down_y, down = drift_slopes(free, after)
    if radiation == 0.0:
        for c in range(8):
            dx, dy, dd = matrix[c], matrix[16 + c], matrix[32 + c]
            dpx = matrix[8 + c] - (focus * dx - skew * dy - bend * dd)
            dpy = matrix[24 + c] + skew * dx + gradient * dy
            matrix[c] = dx + reach * dpx - down_x * dd
            matrix[8 + c] = dpx
            matrix[16 + c] = dy + reach * dpy - down_y * dd
            matrix[24 + c] = dpy
            matrix[40 + c] += bend * dx + down_x * dpx + down_y * dpy - down * dd
        return
    p = 1.0 / (1.0 + delta)
    slope_x, slope_y = px * p, py * p
    w, by = 1.0 + x * curvature, b + curvature
    cross = a * slope_y - by * slope_x
    size = w * w + slope_x * slope_x + slope_y * slope_y
    square, path = radiated(b, a, curvature, point)
    loss = radiation * length * path * square
    keep = (1.0 + delta - loss) * p
    share = 2.0 * radiation * length * path / size
    scale = radiation * length * square * (1.0 + delta) * (1.0 + delta)
    by_b = share * (by * w * w - cross * slope_x)
    by_a = share * (a * w * w + cross * slope_y)
    by_w = share * w * (by * by + a * a - square) + scale
    by_x = (scale * slope_x - share * (cross * by + square * slope_x)) * p
    by_y = (scale * slope_y + share * (cross * a - square * slope_y)) * p
    row_x, row_y = by_b * g + by_a * f + by_w * curvature, by_a * g - by_b * f
    row_d = 2.0 * loss * p - by_x * slope_x - by_y * slope_y
    for c in range(8):
        dx, dpx, dy, dpy, dd = matrix[c], matrix[8 + c], matrix[16 + c], matrix[24 + c], matrix[32 + c]
        lost = dd - (row_x * dx + by_x * dpx + row_y * dy + by_y * dpy + row_d * dd)
        dpx = keep * (dpx - slope_x * dd) + slope_x * lost - (focus * dx - skew * dy - bend * dd)
        dpy = keep * (dpy - slope_y * dd) + slope_y * lost + skew * dx + gradient * dy
        matrix[c] = dx + reach * dpx - down_x * lost
        matrix[8 + c] = dpx
        matrix[16 + c] = dy + reach * dpy - down_y * lost
        matrix[24 + c] = dpy
        matrix[32 + c] = lost
        matrix[40 + c] += bend * dx + down_x * dpx + down_y * dpy - down * lost


@compiled
def face(gain: float, point: Point) -> Point:
    """A turned pole face's change of the loss, at fixed slopes; `gain` [1/m] is k h^2 tan(angle), 0 for none."""
    x, px, y, py, delta, ct = point
    gained = gain * x * (1.0 + delta)
    keep = 1.0 + gained
    return x, px * keep, y, py * keep, delta + gained * (1.0 + delta), ct


@compiled
def face_matrix(gain: float, point: Point, matrix: Floats) -> None:
    """The derivative of a pole face's change of the loss."""
    x, px, _, py, delta, _ = point
    by_x, by_d = gain * (1.0 + delta), gain * x
    keep = 1.0 + gain * x * (1.0 + delta)
    for c in range(8):
        dx, dd = matrix[c], matrix[32 + c]
        more = by_x * dx + by_d * dd
        matrix[8 + c] = keep * matrix[8 + c] + px * more
        matrix[24 + c] = keep * matrix[24 + c] + py * more
        matrix[32 + c] = keep * dd + (1.0 + delta) * more


@compiled
def edge_angle(curvature: float, angle: float, psi: float, delta: float) -> float:
    """Vertical strength [1/m] of an edge with the gap correction `psi`."""
    return curvature * math.tan(angle - psi / (1.0 + delta))


@compiled
def edge(horizontal: float, curvature: float, angle: float, psi: float, point: Point) -> Point:
    """A bend's edge: px += `horizontal` x, py -= `curvature` tan(`angle` - `psi` / (1 + delta)) y."""
    x, px, y, py, delta, ct = point
    return x, px + horizontal * x, y, py - edge_angle(curvature, angle, psi, delta) * y, delta, ct


@compiled
def edge_matrix(horizontal: float, curvature: float, angle: float, psi: float, point: Point, matrix: Floats) -> None:
    """The derivative of an edge."""
    vertical = edge_angle(curvature, angle, psi, point[4])
    p = 1.0 / (1.0 + point[4])
    slope = (curvature + vertical * vertical / curvature) * psi * p * p * point[2]
    for c in range(8):
        matrix[8 + c] += horizontal * matrix[c]
        matrix[24 + c] -= vertical * matrix[16 + c] + slope * matrix[32 + c]


@compiled
def steer(length: float, kick_x: float, kick_y: float, point: Point) -> Point:
    """A steerer [rad] whose field is spread over `length` [m]."""
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
    """The derivative of a steerer."""
    p = 1.0 / (1.0 + point[4])
    reach = length * p
    mean_x, mean_y = point[1] + 0.5 * kick_x, point[3] + 0.5 * kick_y
    squares = mean_x * mean_x + mean_y * mean_y + (kick_x * kick_x + kick_y * kick_y) / 12.0
    for c in range(8):
        dpx, dpy, dd = matrix[8 + c], matrix[24 + c], matrix[32 + c]
        matrix[c] += reach * (dpx - p * mean_x * dd)
        matrix[16 + c] += reach * (dpy - p * mean_y * dd)
        matrix[40 + c] += reach * p * (mean_x * dpx + mean_y * dpy - p * squares * dd)


@compiled
def accelerate(voltage: float, wave: float, lag: float, point: Point) -> Point:
    """A cavity's kick: delta -= `voltage` sin(`wave` ct - `lag`); voltage over energy, 1/m, rad."""
    x, px, y, py, delta, ct = point
    return x, px, y, py, delta - voltage * math.sin(wave * ct - lag), ct


@compiled
def accelerate_matrix(voltage: float, wave: float, lag: float, point: Point, matrix: Floats) -> None:
    """The derivative of a cavity's kick."""
    slope = voltage * wave * math.cos(wave * point[5] - lag)
    for c in range(8):
        matrix[32 + c] -= slope * matrix[40 + c]


@compiled
def frame_row(frame: Floats, row: int, point: Point) -> float:
    """One coordinate in another frame (`misalignment.write_frame`)."""
    i = 6 * row
    value: float = frame[i] * point[0] + frame[i + 1] * point[1] + frame[i + 2] * point[2] + frame[i + 3] * point[3]
    value += frame[i + 4] * point[4] + frame[i + 5]
    return value


@compiled
def change_frame(frame: Floats, point: Point) -> Point:
    """Into another frame."""
    return (
        frame_row(frame, 0, point), frame_row(frame, 1, point), frame_row(frame, 2, point), frame_row(frame, 3, point),
        point[4], point[5] + frame_row(frame, 4, point),
    )  # fmt: skip


@compiled
def frame_matrix(frame: Floats, matrix: Floats, work: Floats) -> None:
    """The derivative of a change of frame; `work` has 48 numbers."""
    work[:] = matrix
    for row in range(5):
        i, at = 6 * row, 8 * row if row < 4 else 40
        for c in range(8):
            value = frame[i] * work[c] + frame[i + 1] * work[8 + c] + frame[i + 2] * work[16 + c]
            value += frame[i + 3] * work[24 + c] + frame[i + 4] * work[32 + c]
            matrix[at + c] = value if row < 4 else work[40 + c] + value


@compiled
def add_diffusion(amount: float, slope_x: float, slope_y: float, matrix: Floats, diffusion: Floats) -> None:
    """Add a kick's quantum excitation, carried back to where `matrix` begins, to `diffusion` (6, 6; 7 rows).

    Ohmi's matrix of a kick is amount v v^t with v = (0, slope_x, 0, slope_y, 1, 0); it goes back by the symplectic
    inverse, exact up to the damping on this way. The amount of a pole face is negative where the field is shorter.
    """
    back = diffusion[6]
    for plane in range(3):
        i = 2 * plane
        back[i] = matrix[i + 1 + 40] - slope_x * matrix[i + 1] - slope_y * matrix[i + 1 + 16]
        back[i + 1] = slope_x * matrix[i] + slope_y * matrix[i + 16] - matrix[i + 40]
    for row in range(6):
        for column in range(6):
            diffusion[row, column] += amount * back[row] * back[column]
