"""Elements that act on a block of particles at once, with vector instructions.

A block holds `LANES` particles as rows x, px, y, py, delta, ct, 1 / (1 + delta) of one flat array. Loops over the lanes
have constant length and constant offsets, so that they are vectorised; a whole slice is one loop, so that a particle
stays in registers for three kicks. Slices, edges and kicks are those of pyAT's
StrMPoleSymplectic4Pass, BndMPoleSymplectic4Pass (fringe method 1), ThinMPolePass, CorrectorPass and RFCavityPass.
"""

import math
from collections.abc import Callable

from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.compiled import Floats, compiled, embedded, inlined
from gnomon.propagator.live.affine_maps import (
    DRIFT_INNER,
    DRIFT_OUTER,
    KICK_INNER,
    KICK_OUTER,
    OF_PX,
    OF_PY,
    OF_X,
    OF_Y,
    edge_psi,
)
from gnomon.propagator.live.misalignment import (
    FRAME_CONSTANT,
    FRAME_PATH,
    FRAME_PX,
    FRAME_PY,
    FRAME_X,
    FRAME_Y,
    OF_DELTA,
)

#: Particles in a block, and the numbers of each.
LANES = 64
ROWS = 7

#: Start of each row.
PX, Y, PY, DELTA, CT, WEIGHT = (row * LANES for row in range(1, ROWS))

#: px and py after a kick, from its strengths and x, px, y, py of a particle.
Kick = Callable[[tuple[float, ...], float, float, float, float], tuple[float, float]]

#: Half angle of the soft-edge correction up to which a series gives its tangent to the last digit.
SMALL = 0.04


@compiled
def drift(length: float, s: Floats) -> None:
    """Drift by a length [m]."""
    for i in range(LANES):
        px = s[PX + i]
        py = s[PY + i]
        w = s[WEIGHT + i]
        step = length * w
        s[i] += step * px
        s[Y + i] += step * py
        s[CT + i] += 0.5 * step * w * (px * px + py * py)


def straight(kick: Kick) -> Callable[[float, int, tuple[float, ...], tuple[float, ...], Floats], None]:
    """Return the compiled pass through the slices of a straight magnet with an `embedded` kick."""

    @compiled
    def slices_of(step: float, slices: int, outer: tuple[float, ...], inner: tuple[float, ...], s: Floats) -> None:
        """Pass slices of `step` [m]; `outer` and `inner` are the strengths of the outer and inner kicks."""
        d = DRIFT_INNER * step
        drift(DRIFT_OUTER * step, s)
        for number in range(slices):
            last = (2.0 * DRIFT_OUTER if number < slices - 1 else DRIFT_OUTER) * step
            for i in range(LANES):
                x = s[i]
                px = s[PX + i]
                y = s[Y + i]
                py = s[PY + i]
                w = s[WEIGHT + i]
                dw = d * w
                lw = last * w
                px, py = kick(outer, x, px, y, py)
                x += dw * px
                y += dw * py
                squares = px * px + py * py
                px, py = kick(inner, x, px, y, py)
                x += dw * px
                y += dw * py
                squares = squares + px * px + py * py
                px, py = kick(outer, x, px, y, py)
                x += lw * px
                y += lw * py
                path = d * squares + last * (px * px + py * py)
                s[i] = x
                s[PX + i] = px
                s[Y + i] = y
                s[PY + i] = py
                s[CT + i] += 0.5 * w * w * path

    return slices_of


@embedded
def quadrupole_kick(k: tuple[float, ...], x: float, px: float, y: float, py: float) -> tuple[float, float]:
    """Kick by a normal quadrupole term."""
    return px - k[0] * x, py + k[0] * y


@embedded
def coupled_kick(k: tuple[float, ...], x: float, px: float, y: float, py: float) -> tuple[float, float]:
    """Kick by a normal and a skew quadrupole term."""
    return px - k[0] * x + k[1] * y, py + k[0] * y + k[1] * x


@embedded
def sextupole_kick(k: tuple[float, ...], x: float, px: float, y: float, py: float) -> tuple[float, float]:
    """Kick by a normal sextupole term, and by dipole terms that are given relative to it."""
    strength, square, product = k
    return px - strength * (square + x * x - y * y), py + 2.0 * strength * (product + x * y)


quadrupole_slices, coupled_slices, sextupole_slices = (
    straight(kick) for kick in (quadrupole_kick, coupled_kick, sextupole_kick)
)


@compiled
def quadrupole(length: float, slices: int, gradient: float, s: Floats) -> None:
    """Pass a straight magnet with only a normal quadrupole term [1/m^2]."""
    step = length / slices
    quadrupole_slices(step, slices, (KICK_OUTER * step * gradient,), (KICK_INNER * step * gradient,), s)


