"""The lengthening of the closed orbit's path, by tracking the sixth coordinate slice by slice.

pyAT's convention: ct [m] grows with the path and has no term for the particle's velocity.
"""

from gnomon.propagator.affine import (
    A2,
    A3,
    A4,
    ANGLE,
    B2,
    B3,
    B4,
    CORRECTOR,
    DRIFT,
    DRIFT_INNER,
    DRIFT_OUTER,
    ENTRANCE,
    EXIT,
    FINT_ENTRANCE,
    FINT_EXIT,
    GAP,
    IDENTITY,
    KICK_INNER,
    KICK_OUTER,
    KICK_X,
    KICK_Y,
    LENGTH,
    dipole_terms,
    edge_strengths,
)
from gnomon.propagator.compiled import Floats, Integers, compiled


@compiled
def change_frame(frame: Floats, delta: float, particle: Floats) -> None:
    """Carry x, px, y, py, ct into another frame (`misalignment.write_frame`)."""
    x, px, y, py = particle[0], particle[1], particle[2], particle[3]
    for row in range(5):
        i = 6 * row
        value = frame[i] * x + frame[i + 1] * px + frame[i + 2] * y + frame[i + 3] * py
        value += frame[i + 4] * delta + frame[i + 5]
        particle[row] = value if row < 4 else particle[4] + value


@compiled
def drift_particle(length: float, weight: float, particle: Floats) -> None:
    """Free space; `length` is divided by 1 + delta, `weight` is 1 / (1 + delta)."""
    px, py = particle[1], particle[3]
    particle[0] += length * px
    particle[2] += length * py
    particle[4] += 0.5 * length * weight * (px * px + py * py)


@compiled
def kick_particle(length: float, curvature: float, delta: float, top: int, fields: Floats, particle: Floats) -> None:
    """Multipole kick in a frame of the given curvature; `fields` are b1 to b4 and a1 to a4, zero above number `top`."""
    x, y = particle[0], particle[2]
    b, a = fields[top], fields[4 + top]
    for order in range(top - 1, -1, -1):
        b, a = b * x - a * y + fields[order], b * y + a * x + fields[4 + order]
    particle[1] -= length * (b - curvature * (delta - curvature * x))
    particle[3] += length * a
    particle[4] += length * curvature * x


@compiled
def track_body(
    geometry: Floats, parameters: Floats, slices: int, delta: float, fields: Floats, particle: Floats
) -> None:
    """Carry a particle through a multipole or a bend with its edges."""
    length = geometry[LENGTH]
    normal, skew = dipole_terms(length, parameters)
    fields[0], fields[1], fields[2], fields[3] = normal, parameters[B2], parameters[B3], parameters[B4]
    fields[4], fields[5], fields[6], fields[7] = skew, parameters[A2], parameters[A3], parameters[A4]
    top = 3 if fields[2] != 0.0 or fields[3] != 0.0 or fields[6] != 0.0 or fields[7] != 0.0 else 1
    if length == 0.0:
        kick_particle(1.0, 0.0, 0.0, top, fields, particle)
        return
    weight = 1.0 / (1.0 + delta)
    curvature = geometry[ANGLE] / length
    step = length / slices
    if curvature != 0.0:
        horizontal, vertical = edge_strengths(
            curvature, geometry[ENTRANCE], geometry[GAP], geometry[FINT_ENTRANCE], delta
        )
        particle[1] += horizontal * particle[0]
        particle[3] -= vertical * particle[2]
    for _ in range(slices):
        drift_particle(DRIFT_OUTER * step * weight, weight, particle)
        kick_particle(KICK_OUTER * step, curvature, delta, top, fields, particle)
        drift_particle(DRIFT_INNER * step * weight, weight, particle)
        kick_particle(KICK_INNER * step, curvature, delta, top, fields, particle)
        drift_particle(DRIFT_INNER * step * weight, weight, particle)
        kick_particle(KICK_OUTER * step, curvature, delta, top, fields, particle)
        drift_particle(DRIFT_OUTER * step * weight, weight, particle)
    if curvature != 0.0:
        horizontal, vertical = edge_strengths(curvature, geometry[EXIT], geometry[GAP], geometry[FINT_EXIT], delta)
        particle[1] += horizontal * particle[0]
        particle[3] -= vertical * particle[2]


@compiled
def track_corrector(length: float, kick_x: float, kick_y: float, delta: float, particle: Floats) -> None:
    """Carry a particle through a steerer whose field is spread over its length."""
    weight = 1.0 / (1.0 + delta)
    px, py = particle[1], particle[3]
    squares = px * px + py * py + px * kick_x + py * kick_y + (kick_x * kick_x + kick_y * kick_y) / 3.0
    particle[0] += length * weight * (px + 0.5 * kick_x)
    particle[2] += length * weight * (py + 0.5 * kick_y)
    particle[1] += kick_x
    particle[3] += kick_y
    particle[4] += 0.5 * length * weight * weight * squares


@compiled
def lengthening(
    kinds: Integers,
    slices: Integers,
    geometry: Floats,
    parameters: Floats,
    moved: Integers,
    frames: Floats,
    delta: float,
    orbit: Floats,
    work: Floats,
) -> float:
    """The path of a turn [m] less the ring's length, along `orbit` (n+1, 4)."""
    fields, particle = work[0:8], work[8:13]
    total = 0.0
    weight = 1.0 / (1.0 + delta)
    for index in range(kinds.size):
        kind = kinds[index]
        if kind == IDENTITY:
            continue
        if kind == DRIFT:
            px, py = orbit[index, 1], orbit[index, 3]
            total += 0.5 * geometry[index, LENGTH] * weight * weight * (px * px + py * py)
            continue
        for row in range(4):
            particle[row] = orbit[index, row]
        particle[4] = 0.0
        if moved[index]:
            change_frame(frames[index, 0], delta, particle)
        if kind == CORRECTOR:
            track_corrector(
                geometry[index, LENGTH], parameters[index, KICK_X], parameters[index, KICK_Y], delta, particle
            )
        else:
            track_body(geometry[index], parameters[index], slices[index], delta, fields, particle)
        if moved[index]:
            change_frame(frames[index, 1], delta, particle)
        total += particle[4]
    return total
