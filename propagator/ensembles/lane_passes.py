"""Passes of elements over a block of particles (`lanes`). Generated from `propagator.physics`: do not edit.

`python -m gnomon.propagator.codegen` writes this file. A number named c is the same for all particles, v for a slice.
"""

import math

from gnomon.propagator.compiled import Floats, compiled
from gnomon.propagator.ensembles.lanes import CT, DELTA, LANES, PX, PY, WEIGHT, Y
from gnomon.propagator.live.affine_maps import DRIFT_INNER, DRIFT_OUTER, KICK_INNER, KICK_OUTER


@compiled
def drift(length: float, s: Floats) -> None:
    """Drift by a length [m]."""
    c_1 = 0.5 * length
    for i in range(LANES):
        x = s[i]
        w = s[WEIGHT + i]
        t_1 = length * w
        px = s[PX + i]
        s[i] = x + t_1 * px
        y = s[Y + i]
        py = s[PY + i]
        s[Y + i] = y + t_1 * py
        ct = s[CT + i]
        s[CT + i] = ct + c_1 * (w * w * (px * px + py * py))


@compiled
def quadrupole(length: float, slices: int, b2: float, s: Floats) -> None:
    """Pass a quadrupole: only b2 [1/m^2]."""
    c_1 = length / slices
    c_2 = DRIFT_OUTER * c_1
    c_3 = DRIFT_INNER * c_1
    c_4 = KICK_OUTER * c_1 * b2
    c_5 = KICK_INNER * c_1 * b2
    c_6 = 0.5 * c_3
    drift(c_2, s)
    for number in range(slices):
        ahead = 2.0 * c_2 if number < slices - 1 else c_2
        v_1 = 0.5 * ahead
        for i in range(LANES):
            x = s[i]
            w = s[WEIGHT + i]
            t_1 = c_3 * w
            px = s[PX + i]
            px_1 = px - c_4 * x
            x_1 = x + t_1 * px_1
            px_2 = px_1 - c_5 * x_1
            x_2 = x_1 + t_1 * px_2
            t_2 = ahead * w
            px_3 = px_2 - c_4 * x_2
            s[i] = x_2 + t_2 * px_3
            s[PX + i] = px_3
            y = s[Y + i]
            py = s[PY + i]
            py_1 = py + c_4 * y
            y_1 = y + t_1 * py_1
            t_3 = px_1 * px_1 + py_1 * py_1
            t_4 = t_3 + px_2 * px_2
            py_2 = py_1 + c_5 * y_1
            y_2 = y_1 + t_1 * py_2
            py_3 = py_2 + c_4 * y_2
            s[Y + i] = y_2 + t_2 * py_3
            s[PY + i] = py_3
            ct = s[CT + i]
            s[CT + i] = ct + w * w * (c_6 * (t_4 + py_2 * py_2) + v_1 * (px_3 * px_3 + py_3 * py_3))


@compiled
def coupled(length: float, slices: int, b2: float, a2: float, s: Floats) -> None:
    """Pass a quadrupole with a skew term: b2, a2 [1/m^2]."""
    c_1 = length / slices
    c_2 = DRIFT_OUTER * c_1
    c_3 = DRIFT_INNER * c_1
    c_4 = KICK_OUTER * c_1
    c_5 = c_4 * b2
    c_6 = c_4 * a2
    c_7 = KICK_INNER * c_1
    c_8 = c_7 * b2
    c_9 = c_7 * a2
    c_10 = 0.5 * c_3
    drift(c_2, s)
    for number in range(slices):
        ahead = 2.0 * c_2 if number < slices - 1 else c_2
        v_1 = 0.5 * ahead
        for i in range(LANES):
            x = s[i]
            w = s[WEIGHT + i]
            t_1 = c_3 * w
            px = s[PX + i]
            px_1 = px - c_5 * x
            y = s[Y + i]
            px_2 = px_1 + c_6 * y
            x_1 = x + t_1 * px_2
            px_3 = px_2 - c_8 * x_1
            py = s[PY + i]
            py_1 = py + c_5 * y
            py_2 = py_1 + c_6 * x
            y_1 = y + t_1 * py_2
            px_4 = px_3 + c_9 * y_1
            t_3 = px_2 * px_2 + py_2 * py_2
            py_3 = py_2 + c_8 * y_1
            py_4 = py_3 + c_9 * x_1
            x_2 = x_1 + t_1 * px_4
            y_2 = y_1 + t_1 * py_4
            t_4 = t_3 + px_4 * px_4
            px_5 = px_4 - c_5 * x_2
            px_6 = px_5 + c_6 * y_2
            s[PX + i] = px_6
            t_2 = ahead * w
            s[i] = x_2 + t_2 * px_6
            py_5 = py_4 + c_5 * y_2
            py_6 = py_5 + c_6 * x_2
            s[Y + i] = y_2 + t_2 * py_6
            s[PY + i] = py_6
            ct = s[CT + i]
            s[CT + i] = ct + w * w * (c_10 * (t_4 + py_4 * py_4) + v_1 * (px_6 * px_6 + py_6 * py_6))


