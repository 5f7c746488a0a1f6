"""Radiation in a turn along a closed orbit: loss, its dependence on the coordinates, and quantum excitation.

Every thick magnet counts with the field on the orbit, so quadrupoles and sextupoles count when the orbit is off axis.
In a bend, orbit, dispersion and beta at Gauss-Legendre points follow from the linear motion about the orbit at its
entrance, in closed form. In a straight magnet they are known at both ends, and in the middle from cubics, for Simpson's
rule. With p = 1 / (1 + delta), x' = p px and px' = -(b + h^2 x - h delta),

    d(eta) = p eta_p ds,   d(eta_p) = (p (h + b + h^2 x) - (g + h^2) eta + f eta_y) ds

where b + i a is the field over B rho and g + i f its derivative. eta_p is d(px)/d(delta) less p px, the term that a
photon carries away. Rotated pole faces change the path in the field by -tan(e) x.
"""

import math

import numpy as np

from gnomon.propagator.compiled import Floats, Integers, compiled, kernel
from gnomon.propagator.live.affine_maps import A1, B1, DX, DY, PX, PY, X, Y, dipole_terms
from gnomon.propagator.six import six_elements as six
from gnomon.propagator.six.six_elements import field

#: Columns of a magnet's row: length, curvature, horizontal strengths of the edges, angle and psi of the entrance.
LENGTH, CURVATURE, INLET, OUTLET, ANGLE, PSI = range(6)
SHAPE = 6

#: Sums over a turn: of |B|^2 and |B|^3 along the path [1/m, 1/m^2]; of d(|B|^2 path)/dx and d(|B|^2 path)/dy, times the
#: dispersion [1/m]; of |B|^3 H [1/m]; of h eta [m]. All fields are over the design's B rho.
SQUARE, CUBE, BY_X, BY_Y, HEAT, SLIP = range(6)
SUMS = 6

#: Gauss-Legendre points in a bend, for a relative error of 1e-7: FEW if k times length^2 is below `WEAK`, else MANY.
FEW, MANY, WEAK = 3, 5, 0.03

#: Maximum k s^2 for which the series of `motion` have full precision.
NEAR = 1.0


@compiled
def motion(k: float, s: float) -> tuple[float, float]:
    """Return the sine-like function [m] and (1 - cosine-like) / k [m^2] of x'' = -k x after `s` [m]."""
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
    """Return H [m], by which a photon increases twice the action: (eta^2 + (beta eta_p + alpha eta)^2) / beta."""
    mixed = beta * eta_p + alpha * eta
    return (eta * eta + mixed * mixed) / beta


@compiled
def write_fields(row: Floats, length: float, fields: Floats) -> None:
    """Write b1 to b4 and a1 to a4 of a parameter row, with the coils' kicks."""
    for k in range(B1 - A1):
        fields[six.B1 + k], fields[six.A1 + k] = row[B1 + k], row[A1 + k]
    fields[six.B1], fields[six.A1] = dipole_terms(length, row)


@compiled
def middle(first: float, last: float, slope: float, last_slope: float, length: float) -> float:
    """Return the value in the middle of a cubic, given values and slopes at its ends."""
    return 0.5 * (first + last) + 0.125 * length * (slope - last_slope)


@compiled
def lose_straight(
    row: Floats, length: float, p: float, fields: Floats, orbit: Floats, after: Floats, eta: Floats, eta_after: Floats,
    beta: float, beta_after: float, alpha: float, alpha_after: float, sums: Floats,
) -> None:  # fmt: skip
    """Add a straight magnet's radiation to the sums; orbit (4), dispersion (4), beta, alpha in x are at both ends."""
    write_fields(row, length, fields)
    empty = True
    for k in range(fields.size):
        empty = empty and fields[k] == 0.0
    if empty:
        return
    high = fields[six.B3] != 0.0 or fields[six.B4] != 0.0 or fields[six.A3] != 0.0 or fields[six.A4] != 0.0
    p_0, p_1 = p * orbit[PX], p * after[PX]
    q_0, q_1 = p * orbit[PY], p * after[PY]
    e_0, e_1 = p * (eta[PX] - p_0), p * (eta_after[PX] - p_1)
    f_0, f_1 = p * (eta[PY] - q_0), p * (eta_after[PY] - q_1)
    for place in range(3):
        weight = length / 6.0
        if place == 0:
            x, y, at_x, at_y, slope, b_x, a_x = orbit[X], orbit[Y], eta[X], eta[Y], e_0, beta, alpha
        elif place == 2:
            x, y, at_x, at_y, slope = after[X], after[Y], eta_after[X], eta_after[Y], e_1
            b_x, a_x = beta_after, alpha_after
        else:
            weight *= 4.0
            x, y = middle(orbit[X], after[X], p_0, p_1, length), middle(orbit[Y], after[Y], q_0, q_1, length)
            at_x = middle(eta[X], eta_after[X], e_0, e_1, length)
            at_y = middle(eta[Y], eta_after[Y], f_0, f_1, length)
            slope = 1.5 * (eta_after[X] - eta[X]) / length - 0.25 * (e_0 + e_1)
            b_x = middle(beta, beta_after, -2.0 * p * alpha, -2.0 * p * alpha_after, length)
            a_x = -0.75 * (beta_after - beta) / (p * length) - 0.25 * (alpha + alpha_after)
        b, a, g, f = field(fields, high, x - row[DX], y - row[DY])
        square = b * b + a * a
        cubed = weight * square * math.sqrt(square)
        sums[SQUARE] += weight * square
        sums[CUBE] += cubed
        sums[BY_X] += weight * at_x * 2.0 * (b * g + a * f)
        sums[BY_Y] += weight * at_y * 2.0 * (a * g - b * f)
        sums[HEAT] += cubed * invariant(at_x, slope / p, b_x, a_x)


