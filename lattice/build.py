"""From a machine document to elements, devices and nominal settings."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.lattice import document as doc
from gnomon.lattice._errors import LatticeError
from gnomon.lattice.conversions import Conversion, Linear, Polynomial, Table
from gnomon.lattice.device_table import Affected, DeviceTable
from gnomon.lattice.devices import BeamPositionMonitor, Magnet, Multiplexer, PropertySpec
from gnomon.lattice.elements import (
    PARAMETERS,
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
from gnomon.lattice.monitor_errors import SETTINGS
from gnomon.lattice.named_optics import optics_stiffness
from gnomon.lattice.operation import add_operation
from gnomon.lattice.units import FREQUENCY_UNITS

#: The column that each property of a magnet drives, the name that its device gives it, and its unit.
COLUMN = {"k1": "b2", "k1s": "a2", "b3": "b3", "b4": "b4", "kick_x": "kick_x", "kick_y": "kick_y"}
MAIN = {"k1": "k1", "k1s": "k1s", "b3": "b3", "b4": "b4", "kick_x": "kick", "kick_y": "kick"}
UNIT = {"k1": "1/m^2", "k1s": "1/m^2", "b3": "1/m^3", "b4": "1/m^4", "kick": "rad"}

#: Errors that every magnet can have: property, column, unit and the limit's name in the document.
ERRORS = (("k1s", "a2", "1/m^2", "skew"), ("dx", "dx", "m", "offset_m"), ("dy", "dy", "m", "offset_m"))
ROLL = ("roll", "roll", "rad", "roll_rad")


def build_elements(document: doc.MachineDocument) -> tuple[Element, ...]:
    """The elements of a document with their nominal strengths, in beam order."""
    return tuple(_element(part) for part in document.elements)


def _element(part: doc.ElementPart) -> Element:
    match part:
        case doc.DriftPart():
            return Drift(name=part.name, length=part.length)
        case doc.MarkerPart():
            return Marker(name=part.name)
        case doc.MonitorPart():
            return Monitor(name=part.name, length=part.length)
        case doc.QuadrupolePart():
            return Quadrupole(b=(0.0, part.k1, 0.0, 0.0), **_fields(part, "k1"))
        case doc.SextupolePart():
            return Sextupole(b=(0.0, 0.0, part.b3, 0.0), **_fields(part, "b3"))
        case doc.OctupolePart():
            return Octupole(b=(0.0, 0.0, 0.0, part.b4), **_fields(part, "b4"))
        case doc.MultipolePart():
            return Multipole(**_fields(part))
        case doc.CorrectorPart():
            return Corrector(**_fields(part))
        case doc.CavityPart():
            return Cavity(**_fields(part))
        case doc.BendPart():
            return Bend(**_fields(part))


def _fields(part: doc.ElementPart, *without: str) -> dict[str, Any]:
    return part.model_dump(exclude={"type", *without})


def build_devices(
    document: doc.MachineDocument,
    elements: Sequence[Element],
    index: Mapping[str, int],
    rigidity: float,
    rf_nominal: float,
) -> DeviceTable:
    """Properties, settings and what they reach. Raises LatticeError when magnets of one supply disagree."""
    devices = DeviceTable()
    limits = document.limits
    width = limits.rf_hz / FREQUENCY_UNITS[document.rf.unit]
    devices.stored(
        PropertySpec(
            device="rf",
            property="frequency",
            unit=document.rf.unit,
            low=rf_nominal - width,
            high=rf_nominal + width,
            nominal=rf_nominal,
        )
    )
    conversions = [_conversion(m.conversion) for m in document.magnets]
    supplies = _supplies(document, devices, elements, index, rigidity, conversions)
    _multiplexer(document, devices)
    _errors(document, devices, elements)
    for part, conversion in zip(document.magnets, conversions, strict=True):
        _magnet(document, devices, part, conversion, elements, index, rigidity, supplies[part.supply])
    _monitors(document, devices)
    add_operation(document, devices, elements)
    _reach(devices, document)
    devices.bpms = tuple(
        BeamPositionMonitor(m.name, index[m.name], m.slot, m.offset_x_mm, m.offset_y_mm) for m in document.monitors
    )
    return devices


def _conversion(part: doc.ConversionPart) -> Conversion:
    match part:
        case doc.LinearPart():
            return Linear(part.slope, part.intercept)
        case doc.PolynomialPart():
            return Polynomial(part.coefficients, part.low, part.high)
        case doc.TablePart():
            return Table(part.currents, part.fields)


def _supplies(
    document: doc.MachineDocument,
    devices: DeviceTable,
    elements: Sequence[Element],
    index: Mapping[str, int],
    rigidity: float,
    conversions: Sequence[Conversion],
) -> dict[str, int]:
    """Slots of the supplies' currents. The nominal current is what gives their magnets' nominal strength."""
    nominal: dict[str, float] = {}
    family: dict[str, doc.Property] = {}
    driven: set[tuple[str, str]] = set()
    for magnet, conversion in zip(document.magnets, conversions, strict=True):
        # Of several magnets that add to one strength, the first carries the nominal one.
        first = (magnet.element, magnet.property) not in driven
        driven.add((magnet.element, magnet.property))
        strength = _design(elements[index[magnet.element]], magnet.property) if first else 0.0
        try:
            current = conversion.current(strength * rigidity) + 0.0  # no -0
        except LatticeError as error:
            raise LatticeError(f"{document.name}: magnet {magnet.name!r}: its nominal strength: {error}") from error
        known = nominal.setdefault(magnet.supply, current)
        family.setdefault(magnet.supply, magnet.property)
        if abs(known - current) > 1e-9 * max(abs(known), 1.0):
            raise LatticeError(
                f"{document.name}: supply {magnet.supply!r} feeds magnets that disagree about its nominal current: "
                f"{known:.9g} A, and {current:.9g} A for {magnet.name!r}"
            )
    used = {name: [current] for name, current in nominal.items()}
    for optics, strengths in document.optics.items():
        stiffness = rigidity * optics_stiffness(document, optics)
        for magnet, conversion in zip(document.magnets, conversions, strict=True):
            if magnet.name in strengths:
                used[magnet.supply].append(conversion.current(strengths[magnet.name] * stiffness))
    slots = {}
    for supply in document.supplies:
        name = supply.name
        part = supply.limits or _family_limits(document, name, family[name], used[name])
        slots[name] = devices.stored(_ranged(name, "current", "A", nominal[name], part))
    return slots


def _family_limits(
    document: doc.MachineDocument, supply: str, family: doc.Property, used: Sequence[float]
) -> doc.RangePart:
    """Limits by what a supply drives; `used` are its currents in the nominal and the named optics."""
    part = document.limits.supply.get(family)
    if part is None:
        raise LatticeError(f"{document.name}: supply {supply!r} and limits.supply {family!r} both give no limits")
    if part.relative is not None and any(used):
        ends = [factor * current + 0.0 for factor in part.relative for current in used]
        low, high = min(ends), max(ends)
    elif part.absolute is not None:
        low, high = part.absolute
    else:
        raise LatticeError(f"{document.name}: supply {supply!r} has the nominal current 0 and no absolute limits")
    alarm = part.alarm or (None, None)
    return doc.RangePart(low=low, high=high, alarm_low=alarm[0], alarm_high=alarm[1], assumed=document.limits.assumed)


def _multiplexer(document: doc.MachineDocument, devices: DeviceTable) -> None:
    part = document.multiplexer
    if part is None:
        return
    current = devices.stored(_ranged(part.supply, "current", "A", 0.0, part.limits))
    count = len(part.magnets)
    selected = devices.stored(
        PropertySpec(
            device=part.name, property="selected", unit="", low=0.0, high=float(count), nominal=0.0, whole=True
        )
    )
    devices.multiplexer = Multiplexer(
        part.name, part.supply, part.factor, current, selected, -1, part.magnets, part.state_s, part.off_name
    )


def _errors(document: doc.MachineDocument, devices: DeviceTable, elements: Sequence[Element]) -> None:
    driven: dict[str, set[str]] = defaultdict(set)
    for magnet in document.magnets:
        driven[magnet.name].add(magnet.property)
    for i, element in enumerate(elements):
        if not isinstance(element, Multipole):
            continue
        for name, column, unit, limit_name in (*ERRORS, ROLL):
            if name in driven[element.name]:
                continue  # a skew quadrupole magnet's own strength
            limit = getattr(document.limits, limit_name)
            spec = PropertySpec(device=element.name, property=name, unit=unit, low=-limit, high=limit, nominal=0.0)
            devices.errors_of[i].append((PARAMETERS.index(column), devices.stored(spec)))


def _monitors(document: doc.MachineDocument, devices: DeviceTable) -> None:
    """Errors of monitors; they stand last, in chunks of their own, so that the other settings keep their places."""
    limits = document.limits
    offset, roll = limits.monitor_offset_m, limits.monitor_roll_rad
    ranges = ((-offset, offset), (-offset, offset), limits.monitor_gain, limits.monitor_gain, (-roll, roll))
    devices.monitor_slot = devices.align()
    for monitor in document.monitors:
        known = monitor.error or doc.MonitorErrorPart()
        offsets = (1e-3 * known.offset_x_mm, 1e-3 * known.offset_y_mm)
        nominals = (*offsets, known.gain_x, known.gain_y, known.roll_rad)
        for (name, unit), (low, high), nominal in zip(SETTINGS, ranges, nominals, strict=True):
            devices.stored(
                PropertySpec(device=monitor.name, property=name, unit=unit, low=low, high=high, nominal=nominal)
            )


def _magnet(
    document: doc.MachineDocument,
    devices: DeviceTable,
    part: doc.MagnetPart,
    conversion: Conversion,
    elements: Sequence[Element],
    index: Mapping[str, int],
    rigidity: float,
    supply_slot: int,
) -> None:
    main = MAIN[part.property]
    unit = UNIT[main]
    supply = devices.properties[part.supply, "current"]
    scale_slot = None
    intercept = 0.0
    nominal = conversion.field(supply.nominal) / rigidity
    if isinstance(conversion, Linear):
        factor = conversion.slope / rigidity
        low, high = sorted(f * factor for f in document.limits.strength)
        # 1/m^2/A rather than 1/(m^2 A): the unit must stay within the 7 characters of Channel Access.
        spec = PropertySpec(device=part.name, property="hw2phys", unit=f"{unit}/A", low=low, high=high, nominal=factor)
        scale_slot = devices.stored(spec)
        intercept = conversion.intercept / rigidity
    if nominal != 0.0:
        low, high = sorted(f * nominal for f in document.limits.strength)
    else:
        low, high = sorted(conversion.field(i) / rigidity for i in (supply.low, supply.high))
    # A trim is what a strength was asked to be, less what the current gave: whatever both may be has to find room, or
    # a trim that is in force could not be restored.
    widest = max(abs(low), abs(high), *(abs(conversion.field(i)) / rigidity for i in (supply.low, supply.high)))
    ratio = document.momentum_ev(document.energy_ev) / document.momentum_ev(document.energy_range_ev[0])
    room = 2.0 * max(1.0, *map(abs, document.limits.strength)) * ratio * widest
    trim = f"{main}_trim"
    trim_slot = devices.stored(
        PropertySpec(device=part.name, property=trim, unit=unit, low=-room, high=room, nominal=0.0)
    )
    spec = PropertySpec(device=part.name, property=main, unit=unit, low=low, high=high, nominal=nominal)
    devices.derived(spec, trim_slot, trim)
    number = len(devices.magnets)
    devices.strengths[part.name, main] = number
    element = index[part.element]
    mux = document.multiplexer
    devices.magnets.append(
        Magnet(
            name=part.name,
            element=element,
            column=PARAMETERS.index(COLUMN[part.property]),
            main=main,
            unit=unit,
            supply=part.supply,
            conversion=conversion,
            rigidity=rigidity,
            supply_slot=supply_slot,
            trim_slot=trim_slot,
            scale_slot=scale_slot,
            intercept=intercept,
            selection=mux.magnets.index(part.name) + 1 if mux and part.name in mux.magnets else None,
        )
    )
    devices.magnets_of[part.name].append(number)
    devices.magnets_on[element].append(number)
    devices.derived(
        PropertySpec(
            device=part.name, property="current", unit="A", low=supply.low, high=supply.high, nominal=supply.nominal
        ),
        None,
        "",
    )


def _reach(devices: DeviceTable, document: doc.MachineDocument) -> None:
    magnets: dict[int, set[int]] = defaultdict(set)
    for number, magnet in enumerate(devices.magnets):
        for slot in (magnet.supply_slot, magnet.trim_slot, magnet.scale_slot):
            if slot is not None:
                magnets[slot].add(number)
        if devices.multiplexer is not None and magnet.selection is not None:
            mux = devices.multiplexer
            for each in (mux.current_slot, mux.selected_slot, mux.on_slot):
                magnets[each].add(number)
        magnets[devices.operation_slot].add(number)  # the energy's
    elements: dict[int, set[int]] = defaultdict(set)
    for slot, numbers in magnets.items():
        elements[slot].update(devices.magnets[n].element for n in numbers)
    for element, errors in devices.errors_of.items():
        for _, slot in errors:
            elements[slot].add(element)
    curved = {n for n, magnet in enumerate(devices.magnets) if not isinstance(magnet.conversion, Linear)}
    for slot, numbers in elements.items():
        reached = magnets.get(slot, set())
        devices.affects[slot] = Affected(
            tuple(sorted(numbers)), tuple(sorted(reached)), tuple(sorted(reached & curved))
        )


def _ranged(device: str, name: str, unit: str, nominal: float, part: doc.RangePart) -> PropertySpec:
    if not part.low <= nominal <= part.high:
        raise LatticeError(f"{device}: nominal {name} {nominal:g} is outside {part.low:g} to {part.high:g} {unit}")
    return PropertySpec(
        device=device,
        property=name,
        unit=unit,
        low=part.low,
        high=part.high,
        nominal=nominal,
        alarm_low=part.alarm_low,
        alarm_high=part.alarm_high,
    )


def _design(element: Element, name: doc.Property) -> float:
    """Design value of the parameter that a property drives."""
    assert isinstance(element, Multipole)  # checked when the document was read
    column = COLUMN[name]
    if column in ("kick_x", "kick_y"):
        return float(getattr(element, column))
    coefficients = element.a if column[0] == "a" else element.b
    return coefficients[int(column[1]) - 1]