@compiled
def sextupole(length: float, slices: int, b1: float, a1: float, b3: float, s: Floats) -> None:
    """Pass a sextupole: b3 [1/m^3], and dipole terms [1/m] that are not far above it."""
    c_1 = length / slices
    c_2 = DRIFT_OUTER * c_1
    c_3 = DRIFT_INNER * c_1
    c_4 = KICK_OUTER * c_1 * b3
    c_5 = b1 / b3
    c_6 = KICK_INNER * c_1 * b3
    c_7 = 2.0 * c_4
    c_8 = 0.5 * (a1 / b3)
    c_9 = 2.0 * c_6
    c_10 = 0.5 * c_3
    drift(c_2, s)
    for number in range(slices):
        ahead = 2.0 * c_2 if number < slices - 1 else c_2
        v_1 = 0.5 * ahead
        for i in range(LANES):
            x = s[i]
            w = s[WEIGHT + i]
            t_1 = c_3 * w
            px = s[PX + i]
            t_2 = c_5 + x * x
            y = s[Y + i]
            px_1 = px - c_4 * (t_2 - y * y)
            x_1 = x + t_1 * px_1
            t_3 = c_5 + x_1 * x_1
            py = s[PY + i]
            py_1 = py + c_7 * (c_8 + x * y)
            y_1 = y + t_1 * py_1
            px_2 = px_1 - c_6 * (t_3 - y_1 * y_1)
            t_6 = px_1 * px_1 + py_1 * py_1
            py_2 = py_1 + c_9 * (c_8 + x_1 * y_1)
            x_2 = x_1 + t_1 * px_2
            y_2 = y_1 + t_1 * py_2
            t_7 = t_6 + px_2 * px_2
            t_4 = ahead * w
            t_5 = c_5 + x_2 * x_2
            px_3 = px_2 - c_4 * (t_5 - y_2 * y_2)
            s[i] = x_2 + t_4 * px_3
            py_3 = py_2 + c_7 * (c_8 + x_2 * y_2)
            s[Y + i] = y_2 + t_4 * py_3
            s[PX + i] = px_3
            s[PY + i] = py_3
            ct = s[CT + i]
            s[CT + i] = ct + w * w * (c_10 * (t_7 + py_2 * py_2) + v_1 * (px_3 * px_3 + py_3 * py_3))