@compiled
def lose_bend(
    shape: Floats, row: Floats, p: float, points: Floats, weights: Floats, fields: Floats, orbit: Floats,
    dispersion: Floats, beta: float, alpha: float, sums: Floats,
) -> None:  # fmt: skip
    """Add a bend's radiation to the sums; orbit (4), dispersion (4), beta and alpha in x are at its entrance."""
    length, h, delta = shape[LENGTH], shape[CURVATURE], 1.0 / p - 1.0
    write_fields(row, length, fields)
    x, y = orbit[X] - row[DX], orbit[Y] - row[DY]
    px, py = orbit[PX], orbit[PY]
    eta, eta_y = dispersion[X], dispersion[Y]
    eta_p, eta_q = dispersion[PX] - p * px, dispersion[PY] - p * py
    inlet, vertical = shape[INLET], h * math.tan(shape[ANGLE] - p * shape[PSI])
    lose_at_edge(-h * inlet, h, x, eta, invariant(eta, eta_p, beta, alpha), sums)
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
    n = FEW if max(abs(stiff), abs(g)) * length * length < WEAK else MANY
    for number in range(n + 1):
        inside = number < n
        s = length * points[n, number] if inside else length
        sine, lift = motion(p * stiff, s)
        cosine, reach = 1.0 - p * stiff * lift, p * sine
        at_x, at_eta = x + sine * slope_x + lift * force_x, eta + sine * slope_e + lift * force_e
        at_beta = cosine * (cosine * beta - 2.0 * reach * alpha) + reach * reach * gamma
        at_alpha = stiff * sine * (cosine * beta - reach * alpha) + cosine * (cosine * alpha - reach * gamma)
        heat = invariant(at_eta, (cosine * slope_e + sine * force_e) / p, at_beta, at_alpha)
        if not inside:
            lose_at_edge(-h * shape[OUTLET], h, at_x, at_eta, heat, sums)
            continue
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


@compiled
def lose_at_edge(strength: float, h: float, x: float, eta: float, heat: float, sums: Floats) -> None:
    """Add the effect of a rotated pole face to the sums; `strength` is -h^2 tan(e)."""
    sums[SQUARE] += strength * x
    sums[BY_X] += strength * eta
    sums[CUBE] += strength * abs(h) * x
    sums[HEAT] += strength * abs(h) * x * heat


@kernel
def lose(
    which: Integers, shapes: Floats, parameters: Floats, points: Floats, weights: Floats, delta: float, orbit: Floats,
    dispersion: Floats, beta: Floats, alpha: Floats, sums: Floats,
) -> None:  # fmt: skip
    """Write the `sums` of the elements `which` (m,) of `shapes` (m, SHAPE) and `parameters` (m, 13).

    `orbit` and `dispersion` (n+1, 4), `beta` and `alpha` (n+1,) in x are those at all entrances and the end. Row c of
    `points` and `weights` is the Gauss-Legendre rule with c points on 0 to 1.
    """
    p, fields = 1.0 / (1.0 + delta), np.empty(six.FIELD_COUNT)
    sums[:] = 0.0
    for k in range(which.size):
        i = which[k]
        if shapes[k, CURVATURE] != 0.0:
            lose_bend(
                shapes[k], parameters[k], p, points, weights, fields, orbit[i], dispersion[i], beta[i], alpha[i], sums
            )
        else:
            lose_straight(
                parameters[k], shapes[k, LENGTH], p, fields, orbit[i], orbit[i + 1], dispersion[i], dispersion[i + 1],
                beta[i], beta[i + 1], alpha[i], alpha[i + 1], sums,
            )  # fmt: skip
