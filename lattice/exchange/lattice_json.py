"""LatticeJSON, versions 0 to 2: elements by name, lattices as lists of names, one of which is the root.

Version 2 has `root`, `lattices` and `elements` of [type, attributes]; version 1 calls the lattices `sub_lattices` and
gives the root itself as `lattice`; version 0 has the type among the attributes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.findings import ExchangeError, Finding
from gnomon.lattice.exchange.foreign import (
    EXACT,
    MAX_ELEMENTS,
    ForeignElement,
    ForeignRing,
    fundamental,
    with_harmonic_numbers,
)
from gnomon.lattice.exchange.placing import PLACED
from gnomon.lattice.exchange.powering import ELECTRON_EV
from gnomon.lattice.exchange.source_files import read_json
from gnomon.lattice.text import shorten

#: Lattices that may stand in each other.
MAX_DEPTH = 100

EVERY = frozenset({"length", "dx", "dy", "ds", "tilt"})
#: Types and the numbers that are read of each.
TYPES: Mapping[str, frozenset[str]] = {
    "Drift": frozenset(),
    "Marker": frozenset(),
    "Monitor": frozenset(),
    "Dipole": frozenset({"angle", "radius", "e1", "e2", "k1", "k2", "h1", "h2"}),
    "Quadrupole": frozenset({"k1"}),
    "Sextupole": frozenset({"k2"}),
    "Octupole": frozenset({"k3"}),
    "Cavity": frozenset({"voltage", "frequency", "phase"}),
}
#: Attributes that say nothing about the beam.
SAFE = frozenset({"info", "description", "conversion_factor_ps_value", "type"})


@dataclass(slots=True)
class _Element:
    name: str
    type: str
    numbers: Mapping[str, float]
    place: str
    findings: list[Finding] = field(default_factory=list)

    def __getitem__(self, attribute: str) -> float:
        return self.numbers.get(attribute, 0.0)

    def add_finding(self, attribute: str, why: str, *, changes_beam: bool = True) -> None:
        self.findings.append(Finding(self.name, self.type, attribute, why, self.place, changes_beam))


def read_lattice_json(file: Path, use: str | None, energy_ev: float | None) -> ForeignRing:
    """Read a file. Raises ExchangeError with the element or lattice at fault."""
    data = read_json(file, "LatticeJSON")
    if not isinstance(data, dict) or not isinstance(data.get("elements"), dict):
        raise ExchangeError(f"{file}: not LatticeJSON: it has no object 'elements'")
    lattices = data.get("lattices", data.get("sub_lattices", {}))
    root = use or data.get("root")
    if root is None and isinstance(data.get("lattice"), list) and isinstance(lattices, dict):
        root, lattices = "lattice", {**lattices, "lattice": data["lattice"]}
    if not isinstance(lattices, dict) or not isinstance(root, str) or root not in lattices:
        there = ", ".join(lattices) if isinstance(lattices, dict) and lattices else "none"
        raise ExchangeError(f"{file}: no lattice {shorten(str(root))}: give --use; there are: {there}")
    numbers = {name: f"element {number}" for number, name in enumerate(data["elements"], 1)}
    made: dict[tuple[str, bool], ForeignElement] = {}
    findings: list[Finding] = []
    elements: list[ForeignElement] = []
    for name, reverse in _expand(str(file), data["elements"], lattices, root, False, (root,)):
        if (name, reverse) not in made:
            element = _read(str(file), name, data["elements"][name], numbers[name])
            made[name, reverse] = _foreign(element, reverse)
            if (name, not reverse) not in made:
                findings.extend(element.findings)
        elements.append(made[name, reverse])
    energy = energy_ev
    if energy is None and "energy" in data:
        energy = 1e9 * _number(data["energy"], f"{file}: energy")
    elements = with_harmonic_numbers(elements, energy, ELECTRON_EV)
    title = data.get("title", data.get("name"))
    name = title if isinstance(title, str) else file.stem
    return ForeignRing(name, elements, energy, None, fundamental(elements), tuple(findings))


def _expand(
    file: str,
    elements: Mapping[str, Any],
    lattices: Mapping[str, Any],
    root: str,
    reverse: bool,
    within: tuple[str, ...],
) -> list[tuple[str, bool]]:
    items = lattices[root]
    if not isinstance(items, list) or not all(isinstance(i, str) for i in items):
        raise ExchangeError(f"{file}: the lattice {shorten(root)} is not a list of names")
    made: list[tuple[str, bool]] = []
    for item in reversed(items) if reverse else items:
        turned = item.startswith("-") and item not in elements and item not in lattices
        name = item[1:] if turned else item
        if name in elements:
            once = [(name, reverse ^ turned)]
        elif name not in lattices:
            raise ExchangeError(f"{file}: lattice {root}: {shorten(name)} is neither an element nor a lattice")
        elif name in within or len(within) > MAX_DEPTH:
            raise ExchangeError(f"{file}: the lattice {shorten(name)} contains itself")
        else:
            once = _expand(file, elements, lattices, name, reverse ^ turned, (*within, name))
        if len(made) + len(once) > MAX_ELEMENTS:
            raise ExchangeError(f"{file}: more than {MAX_ELEMENTS} elements")
        made.extend(once)
    return made


def _read(file: str, name: str, item: Any, place: str) -> _Element:
    where = f"{file}: element {shorten(name)}"
    if isinstance(item, list) and len(item) == 2:
        kind, given = item
    elif isinstance(item, dict):
        kind, given = item.get("type"), item
    else:
        kind, given = None, None
    if not isinstance(kind, str) or not isinstance(given, dict):
        raise ExchangeError(f"{where}: it is not [type, attributes]")
    read = EVERY | TYPES.get(kind, frozenset())
    numbers = {key: _number(value, f"{where}: {key}") for key, value in given.items() if key in read}
    element = _Element(name, kind, numbers, place)
    if kind not in TYPES:
        element.add_finding("", "there is no such element here")
        return element
    for key in sorted(given.keys() - read - SAFE):
        element.add_finding(key, "is not an attribute of this element that is known here")
    if element["ds"] != 0.0:
        element.add_finding("ds", "a displacement along the beam has no kernel")
    return element


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExchangeError(f"{where}: {shorten(json.dumps(value))} is not a number")
    try:
        return float(value)
    except OverflowError as error:
        raise ExchangeError(f"{where}: too large for a number") from error


def _foreign(e: _Element, reverse: bool) -> ForeignElement:
    length = e["length"]

    def made(kind: str, method: str, **attributes: Any) -> ForeignElement:
        return ForeignElement(e.name, kind, method, length, attributes, e.place)

    match e.type:
        case "Drift":
            return made("Drift", "DriftPass")
        case "Marker" | "Monitor":
            return made(e.type, "DriftPass" if length else "IdentityPass")
        case "Cavity":
            if e["phase"] != 0.0:
                e.add_finding("phase", "not kept; the phase follows from the energy loss", changes_beam=False)
            return made("RFCavity", "RFCavityPass", Voltage=e["voltage"], Frequency=e["frequency"])
        case "Dipole":
            return made("Dipole", "BndMPoleSymplectic4Pass", **_bend(e, reverse))
        case "Quadrupole" | "Sextupole" | "Octupole":
            field_ = [0.0, e["k1"], e["k2"] / 2.0, e["k3"] / 6.0]
            placed = {"dx": e["dx"], "dy": e["dy"], "roll": e["tilt"]}
            place = {PLACED: placed} if any(placed.values()) else {}
            return made(e.type, "StrMPoleSymplectic4Pass", PolynomB=field_, NumIntSteps=EXACT, **place)
    return made(e.type, e.type)


def _bend(e: _Element, reverse: bool) -> dict[str, Any]:
    for name in ("dx", "dy", "tilt"):
        if e[name] != 0.0:
            e.add_finding(name, "a bend that is moved or turned: whether its reference moves with it is not said")
    for name in ("h1", "h2"):
        if e[name] != 0.0:
            e.add_finding(name, "curved pole faces have no kernel")
    angle = e["angle"]
    if "angle" not in e.numbers and e["radius"] != 0.0:
        angle = e["length"] / e["radius"]
    elif e["radius"] != 0.0 and abs(angle * e["radius"] - e["length"]) > 1e-6 * e["length"]:
        e.add_finding("radius", "does not fit angle and length")
    faces = [e["e1"], e["e2"]]
    entrance, leaving = reversed(faces) if reverse else faces
    field_ = [0.0, e["k1"], e["k2"] / 2.0]
    made = {"BendingAngle": angle, "EntranceAngle": entrance, "ExitAngle": leaving, "PolynomB": field_}
    return made | {"NumIntSteps": EXACT}
