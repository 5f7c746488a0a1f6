"""A lattice as a MAD-X line. MAD-X has no name for some magnets that a machine document can hold: those are refused."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from gnomon.lattice.elements import SLICES, Bend, Cavity, Corrector, Element, Monitor, Multipole
from gnomon.lattice.exchange.findings import Finding, RefusedLattice
from gnomon.lattice.exchange.powering import ELECTRON_EV
from gnomon.lattice.lattice import Lattice

ADVICE = "Nothing was written. With --approximate these are left out of the MAD-X file."

#: Elements in one statement of the line.
LINE = 40

#: Words that an element must not have for a name.
RESERVED = frozenset(
    """drift marker quadrupole sextupole octupole multipole sbend rbend kicker hkicker vkicker rfcavity monitor hmonitor
    vmonitor instrument sequence line beam use value pi twopi e emass pmass nmass umass mumass clight qelect hbar
    erad prad true false abs sqrt exp log log10 sin cos tan asin acos atan sinh cosh tanh erf erfc degrad raddeg
    return call const int real shared at from l ring solenoid collimator elseparator tkicker twiss stop exit
    none""".split()  # noqa: SIM905 as a list it would be 70 lines
)

NORMAL, SKEW = ("k0", "k1", "k2", "k3"), ("k0s", "k1s", "k2s", "k3s")
FACTORIALS = (1.0, 1.0, 2.0, 6.0)

#: A value of an attribute: a number, or numbers that are written in braces.
Value = float | tuple[float, ...]


def export_madx(lattice: Lattice, file: Path, *, approximate: bool = False) -> list[Finding]:
    """Write a lattice with its present settings; returns what the file does not say.

    Raises RefusedLattice, unless `approximate`, when that alters the beam.
    """
    text, findings = madx_text(lattice)
    if any(f.changes_beam for f in findings) and not approximate:
        raise RefusedLattice(lattice.ring.name, findings, ADVICE)
    file.write_text(text, encoding="utf-8")
    return findings


def madx_text(lattice: Lattice) -> tuple[str, list[Finding]]:
    """The file's text, and what it does not say."""
    ring = lattice.ring
    elements = [lattice.element(i) for i in range(len(ring.elements))]
    names = madx_names([e.name for e in elements])
    findings: list[Finding] = []
    lines = [
        f"! {ring.name}, lattice {lattice.id}",
        f"beam, {_particle(ring.document.rest_energy_ev)}, energy={_text(lattice.energy_ev / 1e9)}, radiate=false;",
    ]
    for element, name in zip(elements, names, strict=True):
        kind, attributes = _element(element, findings)
        words = [f"{key}={_text(value)}" for key, value in attributes.items() if value != 0.0 or key == "l"]
        lines.append(f"{name}: {', '.join([kind, *words])};")
    parts: list[str] = []
    for start in range(0, len(names), LINE):
        parts.append(f"ring_part_{len(parts) + 1}")
        lines.append(f"{parts[-1]}: line=({', '.join(names[start : start + LINE])});")
    lines.append(f"ring: line=({', '.join(parts)});")
    return "\n".join([*lines, ""]), findings


def madx_names(names: Sequence[str]) -> list[str]:
    """Names that MAD-X can have: letters, digits and underscores, unique whatever the case."""
    taken = set(RESERVED)
    made = []
    for name in names:
        base = re.sub(r"[^a-z0-9_]", "_", name.lower())
        new, number = base, 1
        while new in taken or new.startswith("ring_part_"):
            number += 1
            new = f"{base}_{number}"
        taken.add(new)
        made.append(new)
    return made


def _particle(rest_energy_ev: float) -> str:
    if abs(rest_energy_ev - ELECTRON_EV) < 1e-6 * ELECTRON_EV:
        return "particle=electron"
    return f"particle=ion, mass={_text(rest_energy_ev / 1e9)}, charge=1"


def _element(element: Element, findings: list[Finding]) -> tuple[str, dict[str, Value]]:
    match element:
        case Corrector():
            findings.extend(_misplaced(element))
            return "kicker", {"l": element.length, "hkick": element.kick_x, "vkick": element.kick_y}
        case Multipole():
            findings.extend(_misplaced(element))
            kind, attributes = _magnet(element, findings)
            return kind, attributes | ({"tilt": element.roll} if not isinstance(element, Bend) else {})
        case Cavity():
            volt, freq = element.voltage / 1e6, element.frequency / 1e6
            return "rfcavity", {"l": element.length, "volt": volt, "freq": freq, "harmon": element.harmonic_number}
        case Monitor():
            return "monitor", {"l": element.length} if element.length > 0.0 else {}
        case _:
            return ("drift", {"l": element.length}) if element.length > 0.0 else ("marker", {})


def _misplaced(element: Multipole) -> Iterator[Finding]:
    turned = element.roll if isinstance(element, Bend | Corrector) else 0.0
    for attribute, value in (("dx", element.dx), ("dy", element.dy), ("roll", turned)):
        if value != 0.0:
            yield _finding(element, attribute, "an error, which MAD-X keeps apart from its elements")


def _finding(element: Element, attribute: str, why: str, *, changes_beam: bool = True) -> Finding:
    return Finding(element.name, type(element).__name__.lower(), attribute, why, "", changes_beam)


def _magnet(element: Multipole, findings: list[Finding]) -> tuple[str, dict[str, Value]]:
    normal = {name: c * v for name, c, v in zip(NORMAL, FACTORIALS, element.b, strict=True)}
    skew = {name: c * v for name, c, v in zip(SKEW, FACTORIALS, element.a, strict=True)}
    if element.length == 0.0:
        normal["k0"] -= element.kick_x
        skew["k0s"] += element.kick_y
        return "multipole", {"knl": tuple(normal.values()), "ksl": tuple(skew.values())}
    if element.slices != SLICES:
        why = "MAD-X does not integrate in slices, and pyAT reads it with 10"
        findings.append(_finding(element, "slices", why, changes_beam=False))
    strengths = {name: value for name, value in (normal | skew).items() if value != 0.0}
    kind = "quadrupole"
    attributes: dict[str, Value] = {"l": element.length}
    known = {"k1", "k1s"}
    if isinstance(element, Bend):
        kind, known = "sbend", {"k1", "k2", "k1s"}
        attributes |= {"angle": element.angle, "e1": element.entrance_angle, "e2": element.exit_angle}
        if element.gap:
            attributes |= {"hgap": element.gap / 2.0, "fint": element.fint_entrance, "fintx": element.fint_exit}
    elif not strengths.keys() <= known:
        kind, known = ("sextupole", {"k2", "k2s"}) if strengths.keys() & {"k2", "k2s"} else ("octupole", {"k3", "k3s"})
    for name in strengths.keys() - known:
        findings.append(_finding(element, name, f"a {kind} of MAD-X has no such strength"))
    for name in ("kick_x", "kick_y"):
        if getattr(element, name) != 0.0:
            findings.append(_finding(element, name, f"a {kind} of MAD-X has no coils"))
    return kind, attributes | {name: value for name, value in strengths.items() if name in known}


def _text(value: Value) -> str:
    if isinstance(value, tuple):
        return "{" + ", ".join(_text(v) for v in value) + "}"
    return repr(float(value))
