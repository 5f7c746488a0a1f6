"""Elements of MAD-X in the accelerator toolbox's words, with what its `twiss` does and these words do not say."""

import cmath
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gnomon.lattice.exchange.findings import Finding
from gnomon.lattice.exchange.foreign import ForeignElement
from gnomon.lattice.exchange.madx.attributes import Value
from gnomon.lattice.exchange.madx.classes import CLASSES, NEUTRAL
from gnomon.lattice.exchange.madx.expressions import Expression
from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.exchange.madx.madx_run import Definition, Program
from gnomon.lattice.exchange.placing import PLACED

STRAIGHT, BENT, THIN = "StrMPoleSymplectic4Pass", "BndMPoleSymplectic4Pass", "ThinMPolePass"
STEERER, EMPTY, NOTHING, CAVITY = "CorrectorPass", "DriftPass", "IdentityPass", "RFCavityPass"

#: Slices of a magnet whose map is exact where it comes from: here as many as it needs.
EXACT = 0
#: Order of the main field of a straight class.
ORDERS = {"quadrupole": 1, "sextupole": 2, "octupole": 3}
KINDS = {
    "quadrupole": "Quadrupole", "sextupole": "Sextupole", "octupole": "Octupole", "multipole": "Multipole",
    "sbend": "Dipole", "rbend": "Dipole", "rfcavity": "RFCavity",
    **dict.fromkeys(("kicker", "hkicker", "vkicker", "tkicker"), "Corrector"),
    **dict.fromkeys(("monitor", "hmonitor", "vmonitor"), "Monitor"),
}  # fmt: skip
#: Below this angle MAD-X takes a rectangular bend's length for the arc's [rad].
SMALL_ANGLE = 1e-8


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of an element as they are at the end of the file."""

    definition: Definition
    values: Mapping[str, Value]
    program: Program

    def one(self, name: str, default: float = 0.0) -> float:
        """A number. Raises MadxError when the file gives something else."""
        value = self.values.get(name, default)
        if isinstance(value, bool):
            return float(value)
        if isinstance(value, float | Expression):
            return self.program.number(value)
        if isinstance(value, tuple) and len(value) == 1:
            return self.program.number(value[0])
        where = self.definition
        raise MadxError(where.place, f"{where.name}: {name} must be a number")

    def many(self, name: str) -> tuple[float, ...]:
        """A list of numbers."""
        value = self.values.get(name, ())
        return tuple(map(self.program.number, value)) if isinstance(value, tuple) else (self.one(name),)

    def matters(self, name: str) -> bool:
        """Tell whether an attribute differs from what has no effect."""
        value = self.values.get(name)
        if value is None or isinstance(value, str):
            return bool(value)
        numbers = self.many(name)
        return any(number != NEUTRAL.get(name, 0.0) for number in numbers)


def arc_length(numbers: Numbers) -> float:
    """The length of an element on the beam's way [m]."""
    kind = numbers.definition.kind
    if kind in ("marker", "multipole", "beambeam", "nllens"):
        return 0.0
    length = numbers.one("l")
    if kind == "rbend" and numbers.program.arc_length:
        angle = numbers.one("angle")
        if abs(angle) > SMALL_ANGLE:
            return length * angle / (2.0 * math.sin(angle / 2.0))
    return length


def to_toolbox(definition: Definition, program: Program, bv: float) -> tuple[ForeignElement, list[Finding]]:
    """An element as the toolbox would have it, and what it leaves out. Raises MadxError.

    `bv` of -1 turns all fields round, as MAD-X does for the other beam.
    """
    numbers = Numbers(definition, definition.attributes, program)
    place = program.short(definition.place)
    findings = list(_findings(numbers, bv, place))
    known = definition.kind in CLASSES
    length = arc_length(numbers)
    method, attributes = _build(numbers, length, bv) if known else (EMPTY if length > 0.0 else NOTHING, {})
    if method in (STRAIGHT, THIN) and numbers.one("tilt") != 0.0:
        attributes[PLACED] = {"roll": numbers.one("tilt")}
    kind = KINDS.get(definition.kind, "Drift" if length > 0.0 else "Marker")
    return ForeignElement(definition.name, kind, method, length, attributes, place), findings


def _findings(numbers: Numbers, bv: float, place: str) -> Iterator[Finding]:
    definition = numbers.definition
    name, kind = definition.name, definition.kind
    known = CLASSES.get(kind)
    if known is None:
        yield Finding(name, kind, "", "there is no such class of elements in MAD-X", place)
        return
    for attribute in definition.attributes:
        if attribute in known.zero:
            if numbers.matters(attribute):
                yield Finding(name, kind, attribute, "acts on the beam and has no counterpart here", place)
        elif attribute not in known.attributes:
            yield Finding(name, kind, attribute, f"not an attribute of a {kind} in MAD-X", place)
        elif attribute not in known.read | {"l"} and numbers.matters(attribute):
            yield Finding(name, kind, attribute, "no effect on orbit and optics in MAD-X", place, False)
    if kind == "multipole" and numbers.one("lrad") != 0.0 and any((*numbers.many("knl")[:1], *numbers.many("ksl")[:1])):
        yield Finding(
            name, kind, "lrad", "a thin bend that focuses like one of this length; give lrad=0 or an sbend", place
        )
    if kind in ("sbend", "rbend") and numbers.one("k0") != 0.0:
        length, angle = arc_length(numbers), numbers.one("angle")
        if abs(numbers.one("k0") * length - angle) > 1e-12 * abs(angle):
            yield Finding(name, kind, "k0", "a field that differs from angle / l", place)
    if kind in ("sbend", "rbend") and numbers.one("tilt") != 0.0 and numbers.one("angle") != 0.0:
        yield Finding(name, kind, "tilt", "a bend out of the plane has no kernel: the reference turns with it", place)
    if kind == "rbend" and bv < 0.0:
        yield Finding(name, kind, "bv", "a rectangular bend for the beam the other way round", place)
    if kind == "rfcavity" and numbers.one("lag") != 0.0:
        yield Finding(name, kind, "lag", "not kept; the phase follows from the energy loss", place, False)


