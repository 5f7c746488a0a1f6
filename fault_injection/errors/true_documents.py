"""From a machine document and its machine's errors to the document of the machine as it really is.

Names, supplies, limits and PVs are the same; elements and conversions from current to field have the true values, and
a rolled coil of a steerer becomes a second magnet on the same supply that kicks in the other plane.
"""

from collections.abc import Mapping
from typing import Any

from gnomon.fault_injection.errors.displaced_monitors import hidden_monitor_errors
from gnomon.fault_injection.errors.drawn import MachineErrors
from gnomon.fault_injection.errors.field_factors import FieldFactors
from gnomon.lattice import MachineDocument
from gnomon.lattice.document import (
    BendPart,
    BpmPart,
    ConversionPart,
    ElementPart,
    LinearPart,
    MagnetPart,
    MonitorErrorPart,
    MultipolePart,
    OctupolePart,
    PolynomialPart,
    QuadrupolePart,
    SextupolePart,
)
from gnomon.lattice.units import SPEED_OF_LIGHT

#: Ending of the name of the second magnet that stands for the roll of a steerer's coil.
ROLLED = ".roll"

_OTHER: Mapping[str, Any] = {"kick_x": "kick_y", "kick_y": "kick_x"}


def true_document(document: MachineDocument, errors: MachineErrors) -> MachineDocument:
    """Return the document of the machine that has these errors; without any, an equal one."""
    factors = FieldFactors.of(document, errors)
    elements = {part.name: _true_element(part, factors, errors) for part in document.elements}
    magnets = _true_magnets(document, factors, elements)
    optics = {
        name: {magnet: value * factors.own[magnet] for magnet, value in strengths.items()}
        for name, strengths in document.optics.items()
    }
    hidden = hidden_monitor_errors(document, errors)
    monitors = tuple(_true_monitor(part, hidden[part.name]) for part in document.monitors)
    changed = {
        "monitors": monitors,
        "elements": tuple(elements[part.name] for part in document.elements),
        "magnets": magnets,
    }
    return document.model_copy(update={**changed, "optics": optics})


def _true_monitor(part: BpmPart, hidden: MonitorErrorPart) -> BpmPart:
    """Return a monitor with its hidden errors in addition to those that the document knows."""
    known = part.error or MonitorErrorPart()
    error = MonitorErrorPart(
        offset_x_mm=known.offset_x_mm + hidden.offset_x_mm,
        offset_y_mm=known.offset_y_mm + hidden.offset_y_mm,
        gain_x=known.gain_x * hidden.gain_x,
        gain_y=known.gain_y * hidden.gain_y,
        roll_rad=known.roll_rad + hidden.roll_rad,
    )
    return part if error == known else part.model_copy(update={"error": error})


def _true_element(part: ElementPart, factors: FieldFactors, errors: MachineErrors) -> ElementPart:
    """Return an element with its true fields and place, but for steerers' kicks."""
    body = factors.body_of.get(part.name)
    if body is None:
        return part
    change: dict[str, Any] = {}
    normal, skew = factors.normal[part.name], factors.skew[part.name]
    match part:
        case QuadrupolePart():
            change["k1"] = part.k1 * normal[1]
        case SextupolePart():
            change["b3"] = part.b3 * normal[2]
        case OctupolePart():
            change["b4"] = part.b4 * normal[3]
        case MultipolePart() | BendPart():
            change["a"] = tuple(value * factor for value, factor in zip(part.a, skew, strict=True))
            b = [value * factor for value, factor in zip(part.b, normal, strict=True)]
            if isinstance(part, BendPart):
                # The main field bends by angle / length; what is more of it is a dipole field beside it.
                b[0] += errors.get("dipole_field", body) * part.angle / part.length
            change["b"] = tuple(b)
    girder = factors.girder_of[part.name]
    for name, kind in (("dx", "x"), ("dy", "y"), ("roll", "roll")):
        own, support = errors.get(f"magnet_{kind}", body), errors.get(f"girder_{kind}", girder)
        change[name] = getattr(part, name) + own + support
    return part.model_copy(update=change)


def _true_magnets(
    document: MachineDocument, factors: FieldFactors, elements: dict[str, ElementPart]
) -> tuple[MagnetPart, ...]:
    """Return magnets with their true conversions, and those of rolled coils behind them; puts kicks into `elements`.

    The first magnet on a plane of an element carries the plane's nominal kick, and the current that belongs to it is
    the supply's nominal one; all others give nothing at it. So that nominal currents stay as they are, what a rolled
    coil gives at its nominal current goes to the first magnet on the other plane.
    """
    rigidity = document.momentum_ev() / SPEED_OF_LIGHT
    design = {part.name: part for part in document.elements}
    firsts: dict[tuple[str, str], str] = {}
    for magnet in document.magnets:
        firsts.setdefault((magnet.element, magnet.property), magnet.name)
    nominal = {
        m.name: getattr(design[m.element], m.property) * rigidity
        if m.property in _OTHER and firsts[m.element, m.property] == m.name
        else 0.0
        for m in document.magnets
    }
    offset = dict.fromkeys(firsts.values(), 0.0)
    rolled: list[MagnetPart] = []
    for magnet in document.magnets:
        cross = factors.cross.get(magnet.name, 0.0)
        if not cross:
            continue
        name, plane = magnet.name + ROLLED, _OTHER[magnet.property]
        first = firsts.setdefault((magnet.element, plane), name)
        static = getattr(design[magnet.element], plane) * rigidity if first == name else 0.0
        offset[first] = offset.get(first, static) + cross * nominal[magnet.name]
        conversion = _conversion(magnet.conversion, cross, -cross * nominal[magnet.name])
        rolled.append(magnet.model_copy(update={"name": name, "property": plane, "conversion": conversion}))
    for (element, plane), first in firsts.items():
        if plane in _OTHER:
            kick = nominal[first] * factors.own[first] if first in nominal else 0.0
            elements[element] = elements[element].model_copy(update={plane: (kick + offset[first]) / rigidity})
    return tuple(
        magnet.model_copy(
            update={
                "conversion": _conversion(
                    magnet.conversion, factors.own.get(magnet.name, 1.0), offset.get(magnet.name, 0.0)
                )
            }
        )
        for magnet in (*document.magnets, *rolled)
    )


def _conversion(part: ConversionPart, factor: float, offset: float) -> ConversionPart:
    """Return the conversion that gives `factor` times the field, and `offset` more."""
    if factor == 1.0 and offset == 0.0:
        return part
    match part:
        case LinearPart():
            change: dict[str, Any] = {"slope": part.slope * factor, "intercept": part.intercept * factor + offset}
        case PolynomialPart():
            first, *rest = (value * factor for value in part.coefficients)
            change = {"coefficients": (first + offset, *rest)}
        case _:
            change = {"fields": tuple(value * factor + offset for value in part.fields)}
    return part.model_copy(update=change)
