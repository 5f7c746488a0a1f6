"""Targets of faults: refused, with similar names, if this server has nothing of the kind."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from gnomon.db.sources import READBACK
from gnomon.fault_injection import (
    BeamJump,
    BeamLifetime,
    CommandFault,
    FaultRequest,
    ReadingFault,
    SupplyFault,
    Swap,
    Swapped,
    WrongLength,
    parse_condition,
)
from gnomon.ioc.app.active_faults import NUMBERS, PvValues
from gnomon.ioc.app.injected_beam import kicking_magnets
from gnomon.ioc.app.reading_targets import find_target, is_reading
from gnomon.lattice import Ring
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.text import shorten

#: Number of names that a refusal lists.
MAX_NAMES = 5


def without_target(request: FaultRequest, ring: Ring, values: PvValues) -> str:
    """Give the reason if a fault names something that there is not, with near names; else empty."""
    return next((reason for reason in _reasons(request, ring, values) if reason), "")


def _reasons(request: FaultRequest, ring: Ring, values: PvValues) -> Iterator[str]:
    if request.condition is not None:
        for pv in parse_condition(request.condition).pvs:
            yield no_number(values, pv)
    match request:
        case Swap():
            yield fits_nothing(ring, request.device, request.property)
            yield fits_nothing(ring, request.other, request.property)
        case CommandFault():
            yield fits_nothing(ring, request.device, request.property)
        case SupplyFault():
            yield is_no_supply(ring, request.device)
        case BeamJump():
            yield kicks_nothing(ring, request)
        case BeamLifetime() if ring.document.stored_beam is None:
            yield f"the document of {ring.name} has no stored_beam, and so its beam has no lifetime that could drop"
        case ReadingFault():
            yield shows_nothing(request, ring, values)


def is_no_supply(ring: Ring, device: str) -> str:
    """Give the reason if a pattern matches no power supply of a ring, with near names; else empty."""
    names = [supply.name for supply in ring.document.supplies]
    if any(fnmatchcase(name, device) for name in names):
        return ""
    fed = dict.fromkeys(magnet.supply for magnet in ring.magnets if fnmatchcase(magnet.name, device))
    if fed:
        return f"no power supply of {ring.name} matches {shorten(device)}, a magnet; fed by {', '.join(_some(fed))}"
    return f"no power supply of {ring.name} matches {shorten(device)}{near_names_hint(device, names)}"


def kicks_nothing(ring: Ring, request: BeamJump) -> str:
    """Give the reason if a fault lets no magnet kick the beam, with near names; else empty."""
    if kicking_magnets(ring, request):
        return ""
    names = [magnet.name for magnet in kicking_magnets(ring, request.model_copy(update={"device": "*"}))]
    what = "horizontally" if request.plane == "x" else "vertically"
    return (
        f"no steerer or quadrupole of {ring.name} that kicks {what} matches {shorten(request.device)}"
        f"{near_names_hint(request.device, names)}"
    )


def no_number(values: PvValues, pv: str) -> str:
    """Give the reason if a condition cannot be about a PV, with near names; else empty."""
    index = values.find(pv)
    if index is None:
        prefix = values.prefix
        return f"condition: no PV {shorten(pv)}{near_names_hint(prefix + pv.removeprefix(prefix), values.bank.index)}"
    spec = values.bank.specs[index]
    return "" if spec.kind in NUMBERS else f"condition: {spec.name} is not a single number"


def shows_nothing(request: ReadingFault, ring: Ring, values: PvValues) -> str:
    """Give the reason if a fault of readings is about no reading, with near names; else empty."""
    specs = values.bank.specs
    monitors = [bpm.name for bpm in ring.bpms]
    if isinstance(request, Swapped):
        for name in (request.device, request.other):
            if name not in monitors:
                return f"there is no monitor {shorten(str(name))} in {ring.name}{near_names_hint(str(name), monitors)}"
    if not find_target(request, ring, specs, values.prefix).nothing:
        return ""
    if request.pv is not None:
        what = "array that shows" if isinstance(request, WrongLength) else "PV that shows"
        names = [spec.name for spec in specs if is_reading(spec)]
        bare = values.prefix + request.pv.removeprefix(values.prefix)
        return f"no {what} a reading matches {shorten(request.pv)}{near_names_hint(bare, names)}"
    device = request.device or ""
    names = [*monitors, *dict.fromkeys(spec.device for spec in specs if spec.source == READBACK.name)]
    fitting = {name for name in names if fnmatchcase(name, device)}
    if not fitting:
        return f"no device of {ring.name} with a reading matches {shorten(device)}{near_names_hint(device, names)}"
    known = ["x", "y"] if fitting & set(monitors) else []
    known += dict.fromkeys(s.property for s in specs if s.source == READBACK.name and s.device in fitting)
    return (
        f"no device that matches {shorten(device)} has a reading of a property that matches "
        f"{shorten(request.property)}; readings: {', '.join(known[:MAX_NAMES])}"
    )


def fits_nothing(ring: Ring, device: str, property: str) -> str:
    """Give the reason if patterns of a fault match no property of any device of a ring, with near names; else empty."""
    names = list(dict.fromkeys(name for name, _ in ring.properties))
    fitting = {name for name in names if fnmatchcase(name, device)}
    if not fitting:
        return f"no device of {ring.name} matches {shorten(device)}{near_names_hint(device, names)}"
    known = list(dict.fromkeys(kind for name, kind in ring.properties if name in fitting))
    if any(fnmatchcase(kind, property) for kind in known):
        return ""
    near = near_names_hint(property, known) or f"; known properties: {', '.join(known[:MAX_NAMES])}"
    return f"no device that matches {shorten(device)} has a property that matches {shorten(property)}{near}"


def _some(names: Iterable[str]) -> list[str]:
    listed = list(names)
    return [*listed[:MAX_NAMES], "..."] if len(listed) > MAX_NAMES else listed
