"""From a ring as read to a machine document, or to the list of what stands in the way."""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gnomon.lattice.build import build_elements
from gnomon.lattice.document import MachineDocument
from gnomon.lattice.exchange.document_text import render
from gnomon.lattice.exchange.element_names import unique_names
from gnomon.lattice.exchange.findings import ExchangeError, Finding, MissingEnergyError, RefusedLattice, summary
from gnomon.lattice.exchange.foreign import MAX_ELEMENTS, ForeignElement, ForeignRing
from gnomon.lattice.exchange.momentum_compaction import frequency_findings
from gnomon.lattice.exchange.powering import ELECTRON_EV, LIMITS, power, rigidity
from gnomon.lattice.exchange.readers import read_ring
from gnomon.lattice.exchange.slicing import SLICED, choose_slices
from gnomon.lattice.exchange.translate import driven, empty, translate
from gnomon.lattice.parsing import parse_machine

#: Energy with which a file is read to find out what else it lacks [eV].
PROBE_EV = 1e9
ADVICE = (
    "Nothing was written. Leave elements out as free space with --drop NAME (patterns like 'ID*' may be given, several "
    "times), or take the nearest that can be had for all of them with --approximate."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """Options of an import: `drop`: patterns of names that may become free space; `approximate`: use nearest parts.

    `use` names the sequence or line of a file that has several; `bare` leaves out supplies and magnets. Energy [eV] and
    harmonic number replace those of the file. `slices` is the number of slices of every thick magnet; without it each
    has those of the file, or else as many as its linear map needs.
    """

    name: str | None = None
    use: str | None = None
    energy_ev: float | None = None
    harmonic_number: int | None = None
    bare: bool = False
    approximate: bool = False
    drop: tuple[str, ...] = ()
    slices: int | None = None


@dataclass(slots=True)
class Imported:
    """A machine document as JSON has it, and what was left out on the way."""

    document: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)

    def parsed(self, where: str) -> MachineDocument:
        """The document, checked. Raises DocumentError."""
        return parse_machine(render(self.document), where)


def import_machine(file: Path, format: str, options: ImportOptions | None = None) -> Imported:
    """Read a lattice file of another program as a machine document.

    Raises RefusedLattice with all that cannot be represented, and ExchangeError when the file cannot be read or does
    not say what a ring needs.
    """
    options = options or ImportOptions()
    try:
        ring = read_ring(file, format, options.use, options.energy_ev, options.harmonic_number)
    except MissingEnergyError as error:
        raise ExchangeError(f"{error}{_further_need(file, format, options)}") from error
    return build_import(ring, str(file), options)


def _further_need(file: Path, format: str, options: ImportOptions) -> str:
    """Say that the harmonic number is needed besides the energy, if the file does not say it for any energy."""
    if options.harmonic_number is not None:
        return ""
    try:
        known = read_ring(file, format, options.use, PROBE_EV, None).harmonic_number
    except ExchangeError:
        return ""  # it is told when the energy is given
    return "" if known else " and --harmonic-number, which is not in the file either"


