"""Drifts, kicks, edges, steerers and cavities in six dimensions, each together with its exact derivative.

Coordinates are pyAT's: x, px, y, py, delta, ct, where ct [m] is the path's lengthening. The formulas are those of its
DriftPass, StrMPoleSymplectic4Pass, BndMPoleSymplectic4Pass (fringe method 1), CorrectorPass and RFCavityPass, and, with
radiation, of the RadPass methods: a kick first takes R = k |v x B|^2 (path) (1 + delta)^2 off delta at fixed slopes. A
`point` has 6 numbers; a `matrix` 6 rows of 8, of which 6 columns count (8 fill a vector register).
"""

import math

from gnomon.propagator.compiled import Floats, compiled

#: Where rows of a matrix begin.
PX, Y, PY, DELTA, CT = 8, 16, 24, 32, 40
MATRIX = 48


@compiled
def drift(length: float, point: Floats, linear: bool, matrix: Floats) -> None:
    """Free space [m]; without `linear` the matrix stays as it is."""
    p = 1.0 / (1.0 + point[4])
    reach = length * p
    px, py = point[1], point[3]
    slope_x, slope_y = px * p, py * p
    squares = px * slope_x + py * slope_y
    point[0] += reach * px
    point[2] += reach * py
    point[5] += 0.5 * reach * squares
    if linear:
        down_x, down_y, down = reach * slope_x, reach * slope_y, reach * p * squares
        for c in range(8):
            dpx, dpy, dd = matrix[8 + c], matrix[24 + c], matrix[32 + c]
            matrix[c] += reach * dpx - down_x * dd
            matrix[16 + c] += reach * dpy - down_y * dd
            matrix[40 + c] += down_x * dpx + down_y * dpy - down * dd


@compiled
def kick(
    length: float, curvature: float, high: bool, fields: Floats, radiation: float, point: Floats, linear: bool,
    matrix: Floats,
) -> float:  # fmt: skip
    """Multipole kick of `fields` b1 to b4, a1 to a4; returns |v x B|^3 times the path, for the diffusion.

    `radiation` is the constant of the classical loss [m], 0 for none. Without `high`, only quadrupole terms.
    """
    x, y = point[0], point[2]
    if high:
        g, f = fields[3], fields[7]
        b, a = g * x - f * y + fields[2], g * y + f * x + fields[6]
        g, f = g * x - f * y + b, g * y + f * x + a
        b, a = b * x - a * y + fields[1], b * y + a * x + fields[5]
        g, f = g * x - f * y + b, g * y + f * x + a
    else:
        g, f = fields[1], fields[5]
        b, a = g, f
    b, a = b * x - a * y + fields[0], b * y + a * x + fields[4]
    delta = point[4]
    force = length * (b - curvature * (delta - curvature * x))
    focus, skew, gradient, bend = length * (g + curvature * curvature), length * f, length * g, length * curvature
    strength = 0.0
    if radiation > 0.0:
        p = 1.0 / (1.0 + delta)
        slope_x, slope_y = point[1] * p, point[3] * p
        w, by = 1.0 + x * curvature, b + curvature
        cross = a * slope_y - by * slope_x
        size = w * w + slope_x * slope_x + slope_y * slope_y
        field = ((by * by + a * a) * w * w + cross * cross) / size
        path = w + 0.5 * (slope_x * slope_x + slope_y * slope_y)
        scale = radiation * length * (1.0 + delta) * (1.0 + delta)
        loss = scale * path * field
        strength = field * math.sqrt(field) * path * length * (1.0 + delta) * (1.0 + delta)
        keep = (1.0 + delta - loss) * p
        if linear:
            share = 2.0 * scale * path / size
            by_b = share * (by * w * w - cross * slope_x)
            by_a = share * (a * w * w + cross * slope_y)
            by_w = share * w * (by * by + a * a - field) + scale * field
            by_x = (-share * (cross * by + field * slope_x) + scale * field * slope_x) * p
            by_y = (share * (cross * a - field * slope_y) + scale * field * slope_y) * p
            row_x = by_b * g + by_a * f + by_w * curvature
            row_y = by_a * g - by_b * f
            row_d = 2.0 * loss * p - by_x * slope_x - by_y * slope_y
            for c in range(8):
                dx, dpx, dy, dpy, dd = matrix[c], matrix[8 + c], matrix[16 + c], matrix[24 + c], matrix[32 + c]
                after = dd - (row_x * dx + by_x * dpx + row_y * dy + by_y * dpy + row_d * dd)
                matrix[8 + c] = keep * (dpx - slope_x * dd) + slope_x * after
                matrix[24 + c] = keep * (dpy - slope_y * dd) + slope_y * after
                matrix[8 + c] -= focus * dx - skew * dy - bend * dd
                matrix[24 + c] += skew * dx + gradient * dy
                matrix[32 + c] = after
                matrix[40 + c] += bend * dx
        point[1] *= keep
        point[3] *= keep
        point[4] = delta - loss
    elif linear:
        for c in range(8):
            dx, dy = matrix[c], matrix[16 + c]
            matrix[8 + c] -= focus * dx - skew * dy - bend * matrix[32 + c]
            matrix[24 + c] += skew * dx + gradient * dy
            matrix[40 + c] += bend * dx
    point[1] -= force
    point[3] += length * a
    point[5] += bend * x
    return strength