@compiled
def linear(length: float, slices: int, b1: float, a1: float, b2: float, a2: float, curvature: float, s: Floats) -> None:
    """Pass a straight or bent magnet with dipole [1/m] and quadrupole terms [1/m^2]."""
    c_1 = length / slices
    c_2 = DRIFT_OUTER * c_1
    c_3 = DRIFT_INNER * c_1
    c_4 = KICK_OUTER * c_1
    c_5 = c_4 * b2
    c_6 = curvature * curvature
    c_7 = c_5 + c_4 * c_6
    c_8 = c_4 * a2
    c_9 = c_4 * curvature
    c_10 = c_4 * b1
    c_11 = KICK_INNER * c_1
    c_12 = c_11 * b2
    c_13 = c_12 + c_11 * c_6
    c_14 = c_11 * a2
    c_15 = c_4 * a1
    c_16 = c_11 * curvature
    c_17 = c_11 * b1
    c_18 = c_11 * a1
    c_19 = 0.5 * c_3
    drift(c_2, s)
    for number in range(slices):
        ahead = 2.0 * c_2 if number < slices - 1 else c_2
        v_1 = 0.5 * ahead
        for i in range(LANES):
            x = s[i]
            w = s[WEIGHT + i]
            t_1 = c_3 * w
            px = s[PX + i]
            px_1 = px - c_7 * x
            y = s[Y + i]
            px_2 = px_1 + c_8 * y
            delta = s[DELTA + i]
            t_2 = c_9 * delta - c_10
            px_3 = px_2 + t_2
            t_3 = c_16 * delta - c_17
            x_1 = x + t_1 * px_3
            px_4 = px_3 - c_13 * x_1
            py = s[PY + i]
            py_1 = py + c_5 * y
            py_2 = py_1 + c_8 * x
            py_3 = py_2 + c_15
            y_1 = y + t_1 * py_3
            px_5 = px_4 + c_14 * y_1
            px_6 = px_5 + t_3
            t_5 = px_3 * px_3 + py_3 * py_3
            py_4 = py_3 + c_12 * y_1
            py_5 = py_4 + c_14 * x_1
            py_6 = py_5 + c_18
            y_2 = y_1 + t_1 * py_6
            x_2 = x_1 + t_1 * px_6
            t_6 = t_5 + px_6 * px_6
            px_7 = px_6 - c_7 * x_2
            px_8 = px_7 + c_8 * y_2
            px_9 = px_8 + t_2
            s[PX + i] = px_9
            t_4 = ahead * w
            s[i] = x_2 + t_4 * px_9
            py_7 = py_6 + c_5 * y_2
            py_8 = py_7 + c_8 * x_2
            py_9 = py_8 + c_15
            s[Y + i] = y_2 + t_4 * py_9
            s[PY + i] = py_9
            ct = s[CT + i]
            ct_1 = ct + c_9 * (x + x_2)
            ct_2 = ct_1 + c_16 * x_1
            s[CT + i] = ct_2 + w * w * (c_19 * (t_6 + py_6 * py_6) + v_1 * (px_9 * px_9 + py_9 * py_9))