def _build(numbers: Numbers, length: float, bv: float) -> tuple[str, dict[str, Any]]:
    kind = numbers.definition.kind
    return BUILDERS.get(kind, _empty)(numbers, length, bv)


def _empty(numbers: Numbers, length: float, bv: float) -> tuple[str, dict[str, Any]]:
    return (EMPTY if length != 0.0 else NOTHING), {}


def _straight(numbers: Numbers, length: float, bv: float) -> tuple[str, dict[str, Any]]:
    if length == 0.0:
        return NOTHING, {}  # MAD-X passes over a thick magnet without length, whatever its strength
    order = ORDERS[numbers.definition.kind]
    factor = bv * (1.0 + numbers.one("ktap")) / math.factorial(order)
    zeros = (0.0,) * order
    return STRAIGHT, {
        "NumIntSteps": EXACT,
        "PolynomB": (*zeros, factor * numbers.one(f"k{order}")),
        "PolynomA": (*zeros, factor * numbers.one(f"k{order}s")),
    }


def _thin(numbers: Numbers, length: float, bv: float) -> tuple[str, dict[str, Any]]:
    normal, skew = (
        [bv * value / math.factorial(order) for order, value in enumerate(numbers.many(name))]
        for name in ("knl", "ksl")
    )
    attributes: dict[str, Any] = {}
    bending = [values.pop(0) if values else 0.0 for values in (normal, skew)]
    if any(bending):
        attributes["BendingAngle"] = (bending[0], -bending[1]) if bending[1] else bending[0]
    attributes |= {"PolynomB": (0.0, *normal), "PolynomA": (0.0, *skew)}
    return THIN, attributes


def _bend(numbers: Numbers, length: float, bv: float) -> tuple[str, dict[str, Any]]:
    where = numbers.definition
    if length == 0.0:
        raise MadxError(where.place, f"{where.name}: a bend without length; MAD-X stops here")
    angle, gap = bv * numbers.one("angle"), 2.0 * numbers.one("hgap")
    entrance, fint = numbers.one("fint"), numbers.one("fintx", -1.0)
    face = numbers.one("angle") / 2.0 if where.kind == "rbend" else 0.0
    field: dict[str, Any] = {
        "PolynomB": (0.0, bv * numbers.one("k1"), bv * numbers.one("k2") / 2.0),
        "PolynomA": (0.0, 0.0, 0.0),
    }
    field["NumIntSteps"] = EXACT
    if angle == 0.0:
        return STRAIGHT, field
    attributes: dict[str, Any] = {
        "BendingAngle": angle,
        "EntranceAngle": bv * (numbers.one("e1") + face),
        "ExitAngle": bv * (numbers.one("e2") + face),
    } | field
    if gap != 0.0:
        attributes |= {"FullGap": gap, "FringeInt1": entrance, "FringeInt2": entrance if fint < 0.0 else fint}
    return BENT, attributes


def _steerer(numbers: Numbers, length: float, bv: float) -> tuple[str, dict[str, Any]]:
    match numbers.definition.kind:
        case "hkicker":
            x, y = numbers.one("kick") or numbers.one("hkick"), 0.0
        case "vkicker":
            x, y = 0.0, numbers.one("kick") or numbers.one("vkick")
        case _:
            x, y = numbers.one("hkick"), numbers.one("vkick")
    turned = complex(x + numbers.one("chkick"), y + numbers.one("cvkick")) * cmath.exp(1j * numbers.one("tilt"))
    return STEERER, {"KickAngle": (bv * turned.real, bv * turned.imag)}


def _cavity(numbers: Numbers, length: float, bv: float) -> tuple[str, dict[str, Any]]:
    return CAVITY, {
        "Voltage": 1e6 * numbers.one("volt"),
        "Frequency": 1e6 * numbers.one("freq"),
        "HarmNumber": numbers.one("harmon"),
    }


BUILDERS: Mapping[str, Callable[[Numbers, float, float], tuple[str, dict[str, Any]]]] = {
    **dict.fromkeys(ORDERS, _straight),
    "multipole": _thin,
    **dict.fromkeys(("sbend", "rbend"), _bend),
    **dict.fromkeys(("kicker", "tkicker", "hkicker", "vkicker"), _steerer),
    "rfcavity": _cavity,
}
