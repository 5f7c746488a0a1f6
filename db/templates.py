"""PV documents: which PVs the devices of a facility get, under which names and with which metadata.

A PV document is JSON. Each entry is a template: `{name}` in its `pv` stands for the device, `each` says for which
devices it is repeated, and `source` says what feeds it or, for source `set`, what a put to it sets. A source that
begins with `control.` is about gnomon itself: clients can write it, and no command comes of it.
`names` and `words` make further placeholders from parts of a device's name (see `naming`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from gnomon.db.naming import PLACEHOLDER, Naming, fault_in
from gnomon.db.pvs import AlarmLimits, Kind, Preset, PvSpec
from gnomon.db.sources import (
    BEAM_SIZE,
    BUFFER_SLOTS,
    MONITOR_BUFFER,
    MULTIPLEXER_OFF,
    MULTIPLEXER_SELECT,
    OUT_TYPES,
    READBACK,
    RECORD_TYPES,
    SET,
    SOURCES,
    Source,
    is_control,
)
from gnomon.lattice import OPTICS, DocumentError, LatticeError, PropertySpec, Ring, fault_in_states, parse_document
from gnomon.lattice.document import Part
from gnomon.lattice.elements import Cavity
from gnomon.lattice.files import read_bounded
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.units import FREQUENCY_UNITS, VOLTAGE_UNITS

Each = Literal["", "supply", "magnet", "bpm", "cavity", "multiplexer", "multiplexed"]

#: Longest unit that Channel Access carries [bytes of UTF-8].
MAX_UNIT_BYTES = 7
#: What magnets can have; a template is passed over for those that lack it (hw2phys needs a linear conversion).
MAGNET_PROPERTIES = ("main", "current", "hw2phys", "k1s", "dx", "dy", "roll")


class PvTemplate(Part):
    """One PV, or one PV for each device of a kind.

    `property` is a device's property; `main` stands for a magnet's main strength (k1, b3, kick ...). `only` keeps those
    magnets whose main strength is listed. `scale` is how many of `unit` make one unit of the source; `offset`, for a
    readback, is added to that. Without `unit` the property's own is shown; Hz and kHz, and V, kV and MV, are converted
    into each other where there is no `scale`. A property with states makes an enum of its
    PV, one that counts a whole number, unless `type` says otherwise. `record` overrides the record type that `.RTYP`
    answers. A control's `display` limits are its drive limits too. `averaging_s` is the time [s] over which the machine
    averages a reading before its time stamp, with the time that it takes until it is shown; without it, 0.1 s for
    positions at monitors, and 1 s for tunes and the beam current.
    """

    pv: str = Field(min_length=1, max_length=59)
    source: str
    description: str = Field(max_length=200)
    each: Each = ""
    only: tuple[str, ...] = ()
    device: str = ""
    property: str = ""
    unit: str | None = Field(default=None, max_length=7)
    scale: float = 1.0
    offset: float = 0.0
    precision: int = Field(default=6, ge=0, le=15)
    display: tuple[float, float] | None = None
    alarm: AlarmLimits = AlarmLimits()
    states: tuple[str, ...] = ()
    type: Literal["float", "int", "enum"] | None = None
    record: str = ""
    averaging_s: float | None = Field(default=None, ge=0.0, le=60.0)


class PvDocument(Part):
    """The PVs of a facility; `include` names documents whose PVs it has as well.

    `names` are regular expressions for whole device names, whose groups become placeholders of this document's
    templates; `words` say by group what is written instead of what was found.
    """

    schema_: Literal["gnomon.pvs/1"] = Field(alias="schema")
    name: str
    include: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    words: dict[str, dict[str, str]] = Field(default={})
    pvs: tuple[PvTemplate, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A template with the place that it stands at, for errors, and the naming of its document."""

    template: PvTemplate
    place: str
    naming: Naming


