"""Checks before a program is made: values that are not numbers, impossible strengths, rings that do not close."""

import math
from collections.abc import Sequence
from types import SimpleNamespace

from gnomon.lattice.elements import Bend, Element, Multipole, Octupole, Quadrupole, Sextupole
from gnomon.propagator.generic.generic_errors import ProgramError
from gnomon.propagator.generic.knobs import UNITS, unit_of
from gnomon.propagator.physics.number_types import Number, is_plain, is_zero

#: A strength is too large when one magnet deflects a particle at this distance [m] by more than this [rad].
DISTANCE, MAX_KICK = 0.01, 1.0

#: Largest offset [m] and angle [rad] of a misalignment or an edge, and length of an element [m].
MAX_OFFSET, MAX_ANGLE, MAX_LENGTH = 0.1, 1.5, 1e4

#: Maximum number of slices of an element.
MAX_SLICES = 10_000

#: Tolerance for the sum of a ring's bending angles, which must be a full turn [rad].
CLOSURE = 1e-6

LIMITS = {
    "dx": MAX_OFFSET, "dy": MAX_OFFSET, "kick_x": MAX_KICK, "kick_y": MAX_KICK,
    "roll": math.pi, "angle": math.pi, "entrance_angle": MAX_ANGLE, "exit_angle": MAX_ANGLE,
}  # fmt: skip


def check_element(element: Element, e: SimpleNamespace) -> None:
    """Check those of an element's parameters that are plain numbers; `e` holds them, knobs included.

    Raises ProgramError with element, property, value, unit and what to do.
    """
    for name, value in vars(e).items():
        if name in UNITS:
            _check_number(e.name, name, value, UNITS[name], LIMITS.get(name))
    if is_plain(e.length) and abs(e.length) > MAX_LENGTH:
        raise ProgramError(f"{e.name} length: {e.length:g} m is more than {MAX_LENGTH:g} m; correct the length")
    if not isinstance(element, Multipole):
        return
    if is_plain(e.length) and e.length < 0.0:
        raise ProgramError(f"{e.name} length: {e.length:g} m; a magnet's length must not be negative")
    if not 1 <= e.slices <= MAX_SLICES:
        raise ProgramError(f"{e.name} slices: {e.slices} is outside 1 to {MAX_SLICES}; choose about 10")
    reach = 1.0 if is_zero(e.length) else e.length
    for kind in "ba":
        for order, value in enumerate(getattr(e, kind)):
            limit = MAX_KICK / DISTANCE**order / reach if is_plain(reach) else None
            _check_number(e.name, f"{kind}{order + 1}", value, unit_of(f"{kind}{order + 1}", e.length), limit)
    if is_zero(e.length):
        _check_thin(element, e)


def _check_number(name: str, what: str, value: Number, unit: str, limit: float | None) -> None:
    if not is_plain(value):
        return
    if not math.isfinite(value):
        raise ProgramError(f"{name} {what}: {value} {unit} is not a finite number; give it a value".replace("  ", " "))
    if limit is not None and abs(value) > limit:
        raise ProgramError(
            f"{name} {what}: {value:g} {unit} is beyond any magnet, at most {limit:g} {unit}; correct the value"
        )


def _check_thin(element: Element, e: SimpleNamespace) -> None:
    """Refuse a magnet of length 0 with a bend or strengths that are not integrated."""
    if isinstance(element, Bend) and not is_zero(e.angle):
        raise ProgramError(f"{e.name} length: 0 m, but it bends by {e.angle} rad; give the bend its length")
    if isinstance(element, Quadrupole | Sextupole | Octupole):
        for kind in "ba":
            for order, value in enumerate(getattr(e, kind)):
                if not is_zero(value):
                    raise ProgramError(
                        f"{e.name} length: 0 m, but {kind}{order + 1} is {value} 1/m^{order + 1}, a field over no "
                        f"length; give the {type(element).__name__.lower()} its length, or use a Multipole of length "
                        "0 with integrated strengths"
                    )


def check_closure(name: str, angles: Sequence[Number]) -> None:
    """Raise ProgramError unless a ring's bends add up to a full turn; not checked when one of them is a knob."""
    if not all(is_plain(angle) for angle in angles):
        return
    total = math.fsum(angles)
    if abs(abs(total) - 2.0 * math.pi) > CLOSURE:
        raise ProgramError(
            f"{name} angle: the ring does not close, its {len(angles)} bends add up to {total:.9g} rad and not to "
            f"2 pi within {CLOSURE:g} rad; correct a bend's angle, or say closed=False for a line or a cell"
        )