@compiled
def general(length: float, slices: int, curvature: float, f: Floats, s: Floats) -> None:
    """Pass a straight or bent magnet with any terms `f`: b1 to b4 and a1 to a4."""
    c_1 = length / slices
    c_2 = DRIFT_OUTER * c_1
    c_3 = DRIFT_INNER * c_1
    c_4 = KICK_OUTER * c_1
    b1 = f[0]
    b2 = f[1]
    b3 = f[2]
    b4 = f[3]
    a4 = f[7]
    a3 = f[6]
    a2 = f[5]
    c_5 = curvature * curvature
    a1 = f[4]
    c_6 = c_4 * curvature
    c_7 = 0.5 * c_3
    c_8 = KICK_INNER * c_1
    c_9 = c_8 * curvature
    drift(c_2, s)
    for number in range(slices):
        ahead = 2.0 * c_2 if number < slices - 1 else c_2
        v_1 = 0.5 * ahead
        for i in range(LANES):
            x = s[i]
            w = s[WEIGHT + i]
            t_1 = c_3 * w
            t_2 = w * w
            px = s[PX + i]
            delta = s[DELTA + i]
            b1_1 = b1 - curvature * delta
            b3_1 = b3 + b4 * x
            y = s[Y + i]
            b3_2 = b3_1 - a4 * y
            b2_1 = b2 + b3_2 * x
            a2_1 = a2 + b3_2 * y
            a3_1 = a3 + b4 * y
            a3_2 = a3_1 + a4 * x
            b2_2 = b2_1 - a3_2 * y
            a2_2 = a2_1 + a3_2 * x
            b1_2 = b1_1 + b2_2 * x
            b1_3 = b1_2 - a2_2 * y
            px_1 = px - c_4 * (b1_3 + c_5 * x)
            a1_1 = a1 + b2_2 * y
            s[i] = x + t_1 * px_1
            s[PX + i] = px_1
            py = s[PY + i]
            py_1 = py + c_4 * (a1_1 + a2_2 * x)
            s[Y + i] = y + t_1 * py_1
            s[PY + i] = py_1
            ct = s[CT + i]
            ct_1 = ct + c_6 * x
            s[CT + i] = ct_1 + c_7 * (t_2 * (px_1 * px_1 + py_1 * py_1))
        for i in range(LANES):
            x = s[i]
            w = s[WEIGHT + i]
            t_1 = c_3 * w
            t_2 = w * w
            px = s[PX + i]
            delta = s[DELTA + i]
            b1_1 = b1 - curvature * delta
            b3_3 = b3 + b4 * x
            y = s[Y + i]
            b3_4 = b3_3 - a4 * y
            b2_3 = b2 + b3_4 * x
            a2_3 = a2 + b3_4 * y
            a3_3 = a3 + b4 * y
            a3_4 = a3_3 + a4 * x
            b2_4 = b2_3 - a3_4 * y
            a2_4 = a2_3 + a3_4 * x
            b1_4 = b1_1 + b2_4 * x
            b1_5 = b1_4 - a2_4 * y
            px_2 = px - c_8 * (b1_5 + c_5 * x)
            a1_2 = a1 + b2_4 * y
            s[i] = x + t_1 * px_2
            s[PX + i] = px_2
            py = s[PY + i]
            py_2 = py + c_8 * (a1_2 + a2_4 * x)
            s[Y + i] = y + t_1 * py_2
            s[PY + i] = py_2
            ct = s[CT + i]
            ct_2 = ct + c_9 * x
            s[CT + i] = ct_2 + c_7 * (t_2 * (px_2 * px_2 + py_2 * py_2))
        for i in range(LANES):
            x = s[i]
            w = s[WEIGHT + i]
            t_3 = ahead * w
            t_2 = w * w
            px = s[PX + i]
            delta = s[DELTA + i]
            b1_1 = b1 - curvature * delta
            b3_5 = b3 + b4 * x
            y = s[Y + i]
            b3_6 = b3_5 - a4 * y
            b2_5 = b2 + b3_6 * x
            a2_5 = a2 + b3_6 * y
            a3_5 = a3 + b4 * y
            a3_6 = a3_5 + a4 * x
            b2_6 = b2_5 - a3_6 * y
            a2_6 = a2_5 + a3_6 * x
            b1_6 = b1_1 + b2_6 * x
            b1_7 = b1_6 - a2_6 * y
            px_3 = px - c_4 * (b1_7 + c_5 * x)
            a1_3 = a1 + b2_6 * y
            s[i] = x + t_3 * px_3
            s[PX + i] = px_3
            py = s[PY + i]
            py_3 = py + c_4 * (a1_3 + a2_6 * x)
            s[Y + i] = y + t_3 * py_3
            s[PY + i] = py_3
            ct = s[CT + i]
            ct_3 = ct + c_6 * x
            s[CT + i] = ct_3 + v_1 * (t_2 * (px_3 * px_3 + py_3 * py_3))


@compiled
def thin(f: Floats, s: Floats) -> None:
    """Pass a thin magnet; `f` are b1 to b4 and a1 to a4, integrated."""
    b2 = f[1]
    b3 = f[2]
    b4 = f[3]
    a4 = f[7]
    a3 = f[6]
    a2 = f[5]
    b1 = f[0]
    a1 = f[4]
    for i in range(LANES):
        px = s[PX + i]
        x = s[i]
        b3_1 = b3 + b4 * x
        y = s[Y + i]
        b3_2 = b3_1 - a4 * y
        b2_1 = b2 + b3_2 * x
        a2_1 = a2 + b3_2 * y
        a3_1 = a3 + b4 * y
        a3_2 = a3_1 + a4 * x
        b2_2 = b2_1 - a3_2 * y
        a2_2 = a2_1 + a3_2 * x
        px_1 = px - b2_2 * x
        px_2 = px_1 + a2_2 * y
        s[PX + i] = px_2 - b1
        py = s[PY + i]
        py_1 = py + b2_2 * y
        py_2 = py_1 + a2_2 * x
        s[PY + i] = py_2 + a1