def read_pvs(name: str, find: Callable[[str], Path], including: tuple[Path, ...] = ()) -> tuple[Placed, ...]:
    """The templates of the named PV document and of those that it includes.

    `find` gives the file of a name; `including` are the files that led here. Raises DocumentError with file, place and
    reason.
    """
    path = find(name)
    if path in including:
        raise DocumentError(f"{path}: include: it includes itself, by way of {including[-1].name}")
    try:
        text = read_bounded(path)
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{path}: cannot be read: {error}") from error
    document = parse_document(PvDocument, text, str(path))
    if fault := fault_in(document.names, document.words):
        raise DocumentError(f"{path}: {fault}")
    naming = Naming(document.names, document.words)
    placed = [Placed(t, f"{path}: pvs[{i}] {t.pv!r}", naming) for i, t in enumerate(document.pvs)]
    for one in placed:
        if fault := _fault(one.template):
            raise DocumentError(f"{one.place}: {fault}")
    included = (t for other in document.include for t in read_pvs(other, find, (*including, path)))
    return (*included, *placed)


def pv_files(name: str, find: Callable[[str], Path]) -> dict[str, Path]:
    """The files of a PV document that was read before, and of those that it includes, by their names."""
    path = find(name)
    document = parse_document(PvDocument, read_bounded(path), str(path))
    files = {name: path}
    for other in document.include:
        files |= pv_files(other, find)
    return files


def _fault(template: PvTemplate) -> str | None:
    """Find what is wrong with a template, whatever the ring."""
    if template.source not in SOURCES:
        return f"there is no source {template.source!r}{near_names_hint(template.source, SOURCES)}"
    if template.unit is not None and (size := len(template.unit.encode(errors="replace"))) > MAX_UNIT_BYTES:
        return f"the unit {template.unit!r} has {size} bytes; Channel Access has room for {MAX_UNIT_BYTES}"
    if template.each == "magnet" and template.property not in MAGNET_PROPERTIES:
        return f"no magnet has the property {template.property!r}; there are {', '.join(MAGNET_PROPERTIES)}"
    if template.offset and template.source != READBACK.name:
        return f"an offset is for the source 'readback', not for {template.source!r}"
    if not template.each and not template.device and PLACEHOLDER.search(template.pv):
        return "a placeholder needs a device: give `each` or `device`"
    return None


def expand(templates: tuple[Placed, ...], ring: Ring, prefix: str) -> tuple[PvSpec, ...]:
    """All PVs of a ring under a prefix. Raises DocumentError when a name is given twice or a device is missing."""
    specs: dict[str, PvSpec] = {}
    origin: dict[str, str] = {}
    for placed in templates:
        template = placed.template
        for device, name in _devices(template, ring):
            try:
                pv = prefix + placed.naming.fill(template.pv, name)
                spec = _spec(template, ring, device, pv, placed.naming.fill(template.description, name))
            except LatticeError as error:
                raise DocumentError(f"{placed.place}: {error}") from error
            if pv in specs:
                raise DocumentError(
                    f"{placed.place}: PV {pv!r} is given twice: for {name or 'the machine'} here, for {origin[pv]}"
                )
            specs[pv] = spec
            origin[pv] = f"{name or 'the machine'} by {template.pv!r}"
    return tuple(specs.values())


def _devices(template: PvTemplate, ring: Ring) -> Iterator[tuple[str, str]]:
    """(device, what `{name}` stands for) of each PV of a template."""
    match template.each:
        case "":
            yield template.device, template.device
        case "supply":
            mux = (ring.multiplexer.supply,) if ring.multiplexer else ()
            for name in (*(s.name for s in ring.document.supplies), *mux):
                yield name, name
        case "magnet":
            for magnet in ring.magnets:
                wanted = not template.only or magnet.main in template.only
                if wanted and (template.property == "main" or (magnet.name, template.property) in ring.properties):
                    yield magnet.name, magnet.name
        case "bpm":
            for bpm in ring.bpms:
                yield bpm.name, bpm.name
        case "multiplexer" if ring.multiplexer:
            yield ring.multiplexer.supply, ring.multiplexer.supply
        case "multiplexed" if ring.multiplexer:
            for name in ring.multiplexer.magnets:
                yield name, name
        case "cavity":
            for element in ring.elements:
                if isinstance(element, Cavity) and element.harmonic_number == ring.harmonic_number:
                    yield template.device, element.name