@compiled
def coupled(length: float, slices: int, gradient: float, skew: float, s: Floats) -> None:
    """Pass a straight magnet with only quadrupole terms [1/m^2], normal and skew."""
    step = length / slices
    outer, inner = KICK_OUTER * step, KICK_INNER * step
    coupled_slices(step, slices, (outer * gradient, outer * skew), (inner * gradient, inner * skew), s)


@compiled
def linear(
    length: float, slices: int, normal: float, skew: float, b2: float, a2: float, curvature: float, s: Floats
) -> None:
    """Pass a straight or bent magnet with dipole terms [1/m] and quadrupole terms [1/m^2].

    Its slices are not those of `straight`, because straight magnets would then compute a bend's path and dispersion.
    """
    step = length / slices
    d = DRIFT_INNER * step
    outer, inner = KICK_OUTER * step, KICK_INNER * step
    outer_x, inner_x = outer * (b2 + curvature * curvature), inner * (b2 + curvature * curvature)
    outer_y, inner_y = outer * b2, inner * b2
    outer_skew, inner_skew = outer * a2, inner * a2
    outer_up, inner_up = outer * skew, inner * skew
    outer_path, inner_path = outer * curvature, inner * curvature
    drift(DRIFT_OUTER * step, s)
    for number in range(slices):
        last = (2.0 * DRIFT_OUTER if number < slices - 1 else DRIFT_OUTER) * step
        for i in range(LANES):
            x = s[i]
            px = s[PX + i]
            y = s[Y + i]
            py = s[PY + i]
            w = s[WEIGHT + i]
            dw = d * w
            lw = last * w
            bend = normal - curvature * s[DELTA + i]
            outer_bend = outer * bend
            ends = x
            px = (px - outer_bend) - outer_x * x + outer_skew * y
            py = (py + outer_up) + outer_y * y + outer_skew * x
            x += dw * px
            y += dw * py
            squares = px * px + py * py
            across = inner_path * x
            px = px - inner * bend - inner_x * x + inner_skew * y
            py = (py + inner_up) + inner_y * y + inner_skew * x
            x += dw * px
            y += dw * py
            squares = squares + px * px + py * py
            ends += x
            px = (px - outer_bend) - outer_x * x + outer_skew * y
            py = (py + outer_up) + outer_y * y + outer_skew * x
            x += lw * px
            y += lw * py
            path = d * squares + last * (px * px + py * py)
            s[i] = x
            s[PX + i] = px
            s[Y + i] = y
            s[PY + i] = py
            s[CT + i] += 0.5 * w * w * path + across + outer_path * ends


@compiled
def sextupole(length: float, slices: int, normal: float, skew: float, b3: float, s: Floats) -> None:
    """Pass a straight magnet with a normal sextupole term [1/m^3], and dipole terms [1/m] not far above it."""
    step = length / slices
    square, product = normal / b3, 0.5 * skew / b3
    outer, inner = KICK_OUTER * step * b3, KICK_INNER * step * b3
    sextupole_slices(step, slices, (outer, square, product), (inner, square, product), s)


@compiled
def kick(length: float, curvature: float, f: Floats, s: Floats) -> None:
    """Apply a multipole kick; `f` are b1 to b4 and a1 to a4, the dipole terms including the coils' kicks."""
    b1, b2, b3, b4, a1, a2, a3, a4 = f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]
    for i in range(LANES):
        x = s[i]
        y = s[Y + i]
        b = b4 * x - a4 * y + b3
        a = b4 * y + a4 * x + a3
        real = b * x - a * y + b2
        a = b * y + a * x + a2
        b = real
        real = b * x - a * y + b1
        a = b * y + a * x + a1
        s[PX + i] -= length * (real - curvature * (s[DELTA + i] - curvature * x))
        s[PY + i] += length * a
        s[CT + i] += length * curvature * x


@compiled
def general(length: float, slices: int, curvature: float, f: Floats, s: Floats) -> None:
    """Pass a straight or bent magnet with any terms `f`, as in `kick`."""
    step = length / slices
    drift(DRIFT_OUTER * step, s)
    for number in range(slices):
        kick(KICK_OUTER * step, curvature, f, s)
        drift(DRIFT_INNER * step, s)
        kick(KICK_INNER * step, curvature, f, s)
        drift(DRIFT_INNER * step, s)
        kick(KICK_OUTER * step, curvature, f, s)
        drift((2.0 * DRIFT_OUTER if number < slices - 1 else DRIFT_OUTER) * step, s)


