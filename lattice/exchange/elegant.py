"""elegant's lattice files as rings: from its elements to those of the accelerator toolbox, attribute by attribute."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.elegant_tables import PASSIVE, TYPES, Table, find_attribute, find_types
from gnomon.lattice.exchange.elegant_text import Definition, expand, read_elegant_text
from gnomon.lattice.exchange.findings import ExchangeError, Finding, MissingEnergyError
from gnomon.lattice.exchange.foreign import EXACT, ForeignElement, ForeignRing, fundamental, with_harmonic_numbers
from gnomon.lattice.exchange.placing import PLACED
from gnomon.lattice.exchange.powering import ELECTRON_EV
from gnomon.lattice.text import shorten

#: The line that elegant users call the ring, where neither --use nor USE names one.
RING = "RING"

#: Multiples of the field's derivatives in the toolbox's polynomials.
FACTORIALS = (1.0, 1.0, 2.0, 6.0)

STRAIGHT, BENT, THIN = "StrMPoleSymplectic4Pass", "BndMPoleSymplectic4Pass", "ThinMPolePass"


@dataclass(slots=True)
class ReadElement:
    """An element with a value for every attribute that is represented, and what was found on the way."""

    definition: Definition
    type: str
    numbers: Mapping[str, float]
    findings: list[Finding] = field(default_factory=list)

    def __getitem__(self, attribute: str) -> float:
        """The number given, else elegant's default; 0 for what this type has not."""
        if attribute in self.numbers:
            return self.numbers[attribute]
        known = TYPES[self.type].get(attribute)
        return float(known.default) if known is not None else 0.0

    def add_finding(self, attribute: str, why: str, *, changes_beam: bool = True) -> None:
        """Note something about an attribute."""
        d = self.definition
        self.findings.append(Finding(d.name, self.type, attribute, why, d.place, changes_beam))


def read_elegant(file: Path, use: str | None, energy_ev: float | None) -> ForeignRing:
    """Read a file. Raises ExchangeError with file, line and construct."""
    if energy_ev is None:
        raise MissingEnergyError(f"{file}: an elegant lattice does not say the beam energy: give --energy-ev [eV]")
    found = read_elegant_text(file)
    name = use or (RING if RING in found.lines else found.use) or RING
    there = {n.upper(): n for n in found.lines}
    if name.upper() not in there:
        raise ExchangeError(f"{file}: no line {name!r}: give --use; there are: {', '.join(found.lines) or 'none'}")
    line = expand(found, name if name in found.lines else there[name.upper()], str(file))
    made: dict[tuple[str, bool], tuple[ForeignElement, ...]] = {}
    findings: list[Finding] = []
    elements: list[ForeignElement] = []
    for definition, reverse in line:
        key = (definition.name, reverse)
        if key not in made:
            given = _given(definition, str(file))
            made[key] = tuple(_elements(given, reverse))
            if (definition.name, not reverse) not in made:
                findings.extend(given.findings)
        elements.extend(made[key])
    elements = with_harmonic_numbers(elements, energy_ev, ELECTRON_EV)
    return ForeignRing(
        name=name,
        elements=elements,
        energy_ev=energy_ev,
        rest_energy_ev=None,
        harmonic_number=fundamental(elements),
        findings=tuple(findings),
    )


def _given(definition: Definition, file: str) -> ReadElement:
    """Read what an element says, after all its attributes were looked up in the table of its type."""
    where = f"{file}: {definition.place}: {definition.name}"
    types = find_types(definition.type)
    if len(types) != 1:
        means = f"may be {', '.join(types)}: write it out" if types else "is neither an element of elegant nor defined"
        raise ExchangeError(f"{where}: the type {shorten(definition.type)} {means}")
    kind = types[0]
    numbers: dict[str, float] = {}
    given = ReadElement(definition, kind, numbers)
    if kind in PASSIVE:
        given.add_finding("", f"only its length is kept: {PASSIVE[kind]}", changes_beam=False)
        numbers["L"] = _number(definition, "L", where) if "L" in definition.numbers else 0.0
        return given
    if kind not in TYPES:
        given.add_finding("", "there is no such element here")
        numbers["L"] = _number(definition, "L", where) if "L" in definition.numbers else 0.0
        return given
    table = TYPES[kind]
    for written in definition.attributes:
        attribute = find_attribute(table, written)
        if attribute is None:
            given.add_finding(written.lower(), "is not an attribute of this element that is known here")
        else:
            _look_up(given, numbers, attribute, written, table, where)
    return given