@compiled
def edge(horizontal: float, curvature: float, angle: float, psi: float, point: Floats, linear: bool, matrix: Floats) \
        -> None:  # fmt: skip
    """A bend's edge: px += `horizontal` x, py -= `curvature` tan(`angle` - `psi` / (1 + delta)) y."""
    p = 1.0 / (1.0 + point[4])
    tangent = math.tan(angle - psi * p)
    vertical = curvature * tangent
    slope = curvature * (1.0 + tangent * tangent) * psi * p * p * point[2]
    point[1] += horizontal * point[0]
    point[3] -= vertical * point[2]
    if linear:
        for c in range(8):
            matrix[8 + c] += horizontal * matrix[c]
            matrix[24 + c] -= vertical * matrix[16 + c] + slope * matrix[32 + c]


@compiled
def steer(length: float, kick_x: float, kick_y: float, point: Floats, linear: bool, matrix: Floats) -> None:
    """A steerer [rad] whose field is spread over `length` [m]."""
    p = 1.0 / (1.0 + point[4])
    reach = length * p
    mean_x, mean_y = point[1] + 0.5 * kick_x, point[3] + 0.5 * kick_y
    squares = mean_x * mean_x + mean_y * mean_y + (kick_x * kick_x + kick_y * kick_y) / 12.0
    point[0] += reach * mean_x
    point[2] += reach * mean_y
    point[5] += 0.5 * reach * p * squares
    if linear:
        for c in range(8):
            dpx, dpy, dd = matrix[8 + c], matrix[24 + c], matrix[32 + c]
            matrix[c] += reach * (dpx - p * mean_x * dd)
            matrix[16 + c] += reach * (dpy - p * mean_y * dd)
            matrix[40 + c] += reach * p * (mean_x * dpx + mean_y * dpy - p * squares * dd)
    point[1] += kick_x
    point[3] += kick_y


@compiled
def accelerate(voltage: float, wave: float, lag: float, point: Floats, linear: bool, matrix: Floats) -> None:
    """A cavity's kick: delta -= `voltage` sin(`wave` ct - `lag`); voltage over energy, 1/m, rad."""
    angle = wave * point[5] - lag
    point[4] -= voltage * math.sin(angle)
    if linear:
        slope = voltage * wave * math.cos(angle)
        for c in range(8):
            matrix[32 + c] -= slope * matrix[40 + c]


@compiled
def change_frame(frame: Floats, point: Floats, linear: bool, matrix: Floats, work: Floats) -> None:
    """Into another frame (`misalignment.write_frame`); `work` has 48 numbers."""
    x, px, y, py, delta = point[0], point[1], point[2], point[3], point[4]
    for row in range(5):
        i = 6 * row
        value = frame[i] * x + frame[i + 1] * px + frame[i + 2] * y + frame[i + 3] * py
        value += frame[i + 4] * delta + frame[i + 5]
        if row < 4:
            point[row] = value
        else:
            point[5] += value
    if linear:
        work[:] = matrix
        for row in range(5):
            i, at = 6 * row, 8 * row if row < 4 else 40
            for c in range(8):
                value = frame[i] * work[c] + frame[i + 1] * work[8 + c] + frame[i + 2] * work[16 + c]
                value += frame[i + 3] * work[24 + c] + frame[i + 4] * work[32 + c]
                matrix[at + c] = value if row < 4 else work[40 + c] + value


@compiled
def add_diffusion(amount: float, slope_x: float, slope_y: float, matrix: Floats, diffusion: Floats) -> None:
    """Add a kick's quantum excitation, carried back to the turn's start, to `diffusion` (6, 6).

    Ohmi's matrix of a kick is amount v v^t with v = (0, slope_x, 0, slope_y, 1, 0); it goes back by the symplectic
    inverse, exact up to the damping of a turn.
    """
    back = diffusion[6]
    for plane in range(3):
        i = 2 * plane
        # S^t M^t S v of the pairs (x, px), (y, py), (delta, ct)
        back[i] = matrix[i + 1 + 40] - slope_x * matrix[i + 1] - slope_y * matrix[i + 1 + 16]
        back[i + 1] = slope_x * matrix[i] + slope_y * matrix[i + 16] - matrix[i + 40]
    for row in range(6):
        for column in range(6):
            diffusion[row, column] += amount * back[row] * back[column]