def _spec(template: PvTemplate, ring: Ring, device: str, name: str, description: str) -> PvSpec:
    property = template.property
    if property == "main":
        property = next(m.main for m in ring.magnets if m.name == device)
    source = SOURCES[template.source]
    known = ring.property_spec(device, property) if source in (SET, READBACK) else None
    template = _in_own_unit(template, known)
    kind = Kind(template.type) if template.type else _kind(template, known)
    states = template.states or (known.states if known else ())
    unit = template.unit if template.unit is not None else (known.unit if known else "")
    control = is_control(template.source)
    writable = control or source.setting
    drive = _scaled(known, template) if known and writable else template.display if control else None
    if source in BEAM_SIZE and device not in {p.name for p in ring.document.source_points}:
        raise LatticeError(f"{ring.name}: there is no source point {device!r}")
    presets = _presets(source, device, property, ring)
    if presets:
        drive = (0.0, float(len(presets) - 1))
    if kind is Kind.ENUM and known is not None and len(states) != known.high - known.low + 1.0:
        raise LatticeError(f"{device} {property} has the states {known.low:g} to {known.high:g}, not {len(states)}")
    if kind is Kind.ENUM and (fault := fault_in_states(states)):
        raise LatticeError(fault)
    if source is MONITOR_BUFFER:
        _check_slots(ring)
    return PvSpec(
        name=name,
        kind=kind,
        source=template.source,
        description=description,
        device=device,
        property=property,
        unit=unit,
        scale=template.scale,
        offset=template.offset,
        precision=template.precision,
        display=template.display or (_scaled(known, template) if known else None),
        drive=drive,
        alarm=_alarm(known, template),
        states=states,
        length=source.length.of(ring),
        columns=source.columns,
        writable=writable,
        presets=presets,
        record_type=template.record or _record_type(kind, states, writable),
        averaging_s=source.averaging_s if template.averaging_s is None else template.averaging_s,
    )


def _in_own_unit(template: PvTemplate, known: PropertySpec | None) -> PvTemplate:
    """The template with the scale that its unit needs where the machine document shows that property in another."""
    for units in (FREQUENCY_UNITS, VOLTAGE_UNITS):
        if known and template.scale == 1.0 and known.unit in units and template.unit in units:
            return template.model_copy(update={"scale": units[known.unit] / units[template.unit]})
    return template


def _kind(template: PvTemplate, known: PropertySpec | None) -> Kind:
    if known is None:
        return SOURCES[template.source].kind
    return Kind.ENUM if known.states else Kind.INT if known.whole else Kind.FLOAT


def _record_type(kind: Kind, states: tuple[str, ...], writable: bool) -> str:
    if kind is Kind.ENUM and len(states) > 2:
        return "mbbo" if writable else "mbbi"
    return (OUT_TYPES if writable else RECORD_TYPES)[kind]


def _presets(source: Source, device: str, property: str, ring: Ring) -> tuple[tuple[Preset, ...], ...]:
    """Return what the numbers put to a PV set, where that is more than its property: buttons, and the optics."""
    if source in (MULTIPLEXER_SELECT, MULTIPLEXER_OFF):
        mux = ring.multiplexer
        if mux is None:
            raise LatticeError(f"{ring.name} has no multiplexer")
        number = mux.magnets.index(device) + 1 if source is MULTIPLEXER_SELECT else 0
        return (), ((mux.name, "selected", float(number)),)
    if source is SET and (device, property) == OPTICS:
        numbers = range(len(ring.document.optics) + 1)
        return tuple(tuple((*key, value) for key, value in ring.optics_settings(n).items()) for n in numbers)
    return ()


def _scaled(spec: PropertySpec, template: PvTemplate) -> tuple[float, float]:
    low, high = sorted(limit * template.scale + template.offset for limit in (spec.low, spec.high))
    return low, high


def _alarm(spec: PropertySpec | None, template: PvTemplate) -> AlarmLimits:
    if template.alarm != AlarmLimits() or spec is None or spec.alarm_low is None or spec.alarm_high is None:
        return template.alarm
    low, high = sorted(limit * template.scale + template.offset for limit in (spec.alarm_low, spec.alarm_high))
    return AlarmLimits(low=low, high=high)


def _check_slots(ring: Ring) -> None:
    beyond = [bpm.name for bpm in ring.bpms if bpm.slot is None or bpm.slot > BUFFER_SLOTS]
    if beyond:
        raise LatticeError(f"monitor {beyond[0]} has no slot from 1 to {BUFFER_SLOTS} in the packed buffer")