def _look_up(
    given: ReadElement, numbers: dict[str, float], attribute: str, written: str, table: Table, where: str
) -> None:
    known, definition = table[attribute], given.definition
    if isinstance(known.default, str):
        text = definition.attributes[written].text.upper()
        if known.allowed is not None and text not in known.allowed:
            given.add_finding(attribute.lower(), f"{shorten(text)}: {known.note}")
        elif text and known.allowed is None:
            given.add_finding(attribute.lower(), f"no effect: {known.note}", changes_beam=False)
        return
    if known.allowed is None and not known.used:
        value = definition.numbers[written]
        if value != known.default:
            given.add_finding(attribute.lower(), f"no effect: {known.note}", changes_beam=False)
        return
    number = _number(definition, written, where)
    if known.allowed is not None and number not in known.allowed:
        given.add_finding(attribute.lower(), f"{number:g}: {known.note}")
        return
    numbers[attribute] = number


def _number(definition: Definition, attribute: str, where: str) -> float:
    value = definition.numbers[attribute]
    if isinstance(value, str):
        raise ExchangeError(f"{where}: {attribute}: {value}")
    return value


def _elements(given: ReadElement, reverse: bool) -> Iterator[ForeignElement]:
    if given.type == "CSBEND" and given["NONLINEAR"] == 0.0 and (given["K2"] or given["K3"]):
        given.add_finding("nonlinear", "0 with K2 or K3: elegant leaves them out; set NONLINEAR=1, or K2 and K3 to 0")
    if given.type in ("SBEN", "RBEN", "SEXT", "QUAD"):
        why = "elegant's matrix of second order; chromaticities may differ, orbit and tunes do not"
        given.add_finding("", why, changes_beam=False)
    if given.type in BUILDERS:
        yield from BUILDERS[given.type](given, reverse)
    elif given.type in PASSIVE:
        yield _foreign(given, "Drift", "DriftPass" if given["L"] else "IdentityPass", given.numbers["L"])
    else:
        yield _foreign(given, given.type, given.type, given.numbers["L"])


def _foreign(given: ReadElement, kind: str, method: str, length: float, **attributes: Any) -> ForeignElement:
    return ForeignElement(given.definition.name, kind, method, length, attributes, given.definition.place)


def _placed(given: ReadElement) -> dict[str, dict[str, float]]:
    placed = {"dx": given["DX"], "dy": given["DY"], "roll": given["TILT"]}
    return {PLACED: placed} if any(placed.values()) else {}


def _drift(given: ReadElement, reverse: bool) -> Iterator[ForeignElement]:
    yield _foreign(given, "Drift", "DriftPass", given["L"])


def _marker(given: ReadElement, reverse: bool) -> Iterator[ForeignElement]:
    length = given["L"]
    yield _foreign(given, "Marker", "DriftPass" if length else "IdentityPass", length)


def _monitor(given: ReadElement, reverse: bool) -> Iterator[ForeignElement]:
    """A monitor reads in its middle."""
    half = 0.5 * given["L"]
    name, place = given.definition.name, given.definition.place
    if half:
        yield ForeignElement(f"{name}_IN", "Drift", "DriftPass", half, {}, place)
    yield _foreign(given, "Monitor", "IdentityPass", 0.0)
    if half:
        yield ForeignElement(f"{name}_OUT", "Drift", "DriftPass", half, {}, place)


def _cavity(given: ReadElement, reverse: bool) -> Iterator[ForeignElement]:
    yield _foreign(given, "RFCavity", "RFCavityPass", given["L"], Voltage=given["VOLT"], Frequency=given["FREQ"])


