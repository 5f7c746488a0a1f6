"""Radiation of a turn along a closed orbit, its dependence on the coordinates, and what it excites.

Every thick magnet counts with the field on the orbit, quadrupoles and sextupoles off their axes too. In a magnet,
orbit, dispersion and beta follow the linear motion about the orbit at its entrance, in closed form, to Gauss-Legendre
points: 8 in bends, 2 elsewhere. With p = 1 / (1 + delta), x' = p px and px' = -(b + h^2 x - h delta),

    d(eta) = p eta_p ds,   d(eta_p) = (p (h + b + h^2 x) - (g + h^2) eta + f eta_y) ds

where b + i a is the field over B rho and g + i f its derivative, and eta_p is d(px)/d(delta) less p px: a photon takes
px with it, so that this is what its emission leaves. Turned pole faces change the way in the field by -tan(e) x.
"""

import math

from gnomon.propagator.affine import A1, B1, DX, DY, dipole_terms
from gnomon.propagator.compiled import Floats, Integers, compiled, kernel
from gnomon.propagator.six.steps import field

#: Columns of a magnet's row: length, curvature, horizontal strengths of the edges, angle and psi of the entrance.
LENGTH, CURVATURE, INLET, OUTLET, ANGLE, PSI = range(6)
SHAPE = 6

#: Sums over a turn: of |B|^2 and |B|^3 along the path [1/m, 1/m^2]; of the derivatives of |B|^2 times the path by x and
#: by y, times the dispersion [1/m]; of |B|^3 H [1/m]; of h eta [m]. All fields are over the design's B rho.
SQUARE, CUBE, BY_X, BY_Y, HEAT, SLIP = range(6)
SUMS = 6

#: Up to this k s^2 the series of `motion` have all digits that count.
NEAR = 1.0


@compiled
def motion(k: float, s: float) -> tuple[float, float]:
    """Sine-like function [m] and (1 - cosine-like) / k [m^2] of x'' = -k x after `s` [m]."""
    z = k * s * s
    if abs(z) < NEAR:
        sine = 1.0 - z / 42.0 * (1.0 - z / 72.0 * (1.0 - z / 110.0 * (1.0 - z / 156.0)))
        sine = s * (1.0 - z / 6.0 * (1.0 - z / 20.0 * sine))
        lift = 1.0 - z / 56.0 * (1.0 - z / 90.0 * (1.0 - z / 132.0 * (1.0 - z / 182.0)))
        return sine, 0.5 * s * s * (1.0 - z / 12.0 * (1.0 - z / 30.0 * lift))
    root = math.sqrt(abs(k))
    if k > 0.0:
        return math.sin(root * s) / root, (1.0 - math.cos(root * s)) / k
    return math.sinh(root * s) / root, (1.0 - math.cosh(root * s)) / k


@compiled
def invariant(eta: float, eta_p: float, beta: float, alpha: float) -> float:
    """H [m], which a photon adds to twice the action: (eta^2 + (beta eta_p + alpha eta)^2) / beta."""
    mixed = beta * eta_p + alpha * eta
    return (eta * eta + mixed * mixed) / beta


@kernel
def lose(
    shapes: Floats, parameters: Floats, order: Integers, points: Floats, weights: Floats, delta: float,
    orbit: Floats, dispersion: Floats, beta_x: Floats, alpha_x: Floats, sums: Floats,
) -> None:  # fmt: skip
    """Write the `sums` of magnets of `shapes` (m, SHAPE) and `parameters` (m, 13).

    `orbit` and `dispersion` (m, 4), `beta_x` and `alpha_x` (m,) are those at the entrances. Magnet i has `order[i]`
    Gauss-Legendre `points` on 0 to 1 and their `weights`, row `order[i]` of both.
    """
    p = 1.0 / (1.0 + delta)
    fields = parameters[0, 0:8].copy()
    sums[:] = 0.0
    for i in range(shapes.shape[0]):
        length, h, row = shapes[i, LENGTH], shapes[i, CURVATURE], parameters[i]
        for k in range(4):
            fields[k], fields[4 + k] = row[B1 + k], row[A1 + k]
        fields[0], fields[4] = dipole_terms(length, row)
        x, y = orbit[i, 0] - row[DX], orbit[i, 2] - row[DY]
        px, py = orbit[i, 1], orbit[i, 3]
        eta, eta_y = dispersion[i, 0], dispersion[i, 2]
        eta_p, eta_q = dispersion[i, 1] - p * px, dispersion[i, 3] - p * py
        beta, alpha = beta_x[i], alpha_x[i]
        if h != 0.0:
            inlet, vertical = shapes[i, INLET], h * math.tan(shapes[i, ANGLE] - p * shapes[i, PSI])
            strength = -h * inlet
            sums[SQUARE] += strength * x
            sums[BY_X] += strength * eta
            sums[CUBE] += strength * abs(h) * x
            sums[HEAT] += strength * abs(h) * x * invariant(eta, eta_p, beta, alpha)
            px, py = px + inlet * x, py - vertical * y
            eta_p, eta_q = eta_p + inlet * (eta - p * x), eta_q - vertical * (eta_y - p * y)
            alpha -= inlet * beta
        b, a, g, f = field(fields, True, x, y)
        stiff = g + h * h
        gamma = (1.0 + alpha * alpha) / beta
        slope_x, force_x = p * px, -p * (b + h * (h * x - delta))
        slope_y, force_y = p * py, p * a
        slope_e, force_e = p * eta_p, p * (p * (h + b + h * h * x) - stiff * eta + f * eta_y)
        slope_q, force_q = p * eta_q, p * (g * eta_y + f * eta - p * a)
        at_x, at_eta, heat, cubed = x, eta, 0.0, 0.0
        n = order[i]
        for number in range(n + 1):
            s = length * points[n, number] if number < n else length
            if number == n and h == 0.0:
                break
            sine, lift = motion(p * stiff, s)
            cosine = 1.0 - p * stiff * lift
            at_x, at_eta = x + sine * slope_x + lift * force_x, eta + sine * slope_e + lift * force_e
            at_eta_p = (cosine * slope_e + sine * force_e) / p
            reach = p * sine
            at_beta = cosine * (cosine * beta - 2.0 * reach * alpha) + reach * reach * gamma
            at_alpha = stiff * sine * (cosine * beta - reach * alpha) + cosine * (cosine * alpha - reach * gamma)
            heat = invariant(at_eta, at_eta_p, at_beta, at_alpha)
            if number == n:
                break
            sine, lift = motion(-p * g, s)
            at_y, at_eta_y = y + sine * slope_y + lift * force_y, eta_y + sine * slope_q + lift * force_q
            b, a, now_g, now_f = field(fields, True, at_x, at_y)
            by, wide, weight = h + b, 1.0 + h * at_x, length * weights[n, number]
            square = by * by + a * a
            cubed = weight * wide * square * math.sqrt(square)
            sums[SQUARE] += weight * wide * square
            sums[CUBE] += cubed
            sums[BY_X] += weight * at_eta * (2.0 * wide * (by * now_g + a * now_f) + h * square)
            sums[BY_Y] += weight * at_eta_y * 2.0 * wide * (a * now_g - by * now_f)
            sums[HEAT] += cubed * heat
            sums[SLIP] += weight * h * at_eta
        if h != 0.0:
            strength = -h * shapes[i, OUTLET]
            sums[SQUARE] += strength * at_x
            sums[BY_X] += strength * at_eta
            sums[CUBE] += strength * abs(h) * at_x
            sums[HEAT] += strength * abs(h) * at_x * heat
