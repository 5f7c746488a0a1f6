"""Tracy's elements: what each of their attributes becomes. Angles are in degrees there, K is b2, b3 or b4."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gnomon.lattice.exchange.findings import Finding
from gnomon.lattice.exchange.foreign import EXACT, ForeignElement
from gnomon.lattice.exchange.placing import PLACED

BPM = "beampositionmonitor"

STRAIGHT, BENT, THIN = "StrMPoleSymplectic4Pass", "BndMPoleSymplectic4Pass", "ThinMPolePass"

#: Attributes of magnets, and those of all elements that say nothing about orbit and optics.
MAGNET = frozenset({"l", "t", "t1", "t2", "k", "gap", "tilt", "roll", "n", "method", "hom"})
SAFE = frozenset({"method", "n", "horizontal", "vertical", "plane", "corridor"})

#: Types and what is read of each.
TYPES: Mapping[str, frozenset[str]] = {
    "drift": frozenset({"l"}),
    "marker": frozenset(),
    "map": frozenset(),
    BPM: frozenset({"l"}),
    "corrector": frozenset({"l", "k"}),
    "cavity": frozenset({"l", "frequency", "voltage", "harnum", "harmonicnumber", "harmonic_number", "phi", "phase"}),
    "bending": MAGNET,
    "quadrupole": MAGNET,
    "sextupole": MAGNET,
    "octupole": MAGNET,
    "multipole": MAGNET,
    "wiggler": frozenset({"l"}),
    "insertion": frozenset({"l"}),
    "solenoid": frozenset({"l"}),
    "fieldmap": frozenset({"l"}),
}

#: Order of K in the polynomial of the field.
ORDERS = {"bending": 1, "quadrupole": 1, "sextupole": 2, "octupole": 3, "multipole": 1}
KINDS = {"bending": "Dipole", "quadrupole": "Quadrupole", "sextupole": "Sextupole", "octupole": "Octupole"}


@dataclass(frozen=True, slots=True)
class Definition:
    """An element as defined: numbers by attribute in lower case, multipoles (order from 1, normal, skew), words."""

    name: str
    type: str
    numbers: Mapping[str, float]
    harmonics: tuple[tuple[int, float, float], ...]
    flags: tuple[str, ...]
    place: str
    where: str

    def __getitem__(self, attribute: str) -> float:
        """A number, 0 where it is not given."""
        return self.numbers.get(attribute, 0.0)


def build(d: Definition, reverse: bool) -> tuple[ForeignElement, list[Finding]]:
    """The element in the toolbox's words, its ends exchanged when it stands reversed, and the findings."""
    findings = [
        _finding(d, name, "is not an attribute of this element that is known here")
        for name in (*d.numbers, *d.flags)
        if name not in TYPES[d.type] | SAFE and d.numbers.get(name, 1.0) != 0.0
    ]
    if d.harmonics and "hom" not in TYPES[d.type]:
        findings.append(_finding(d, "hom", "multipoles in an element that has no field here"))
    length = d["l"]
    match d.type:
        case "drift":
            return _element(d, "Drift", "DriftPass", length), findings
        case "marker" | "map":
            return _element(d, "Marker", "IdentityPass", 0.0), findings
        case "beampositionmonitor":
            return _element(d, "Monitor", "DriftPass" if length else "IdentityPass", length), findings
        case "corrector":
            if d["k"] != 0.0:
                findings.append(_finding(d, "k", "a steerer with a strength; its plane is not known here"))
            return _element(d, "Corrector", "CorrectorPass", length, KickAngle=[0.0, 0.0]), findings
        case "cavity":
            return _cavity(d, findings), findings
        case "wiggler" | "insertion" | "solenoid" | "fieldmap":
            findings.append(_finding(d, "", "there is no such element here"))
            return _element(d, d.type, d.type, length), findings
    return _magnet(d, reverse, findings), findings


def _element(d: Definition, kind: str, method: str, length: float, **attributes: Any) -> ForeignElement:
    return ForeignElement(d.name, kind, method, length, attributes, d.place)


def _finding(d: Definition, attribute: str, why: str, *, changes_beam: bool = True) -> Finding:
    return Finding(d.name, d.type, attribute, why, d.place, changes_beam)


def _cavity(d: Definition, findings: list[Finding]) -> ForeignElement:
    for name in ("phi", "phase"):
        if d[name] != 0.0:
            findings.append(_finding(d, name, "not kept; the phase follows from the energy loss", changes_beam=False))
    number = d["harnum"] or d["harmonicnumber"] or d["harmonic_number"]
    given = {"HarmNumber": number} if number else {}
    return _element(d, "RFCavity", "RFCavityPass", d["l"], Voltage=d["voltage"], Frequency=d["frequency"], **given)


def _magnet(d: Definition, reverse: bool, findings: list[Finding]) -> ForeignElement:
    length = d["l"]
    a, b = _field(d, findings)
    attributes: dict[str, Any] = {"PolynomA": a, "PolynomB": b}
    angle = math.radians(d["t"])
    turned = d["tilt"] + d["roll"]
    if length and "method" in d.numbers and d["method"] not in (4.0, 6.0) and (any(a) or any(b) or angle):
        findings.append(_finding(d, "method", f"{d['method']:g}: an integrator that is not of fourth order"))
    slices = round(d["n"]) if 1.0 <= d["n"] <= 1e5 else EXACT
    if length:
        attributes["NumIntSteps"] = slices
    if angle == 0.0 and d.type != "bending":
        if turned:
            attributes[PLACED] = {"roll": math.radians(turned)}
        return _element(d, KINDS.get(d.type, "Multipole"), STRAIGHT if length else THIN, length, **attributes)
    if turned:
        findings.append(_finding(d, "tilt", "a bend out of the plane has no kernel: the reference would turn with it"))
    if not length:
        more = {"BendingAngle": angle} if angle else {}
        attributes.pop("NumIntSteps", None)
        return _element(d, "Multipole", THIN, 0.0, **attributes, **more)
    edges = [math.radians(d["t1"]), math.radians(d["t2"])]
    entrance, leaving = reversed(edges) if reverse else edges
    attributes |= {"BendingAngle": angle, "EntranceAngle": entrance, "ExitAngle": leaving}
    if d["gap"]:
        attributes |= {"FullGap": d["gap"], "FringeInt1": 0.5, "FringeInt2": 0.5}
    return _element(d, "Dipole", BENT, length, **attributes)


def _field(d: Definition, findings: list[Finding]) -> tuple[list[float], list[float]]:
    """Skew and normal coefficients; those of HOM stand for themselves, K for its order."""
    size = max([4, *[order for order, _, _ in d.harmonics]])
    a, b = [0.0] * size, [0.0] * size
    order = ORDERS[d.type]
    b[order] = d["k"]
    for number, normal, skew in d.harmonics:
        if number - 1 == order and d["k"] != 0.0 and normal not in (0.0, d["k"]):
            findings.append(_finding(d, "hom", f"gives order {number} another strength than K; leave one of them out"))
        if normal != 0.0:
            b[number - 1] = normal
        a[number - 1] += skew
    return a, b