def _straight(given: ReadElement, reverse: bool) -> Iterator[ForeignElement]:
    kind = {"Q": "Quadrupole", "S": "Sextupole", "O": "Octupole"}[given.type.removeprefix("K")[0]]
    fse = 1.0 + given["FSE"]
    field = [0.0] + [fse * (1.0 + given[f"FSE{order}"]) * given[f"K{order}"] / FACTORIALS[order] for order in (1, 2, 3)]
    if given.type == "KQUSE":
        kind = "Multipole"
    kicks = [given["HKICK"] * given["HCALIBRATION"], given["VKICK"] * given["VCALIBRATION"]]
    if any(kicks) and given["TILT"]:
        given.add_finding("tilt", "of a magnet with coils that kick: elegant's convention is not known here")
    coils = {"KickAngle": kicks} if any(kicks) else {}
    exact = {"NumIntSteps": EXACT}
    yield _foreign(given, kind, STRAIGHT, given["L"], PolynomB=field, **coils, **exact, **_placed(given))


def _multipole(given: ReadElement, reverse: bool) -> Iterator[ForeignElement]:
    order, length = given["ORDER"], given["L"]
    if order != math.floor(order) or not 0 <= order <= 20:
        given.add_finding("order", f"{order:g} is not the order of a multipole")
        order = 0.0
    strength = given["KNL"] * given["FACTOR"] / math.factorial(int(order)) / (length or 1.0)
    field = [0.0] * int(order) + [strength]
    exact = {"NumIntSteps": EXACT} if length else {}
    yield _foreign(given, "Multipole", STRAIGHT if length else THIN, length, PolynomB=field, **exact, **_placed(given))


def _bend(given: ReadElement, reverse: bool) -> Iterator[ForeignElement]:
    length, angle = given["L"], given["ANGLE"]
    edges = []
    for side in ("1", "2"):
        fint = given[f"FINT{side}"] if given[f"FINT{side}"] >= 0.0 and f"FINT{side}" in given.numbers else given["FINT"]
        face = given[f"E{side}"]
        if given.type == "RBEN":
            face += 0.5 * angle
        edges.append((face, fint) if given[f"EDGE{side}_EFFECTS"] else (0.0, 0.0))
    if given.type == "RBEN" and angle:
        length *= 0.5 * angle / math.sin(0.5 * angle)
    entrance, leaving = reversed(edges) if reverse else edges
    field = [0.0] + [given[f"K{order}"] / FACTORIALS[order] for order in (1, 2, 3)]
    if angle == 0.0:
        yield _foreign(given, "Multipole", STRAIGHT, length, PolynomB=field, NumIntSteps=EXACT)
        return
    attributes: dict[str, Any] = {
        "NumIntSteps": EXACT, "PolynomB": field,
        "BendingAngle": angle, "EntranceAngle": entrance[0], "ExitAngle": leaving[0],
    }  # fmt: skip
    if given["HGAP"]:
        attributes |= {"FullGap": 2.0 * given["HGAP"], "FringeInt1": entrance[1], "FringeInt2": leaving[1]}
    yield _foreign(given, "Dipole", BENT, length, **attributes)


def _steerer(given: ReadElement, reverse: bool) -> Iterator[ForeignElement]:
    if given.type.endswith("KICKER"):
        x, y = given["HKICK"] * given["HCALIBRATION"], given["VKICK"] * given["VCALIBRATION"]
    else:
        kick = given["KICK"] * given["CALIBRATION"]
        x, y = (kick, 0.0) if "H" in given.type else (0.0, kick)
    c, s = math.cos(given["TILT"]), math.sin(given["TILT"])
    yield _foreign(given, "Corrector", "CorrectorPass", given["L"], KickAngle=[x * c - y * s, x * s + y * c])


Builder = Callable[[ReadElement, bool], Iterator[ForeignElement]]
BUILDERS: Mapping[str, Builder] = {
    **dict.fromkeys(("DRIF", "EDRIFT", "SOLE"), _drift),
    **dict.fromkeys(("MARK", "MALIGN"), _marker),
    **dict.fromkeys(("MONI", "HMON", "VMON"), _monitor),
    **dict.fromkeys(("QUAD", "KQUAD", "SEXT", "KSEXT", "KQUSE", "OCTU", "KOCT"), _straight),
    **dict.fromkeys(("SBEN", "RBEN", "CSBEND", "CSRCSBEND"), _bend),
    **dict.fromkeys(("HKICK", "VKICK", "EHKICK", "EVKICK", "KICKER", "EKICKER"), _steerer),
    "MULT": _multipole,
    "RFCA": _cavity,
}
