"""Checks of what the parts of a machine document must agree on: names, references, feeding, limits."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from gnomon.lattice._errors import DocumentError
from gnomon.lattice.document import NOMINAL_OPTICS, ElementPart, MachineDocument
from gnomon.lattice.states import fault_in_states


def check(document: MachineDocument, where: str) -> None:
    """Check a document, so that one that is read can be built. Raises DocumentError naming the first fault."""
    for fault in _faults(document):
        raise DocumentError(f"{where}: {fault}")


def _faults(document: MachineDocument) -> Iterator[str]:
    elements = {e.name: e for e in document.elements}
    supplies = {s.name for s in document.supplies}
    yield from _repeated("elements", (e.name for e in document.elements))
    yield from _repeated("supplies", (s.name for s in document.supplies))
    yield from _repeated("magnets", (m.name for m in document.magnets))
    yield from _repeated("monitors", (m.name for m in document.monitors))
    yield from _repeated("monitors' slots", (m.slot for m in document.monitors if m.slot is not None))
    for magnet in document.magnets:
        element = elements.get(magnet.element)
        if element is None:
            yield f"magnet {magnet.name!r}: its element {magnet.element!r} is not in the ring"
        elif element.type in ("drift", "marker", "monitor", "cavity"):
            yield f"magnet {magnet.name!r}: its element {magnet.element!r} is a {element.type} and carries no field"
        if magnet.name in elements and magnet.name != magnet.element:
            yield f"magnet {magnet.name!r}: it has the name of an element other than its own, {magnet.element!r}"
        if magnet.supply not in supplies:
            yield f"magnet {magnet.name!r}: its supply {magnet.supply!r} is not among the supplies"
    fed = {m.supply for m in document.magnets}
    for supply in document.supplies:
        if supply.name not in fed:
            yield f"supply {supply.name!r}: it feeds no magnet"
        if supply.name in elements:
            yield f"supply {supply.name!r}: an element has the same name"
    low, high = document.limits.monitor_gain
    if not 0.0 < low <= 1.0 <= high:
        yield f"limits monitor_gain: {low:g} to {high:g} must be above 0 and have 1 between them"
    for monitor in document.monitors:
        element = elements.get(monitor.name)
        if element is None or element.type != "monitor":
            yield f"monitor {monitor.name!r}: no element of type monitor has this name"
    magnets = {m.name for m in document.magnets}
    if document.multiplexer is not None:
        for name in document.multiplexer.magnets:
            if name not in magnets:
                yield f"multiplexer {document.multiplexer.name!r}: {name!r} is not among the magnets"
    for optics, strengths in document.optics.items():
        if optics == NOMINAL_OPTICS:
            yield f"optics {optics!r}: the design's strengths are called so"
        for name in strengths:
            if name not in magnets:
                yield f"optics {optics!r}: {name!r} is not among the magnets"
    yield from _faults_of_operation(document, elements)


def _faults_of_operation(document: MachineDocument, elements: Mapping[str, ElementPart]) -> Iterator[str]:
    if document.energy_ev <= document.rest_energy_ev:
        yield f"energy_ev: {document.energy_ev:g} eV is not above the rest energy, {document.rest_energy_ev:g} eV"
    if not 0.0 < document.limits.energy[0] <= 1.0 <= document.limits.energy[1]:
        yield "limits energy: {:g} to {:g} must be above 0 and have 1 between them".format(*document.limits.energy)
    low, high = document.energy_range_ev
    for optics, part in document.operating.items():
        if optics not in document.optics:
            yield f"operating {optics!r}: it is not among the optics"
        if part.energy_ev is not None and not low <= part.energy_ev <= high:
            yield f"operating {optics!r}: {part.energy_ev:g} eV is outside the energy's limits {low:g} to {high:g} eV"
    yield from _repeated("switches", (s.name for s in document.switches))
    taken = elements.keys() | {s.name for s in document.supplies} | {m.name for m in document.magnets} | {"rf", "ring"}
    for switch in document.switches:
        if fault := fault_in_states(switch.states):
            yield f"switch {switch.name!r}: {fault}"
        if switch.name in taken:
            yield f"switch {switch.name!r}: another device has the same name"
        ends = (0, len(switch.states) - 1) if switch.states else (switch.low, switch.high)
        if not ends[0] <= switch.nominal <= ends[1]:
            yield f"switch {switch.name!r}: nominal {switch.nominal} is outside {ends[0]} to {ends[1]}"
    if document.stored_beam is not None and not document.beam_current_ma > 0.0:
        yield f"stored_beam: it needs a beam_current_ma above 0, not {document.beam_current_ma:g}"
    yield from _repeated("source_points", (p.name for p in document.source_points))
    for point in document.source_points:
        element = elements.get(point.element)
        if element is None or element.type != "bend":
            yield f"source point {point.name!r}: its element {point.element!r} is not a bend of the ring"


def _repeated(what: str, names: Iterable[object]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what}: {name!r} appears {count} times; names must be unique"