@compiled
def edge(curvature: float, angle: float, gap: float, fint: float, s: Floats) -> None:
    """Pass the edge of a bend: px += h tan(e) x, py -= h tan(e - psi / (1 + delta)) y.

    With t = tan(psi / (1 + delta)) the second tangent is (tan e - t) / (1 + t tan e); t comes from its series.
    """
    tangent = math.tan(angle)
    horizontal = curvature * tangent
    psi = edge_psi(curvature, angle, gap, fint)
    if psi == 0.0:
        for i in range(LANES):
            s[PX + i] += horizontal * s[i]
            s[PY + i] -= horizontal * s[Y + i]
        return
    if abs(psi) > SMALL:
        for i in range(LANES):
            s[PX + i] += horizontal * s[i]
            s[PY + i] -= curvature * math.tan(angle - psi * s[WEIGHT + i]) * s[Y + i]
        return
    for i in range(LANES):
        z = psi * s[WEIGHT + i]
        q = z * z
        t = z * (1.0 + q * (1.0 / 3.0 + q * (2.0 / 15.0 + q * (17.0 / 315.0 + q * (62.0 / 2835.0)))))
        s[PX + i] += horizontal * s[i]
        s[PY + i] -= curvature * (tangent - t) / (1.0 + t * tangent) * s[Y + i]


@compiled
def corrector(length: float, kick_x: float, kick_y: float, s: Floats) -> None:
    """Pass a steerer [rad] whose field is spread over its length."""
    constant = (kick_x * kick_x + kick_y * kick_y) / 3.0
    for i in range(LANES):
        px = s[PX + i]
        py = s[PY + i]
        w = s[WEIGHT + i]
        step = length * w
        s[CT + i] += 0.5 * step * w * (px * px + py * py + px * kick_x + py * kick_y + constant)
        s[i] += step * (px + 0.5 * kick_x)
        s[Y + i] += step * (py + 0.5 * kick_y)
        s[PX + i] += kick_x
        s[PY + i] += kick_y


@compiled
def cavity(length: float, voltage: float, frequency: float, slip: float, turn: int, s: Floats) -> None:
    """Pass a cavity: `voltage` over the beam's energy, `frequency` [Hz], `slip` [m] of its wave per turn.

    A particle that loses all momentum becomes NaN in the drift after it, and so is lost.
    """
    drift(0.5 * length, s)
    wave = 2.0 * math.pi * frequency / SPEED_OF_LIGHT
    late = slip * turn
    for i in range(LANES):
        delta = s[DELTA + i] - voltage * math.sin(wave * (s[CT + i] - late))
        s[DELTA + i] = delta
        s[WEIGHT + i] = 1.0 / (1.0 + delta) if delta > -1.0 else math.nan
    drift(0.5 * length, s)


@inlined
def frame_row(frame: Floats, at: int, x: float, px: float, y: float, py: float, delta: float) -> float:
    """Apply the row of a change of frame that starts at `at` to a particle."""
    return float(
        frame[at + OF_X] * x + frame[at + OF_PX] * px + frame[at + OF_Y] * y + frame[at + OF_PY] * py
        + frame[at + OF_DELTA] * delta + frame[at + FRAME_CONSTANT]
    )  # fmt: skip


@compiled
def change_frame(frame: Floats, s: Floats) -> None:
    """Carry particles into or out of a displaced element's frame (`misalignment.write_frame`, 30 numbers)."""
    for i in range(LANES):
        x = s[i]
        px = s[PX + i]
        y = s[Y + i]
        py = s[PY + i]
        d = s[DELTA + i]
        s[i] = frame_row(frame, FRAME_X, x, px, y, py, d)
        s[PX + i] = frame_row(frame, FRAME_PX, x, px, y, py, d)
        s[Y + i] = frame_row(frame, FRAME_Y, x, px, y, py, d)
        s[PY + i] = frame_row(frame, FRAME_PY, x, px, y, py, d)
        s[CT + i] += frame_row(frame, FRAME_PATH, x, px, y, py, d)


@compiled
def count_outside(elliptic: bool, half_x: float, half_y: float, at_x: float, at_y: float, s: Floats) -> int:
    """Count the lanes outside an aperture [m]; NaN counts as outside."""
    outside = 0
    if elliptic:
        for i in range(LANES):
            u = (s[i] - at_x) / half_x
            v = (s[Y + i] - at_y) / half_y
            outside += 0 if u * u + v * v <= 1.0 else 1
    else:
        for i in range(LANES):
            inside = (abs(s[i] - at_x) <= half_x) & (abs(s[Y + i] - at_y) <= half_y)
            outside += 0 if inside else 1
    return outside
