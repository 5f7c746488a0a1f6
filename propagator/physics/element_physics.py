"""The physics of each element, written once for every type of number.

A description is a function: it takes a phase space and the element's parameters (its fields, knobs replaced by numbers
of any type) and returns the phase space at the exit. `describes` registers it for classes of elements; a new element
needs nothing else. A class that is not registered is refused, even if its base class is. The conventions are pyAT's:
StrMPoleSymplectic4Pass, BndMPoleSymplectic4Pass with fringe method 1, ThinMPolePass, CorrectorPass, CavityPass. The
passes of tracking are generated from these functions (`propagator.codegen`); the other kernels implement the same
physics by hand, and tests compare the two.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import TypeVar

from gnomon.lattice.elements import (
    Bend,
    Cavity,
    Corrector,
    Drift,
    Element,
    Marker,
    Monitor,
    Multipole,
    Octupole,
    Quadrupole,
    Sextupole,
)
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.physics.frames import into_frame, out_of_frame
from gnomon.propagator.physics.number_types import Number, functions_of, is_zero
from gnomon.propagator.physics.phase_space import PhaseSpace
from gnomon.propagator.physics.repetition import Stage, repeated

#: The fields of an element, its `integrator`, and for cavities `energy_ev` and `cavities` (True if they are on).
Parameters = SimpleNamespace

Description = Callable[[PhaseSpace, Parameters], PhaseSpace]
D = TypeVar("D", bound=Description)

PI = 3.141592653589793

descriptions: dict[type[Element], Description] = {}


def describes(*kinds: type[Element]) -> Callable[[D], D]:
    """Register a function as the physics of classes of elements."""

    def register(description: D) -> D:
        descriptions.update(dict.fromkeys(kinds, description))
        return description

    return register


@describes(Drift, Marker, Monitor)
def free_space(ray: PhaseSpace, e: Parameters) -> PhaseSpace:
    """Pass a drift, monitor or marker."""
    return ray if is_zero(e.length) else drift(ray, e.length)


@describes(Multipole, Quadrupole, Sextupole, Octupole)
def multipole(ray: PhaseSpace, e: Parameters) -> PhaseSpace:
    """Pass a straight magnet, or a thin one with integrated strengths."""
    return misaligned(ray, e, 0.0, body)


@describes(Bend)
def bend(ray: PhaseSpace, e: Parameters) -> PhaseSpace:
    """Pass a sector bend with its two edges."""
    return misaligned(ray, e, e.angle, bend_in_its_frame)


@describes(Corrector)
def corrector(ray: PhaseSpace, e: Parameters) -> PhaseSpace:
    """Pass a separate steerer, its field spread over its length."""
    return misaligned(ray, e, 0.0, steer)


@describes(Cavity)
def cavity(ray: PhaseSpace, e: Parameters) -> PhaseSpace:
    """Pass a cavity: half a drift, delta -= (V / E) sin(2 pi f ct / c), half a drift; a drift if cavities are off."""
    if not e.cavities or is_zero(e.voltage):
        return free_space(ray, e)
    ray = ray if is_zero(e.length) else drift(ray, e.length / 2)
    ray = accelerate(ray, e.voltage / e.energy_ev, 2 * PI * e.frequency / SPEED_OF_LIGHT, 0.0)
    return ray if is_zero(e.length) else drift(ray, e.length / 2)


def accelerate(ray: PhaseSpace, voltage: Number, wave: Number, late: Number) -> PhaseSpace:
    """Apply a cavity's kick: delta -= `voltage` sin(`wave` (ct - `late`)); voltage over energy, 1/m, m."""
    phase = wave * (ray.ct - late)
    return ray._replace(delta=ray.delta - voltage * functions_of(phase).sin(phase))


def drift(ray: PhaseSpace, length: Number) -> PhaseSpace:
    """Drift by `length` [m] in the small-angle approximation: x' = px / (1 + delta)."""
    weight = 1 / (1 + ray.delta)
    return drift_on(ray, length, weight)


def drift_on(ray: PhaseSpace, length: Number, weight: Number) -> PhaseSpace:
    """Drift by `length` [m], `weight` = 1 / (1 + delta) being known already."""
    reach = length * weight
    return PhaseSpace(
        ray.x + reach * ray.px,
        ray.px,
        ray.y + reach * ray.py,
        ray.py,
        ray.delta,
        ray.ct + length / 2 * ((weight * weight) * (ray.px * ray.px + ray.py * ray.py)),
    )