@compiled
def hard_edge(curvature: float, angle: float, s: Floats) -> None:
    """Pass a bend's edge without a gap."""
    c_1 = curvature * math.tan(angle)
    for i in range(LANES):
        px = s[PX + i]
        x = s[i]
        s[PX + i] = px + c_1 * x
        py = s[PY + i]
        y = s[Y + i]
        s[PY + i] = py - c_1 * y


@compiled
def soft_edge(curvature: float, angle: float, gap: float, fint: float, s: Floats) -> None:
    """Pass a bend's edge."""
    c_1 = curvature * math.tan(angle)
    c_2 = math.sin(angle)
    c_3 = curvature * gap * fint * (1.0 + c_2 * c_2) / math.cos(angle)
    for i in range(LANES):
        px = s[PX + i]
        x = s[i]
        s[PX + i] = px + c_1 * x
        py = s[PY + i]
        w = s[WEIGHT + i]
        y = s[Y + i]
        s[PY + i] = py - curvature * math.tan(angle - c_3 * w) * y


@compiled
def near_edge(curvature: float, angle: float, gap: float, fint: float, s: Floats) -> None:
    """Pass a bend's edge with a gap that turns it by a small angle."""
    c_1 = math.tan(angle)
    c_2 = curvature * c_1
    c_3 = math.sin(angle)
    c_4 = curvature * gap * fint * (1.0 + c_3 * c_3) / math.cos(angle)
    c_5 = c_4 * c_4
    c_6 = 0.3333333333333333 * c_5
    c_7 = c_5 * c_5
    c_8 = 0.13333333333333333 * c_7
    c_9 = c_7 * c_5
    c_10 = 0.05396825396825397 * c_9
    c_11 = 0.021869488536155203 * (c_9 * c_5)
    for i in range(LANES):
        px = s[PX + i]
        x = s[i]
        s[PX + i] = px + c_2 * x
        py = s[PY + i]
        w = s[WEIGHT + i]
        t_1 = w * w
        t_2 = c_4 * w * (1.0 + t_1 * (c_6 + t_1 * (c_8 + t_1 * (c_10 + c_11 * t_1))))
        y = s[Y + i]
        s[PY + i] = py - curvature * ((c_1 - t_2) / (1.0 + c_1 * t_2)) * y


@compiled
def corrector(length: float, kick_x: float, kick_y: float, s: Floats) -> None:
    """Pass a steerer [rad] whose field is spread over its length [m]."""
    c_1 = 0.5 * kick_x
    c_2 = 0.5 * kick_y
    c_3 = (kick_x * kick_x + kick_y * kick_y) / 3.0
    for i in range(LANES):
        x = s[i]
        w = s[WEIGHT + i]
        t_1 = length * w
        px = s[PX + i]
        s[i] = x + t_1 * (px + c_1)
        s[PX + i] = px + kick_x
        y = s[Y + i]
        py = s[PY + i]
        s[Y + i] = y + t_1 * (py + c_2)
        s[PY + i] = py + kick_y
        ct = s[CT + i]
        t_2 = c_3 + px * px
        t_3 = t_2 + py * py
        t_4 = t_3 + kick_x * px
        s[CT + i] = ct + 0.5 * (t_1 * w * (t_4 + kick_y * py))


@compiled
def accelerate(voltage: float, wave: float, late: float, s: Floats) -> None:
    """Apply a cavity's kick: voltage over the beam's energy, wave number [1/m] and delay [m] of its wave."""
    for i in range(LANES):
        delta = s[DELTA + i]
        ct = s[CT + i]
        delta_1 = delta - voltage * math.sin(wave * (ct - late))
        s[WEIGHT + i] = 1.0 / (1.0 + delta_1) if delta_1 > -1.0 else math.nan
        s[DELTA + i] = delta_1
