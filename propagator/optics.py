"""Coupled optics of a turn in closed form, and their way around the ring.

The two normal modes come from the 2 x 2 blocks of the turn's matrix (D. Edwards and L. Teng, IEEE Trans. Nucl. Sci. 20
(1973) 885); their eigenvectors E give beta = |E_x|^2, alpha = -Re(E_x conj(E_p)) and the phase arg E_x of mode 1 in x,
and likewise of mode 2 in y (A. Wolski, Phys. Rev. ST Accel. Beams 9 (2006) 024001), as pyAT's linopt6 does.
"""

import math

from gnomon.propagator.affine import AFFINE, CORRECTOR, DRIFT, LENGTH, NONLINEAR, compose
from gnomon.propagator.compiled import Floats, Integers, compiled
from gnomon.propagator.report import STABLE, UNSTABLE_1, UNSTABLE_2, UNSTABLE_BOTH, UNSTABLE_SUM


@compiled
def find_traces(turn: Floats, traces: Floats) -> int:
    """Write 2 cos(mu) of both modes and the discriminant, and say which mode is stable.

    Mode 1 is the one that stays with x when the coupling vanishes.
    """
    trace_x = turn[0] + turn[6]
    trace_y = turn[12] + turn[18]
    # H = B + adjoint(C) of the blocks (A B; C D)
    h00, h01 = turn[2] + turn[16], turn[3] - turn[11]
    h10, h11 = turn[7] - turn[15], turn[8] + turn[10]
    half = 0.5 * (trace_x - trace_y)
    discriminant = half * half + h00 * h11 - h01 * h10
    traces[2] = discriminant
    root = math.copysign(math.sqrt(discriminant), half) if discriminant > 0.0 else 0.0
    mean = 0.5 * (trace_x + trace_y)
    traces[0] = mean + root
    traces[1] = mean - root
    if discriminant < 0.0:
        return UNSTABLE_SUM
    good_1 = abs(traces[0]) < 2.0
    good_2 = abs(traces[1]) < 2.0
    if good_1 and good_2:
        return STABLE
    if good_2:
        return UNSTABLE_1
    return UNSTABLE_2 if good_1 else UNSTABLE_BOTH


@compiled
def find_mode(turn: Floats, mode: int, traces: Floats, vectors: Floats) -> float:
    """Write a stable mode's eigenvector to columns `2 * mode` and the next of `vectors` (20), and return its mu [rad].

    Real and imaginary part, normalised to an invariant of 1; mu lies between 0 and 2 pi.
    """
    own, other = traces[mode], traces[1 - mode]
    best, v0, v1, v2, v3 = -1.0, 0.0, 0.0, 0.0, 0.0
    for choice in range(2):
        column = 2 * mode + choice
        if abs(own - other) > 1e-12:
            # a column of T + inverse(T) - other, the projector on this mode; the inverse is -S T^t S
            partner, sign = column ^ 1, 1.0 if column & 1 == 0 else -1.0
            p0 = turn[column] + sign * turn[5 * partner + 1]
            p1 = turn[5 + column] - sign * turn[5 * partner]
            p2 = turn[10 + column] + sign * turn[5 * partner + 3]
            p3 = turn[15 + column] - sign * turn[5 * partner + 2]
        else:
            p0, p1, p2, p3 = 0.0, 0.0, 0.0, 0.0
        if column == 0:
            p0 += 1.0 if abs(own - other) <= 1e-12 else -other
        elif column == 1:
            p1 += 1.0 if abs(own - other) <= 1e-12 else -other
        elif column == 2:
            p2 += 1.0 if abs(own - other) <= 1e-12 else -other
        else:
            p3 += 1.0 if abs(own - other) <= 1e-12 else -other
        size = abs(p0) + abs(p1) + abs(p2) + abs(p3)
        if size > best:
            best, v0, v1, v2, v3 = size, p0, p1, p2, p3
    cosine = 0.5 * own
    sine = math.sqrt(1.0 - cosine * cosine)
    at = 2 * mode
    norm = 0.0
    for row in range(4):
        i = 5 * row
        v = v0 if row == 0 else v1 if row == 1 else v2 if row == 2 else v3
        vectors[i + at] = turn[i] * v0 + turn[i + 1] * v1 + turn[i + 2] * v2 + turn[i + 3] * v3 - cosine * v
        vectors[i + at + 1] = sine * v
    for plane in range(2):
        i = 10 * plane + at
        norm += vectors[i] * vectors[i + 6] - vectors[i + 1] * vectors[i + 5]
    scale = 1.0 / math.sqrt(abs(norm))
    for row in range(4):
        vectors[5 * row + at] *= scale
        vectors[5 * row + at + 1] *= scale if norm > 0.0 else -scale
    return math.acos(cosine) if norm > 0.0 else 2.0 * math.pi - math.acos(cosine)


@compiled
def follow(
    kinds: Integers,
    ordinals: Integers,
    geometry: Floats,
    maps: Floats,
    inlets: Floats,
    bodies: Floats,
    outlets: Floats,
    framed: Integers,
    delta: float,
    index: int,
    beam: Floats,
    work: Floats,
) -> None:
    """Carry the five columns of `beam` (four of eigenvectors, the last the orbit) through element `index`."""
    kind = kinds[index]
    if kind == DRIFT:
        length = geometry[index, LENGTH] / (1.0 + delta)
        for column in range(5):
            beam[column] += length * beam[5 + column]
            beam[10 + column] += length * beam[15 + column]
    elif kind in (AFFINE, CORRECTOR):
        compose(maps[index], beam, work)
        beam[:] = work
    elif kind == NONLINEAR:
        k = ordinals[index]
        if framed[k]:
            compose(inlets[k], beam, work)
            beam[:] = work
        compose(bodies[k], beam, work)
        beam[:] = work
        if framed[k]:
            compose(outlets[k], beam, work)
            beam[:] = work


@compiled
def record_optics(beam: Floats, index: int, beta: Floats, alpha: Floats, phase: Floats) -> None:
    """Write both modes' optics at entry `index`; the phase [turns] goes on from the entry before it."""
    for mode in range(2):
        i = 12 * mode
        x, x_imag, p, p_imag = beam[i], beam[i + 1], beam[i + 5], beam[i + 6]
        beta[index, mode] = x * x + x_imag * x_imag
        alpha[index, mode] = -(x * p + x_imag * p_imag)
        angle = math.atan2(x_imag, x) / (2.0 * math.pi)
        if index == 0:
            phase[index, mode] = angle
        else:
            advance = angle - phase[index - 1, mode]
            # an element advances by less than three quarters of a turn and, where coupled, may go back a little
            phase[index, mode] = phase[index - 1, mode] + advance - math.floor(advance + 0.25)