def kick(
    ray: PhaseSpace, length: Number, normal: list[Number], skew: list[Number], curvature: Number = 0.0
) -> PhaseSpace:
    """Kick by a field over `length` [m]: B_y + i B_x = sum (normal[n] + i skew[n]) (x + i y)^n, in a curved frame."""
    b, a = normal[-1], skew[-1]
    for lower_b, lower_a in zip(normal[-2::-1], skew[-2::-1], strict=True):
        b, a = b * ray.x - a * ray.y + lower_b, b * ray.y + a * ray.x + lower_a
    if is_zero(curvature):
        return ray._replace(px=ray.px - length * b, py=ray.py + length * a)
    return ray._replace(
        px=ray.px - length * (b - curvature * (ray.delta - curvature * ray.x)),
        py=ray.py + length * a,
        ct=ray.ct + length * curvature * ray.x,
    )


def body(ray: PhaseSpace, e: Parameters, curvature: Number = 0.0) -> PhaseSpace:
    """Pass all slices of a magnet, without edges."""
    normal, skew = list(e.b), list(e.a)
    if is_zero(e.length):
        normal[0], skew[0] = normal[0] - e.kick_x, skew[0] + e.kick_y
        return kick(ray, 1, *_trimmed(normal, skew))
    if not is_zero(e.kick_x):
        normal[0] = normal[0] - functions_of(e.kick_x).sin(e.kick_x) / e.length
    if not is_zero(e.kick_y):
        skew[0] = skew[0] + functions_of(e.kick_y).sin(e.kick_y) / e.length
    normal, skew = _trimmed(normal, skew)
    step = e.length / e.slices
    drifts = [fraction * step for fraction in e.integrator.drifts]
    kicks = [fraction * step for fraction in e.integrator.kicks]
    weight = 1 / (1 + ray.delta)

    def stage(strength: Number, length: Number | None) -> Stage:
        def kick_and_drift(ray: PhaseSpace, ahead: Number) -> PhaseSpace:
            ray = kick(ray, strength, normal, skew, curvature)
            return drift_on(ray, ahead if length is None else length, weight)

        return kick_and_drift

    stages = [stage(*both) for both in zip(kicks, (*drifts[1:-1], None), strict=True)]
    ray = drift_on(ray, drifts[0], weight)
    return repeated(e.slices, stages, ray, drifts[-1] + drifts[0], drifts[-1])


def bend_in_its_frame(ray: PhaseSpace, e: Parameters) -> PhaseSpace:
    """Pass the entrance edge, the body and the exit edge of a bend."""
    if is_zero(e.angle):
        return body(ray, e)
    curvature = e.angle / e.length
    ray = edge(ray, curvature, e.entrance_angle, e.gap, e.fint_entrance)
    ray = body(ray, e, curvature)
    return edge(ray, curvature, e.exit_angle, e.gap, e.fint_exit)


def edge(ray: PhaseSpace, curvature: Number, angle: Number, gap: Number, fint: Number) -> PhaseSpace:
    """Pass a bend's edge rotated by `angle` [rad], with the soft-edge correction of `gap` [m, full] times `fint`.

    K. L. Brown, SLAC-75 (1982): px += h tan(angle) x, py -= h tan(angle - psi / (1 + delta)) y.
    """
    tan = functions_of(angle).tan(angle)
    vertical = tan
    if not (is_zero(gap) or is_zero(fint)):
        sin, cos = functions_of(angle).sin(angle), functions_of(angle).cos(angle)
        psi = curvature * gap * fint * (1 + sin * sin) / cos
        corrected = angle - psi * (1 / (1 + ray.delta))
        vertical = functions_of(corrected).tan(corrected)
    return ray._replace(px=ray.px + curvature * tan * ray.x, py=ray.py - curvature * vertical * ray.y)


def steer(ray: PhaseSpace, e: Parameters) -> PhaseSpace:
    """Apply a kick [rad] that grows linearly along the length."""
    px, py, kx, ky = ray.px, ray.py, e.kick_x, e.kick_y
    kicked = ray._replace(px=px + kx, py=py + ky)
    if is_zero(e.length):
        return kicked
    weight = 1 / (1 + ray.delta)
    squares = px * px + py * py + px * kx + py * ky + (kx * kx + ky * ky) / 3
    return kicked._replace(
        x=ray.x + e.length * weight * (px + kx / 2),
        y=ray.y + e.length * weight * (py + ky / 2),
        ct=ray.ct + e.length * weight * weight * squares / 2,
    )


def misaligned(ray: PhaseSpace, e: Parameters, angle: Number, inside: Description) -> PhaseSpace:
    """Pass an element in its own, displaced and rolled frame."""
    if is_zero(e.dx) and is_zero(e.dy) and is_zero(e.roll):
        return inside(ray, e)
    ray = inside(into_frame(ray, angle, e.dx, e.dy, e.roll), e)
    return out_of_frame(ray, angle, e.dx, e.dy, e.roll)


def _trimmed(normal: list[Number], skew: list[Number]) -> tuple[list[Number], list[Number]]:
    """Drop the highest orders whose coefficients are both plain zeros; at least one order stays."""
    top = len(normal)
    while top > 1 and is_zero(normal[top - 1]) and is_zero(skew[top - 1]):
        top -= 1
    return normal[:top], skew[:top]