def build_import(ring: ForeignRing, where: str, options: ImportOptions) -> Imported:
    """`import_machine` for a ring that was read already; `where` names it in errors."""
    energy = options.energy_ev if options.energy_ev is not None else ring.energy_ev
    if energy is None:
        raise ExchangeError(f"{where}: the beam energy is not in the file: give --energy-ev [eV]")
    harmonic_number = options.harmonic_number if options.harmonic_number is not None else ring.harmonic_number
    if not harmonic_number or harmonic_number < 0:
        raise ExchangeError(f"{where}: the harmonic number is not in the file: give --harmonic-number")
    rest_energy = ring.rest_energy_ev or ELECTRON_EV
    if energy <= rest_energy:
        raise ExchangeError(f"{where}: energy {energy:g} eV is not above the particle's rest energy {rest_energy:g} eV")
    parts, findings, monitors, properties = _parts(ring, where, options)
    if not sum(part.get("length", 0.0) for part in parts) > 0.0:
        raise ExchangeError(f"{where}: the ring has no length: is a line of drifts and magnets chosen with --use?")
    supplies, magnets = ([], []) if options.bare else power(parts, properties, rigidity(energy, rest_energy))
    name = options.name or _machine_name(ring.name or Path(where).stem)
    document: dict[str, Any] = {
        "schema": "gnomon.machine/1",
        "name": name,
        "title": ring.name or name,
        "source": f"imported from {Path(where).name}",
        "notes": _notes(findings, bare=options.bare),
        "energy_ev": energy,
        "rest_energy_ev": rest_energy,
        "harmonic_number": harmonic_number,
        "rf": {"unit": "kHz"},
        "pvs": "plain",
        "limits": LIMITS,
        "elements": parts,
        "supplies": supplies,
        "magnets": magnets,
        "monitors": monitors,
    }
    imported = Imported(document, findings)
    elements = build_elements(imported.parsed(where))
    if not sum(part.get("length", 0.0) for part in parts) > 0.0:
        raise ExchangeError(f"{where}: the ring has no length: its elements must add up to more than 0 m")
    lost = frequency_findings(elements, energy, rest_energy, harmonic_number)
    imported.findings.extend(lost)
    document["notes"] = [*document["notes"], *(f"Not imported:{line[1:]}" for line in summary(lost))]
    return imported


def _parts(
    ring: ForeignRing, where: str, options: ImportOptions
) -> tuple[list[dict[str, Any]], list[Finding], list[dict[str, Any]], list[list[str]]]:
    findings = list(ring.findings)
    parts: list[dict[str, Any]] = []
    monitors: list[dict[str, Any]] = []
    properties: list[list[str]] = []
    altering = [f for f in ring.findings if f.changes_beam and not options.approximate]
    dropped = {f.element for f in altering if _matches(f.element, options.drop)}
    refused = [f for f in altering if f.element not in dropped]
    if not 0 < len(ring.elements) <= MAX_ELEMENTS:
        raise ExchangeError(f"{where}: {len(ring.elements)} elements; there must be some, and at most {MAX_ELEMENTS}")
    for element, name in zip(ring.elements, unique_names([e.name for e in ring.elements]), strict=True):
        try:
            made = translate(element, approximate=options.approximate)
        except (TypeError, ValueError, OverflowError) as error:
            raise ExchangeError(f"{where}: {element.kind} {element.name} ({element.place}): {error}") from error
        part = None if element.name in dropped else made.part
        if part is None:
            part = empty(element)
            if element.length < 0.0 or not _matches(element.name, options.drop):
                refused.extend(made.findings)
        findings.extend(made.findings)
        part |= _slices(part, element, options.slices)
        parts.append({"type": part.pop("type"), "name": name} | part)
        properties.append(list(driven(parts[-1], element)))
        if made.monitor:
            monitors.append({"name": name} | _offsets(element))
    if refused:
        raise RefusedLattice(where, refused, ADVICE)
    return parts, findings, monitors, properties


def _slices(part: Mapping[str, Any], element: ForeignElement, wanted: int | None) -> dict[str, int]:
    """The slices of a thick magnet: those asked for, the file's, or (0 there) as many as its linear map needs."""
    if part["type"] not in SLICED or part.get("length", 0.0) == 0.0:
        return {}
    if wanted is None and element.number("NumIntSteps", 1.0) != 0.0:
        return {}
    return {"slices": choose_slices(part) if wanted is None else wanted}


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(name.lower(), pattern.lower()) for pattern in patterns)


def _offsets(element: ForeignElement) -> dict[str, float]:
    offsets = dict(zip(("offset_x_mm", "offset_y_mm"), element.numbers("Offset"), strict=False))
    return {name: 1e3 * value for name, value in offsets.items() if value != 0.0}


def _machine_name(name: str) -> str:
    return unique_names([name])[0].lower()


def _notes(findings: Sequence[Finding], *, bare: bool) -> list[str]:
    notes = ["Elements that share a name in the source are numbered along the beam."]
    if not bare:
        notes.append("Supplies, conversions and limits are assumed: the source has none.")
    notes += [f"Left out:{line[1:]}" for line in summary([f for f in findings if f.changes_beam], names=5)]
    return notes + [f"Not imported:{line[1:]}" for line in summary([f for f in findings if not f.changes_beam], 0)]
