"""A lattice as a MAD-X line. What one of its magnets cannot hold is written as pieces, or refused in a bend."""

import re
from collections.abc import Sequence
from pathlib import Path

from gnomon.lattice.elements import SLICES, Bend, Cavity, Corrector, Element, Monitor, Multipole
from gnomon.lattice.exchange.export_pieces import FACTORIALS, elements_that_fit, lost_fields, unique_names
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
    exported, findings = elements_that_fit(lattice, _fits, "MAD-X")
    names = madx_names([e.name for e in exported.elements])
    lines = [
        f"! {ring.name}, lattice {lattice.id}",
        f"beam, {_particle(ring.document.rest_energy_ev)}, energy={_text(lattice.energy_ev / 1e9)}, radiate=false;",
    ]
    for element, name in zip(exported.elements, names, strict=True):
        kind, attributes = _element(element, findings, above_transition=exported.above_transition)
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

    def valid(name: str) -> str:
        base = re.sub(r"[^a-z0-9_]", "_", name.lower())
        return f"e_{base}" if base.startswith("ring_part_") or not base[:1].isalpha() else base

    return unique_names(names, valid, RESERVED)


def _particle(rest_energy_ev: float) -> str:
    if abs(rest_energy_ev - ELECTRON_EV) < 1e-6 * ELECTRON_EV:
        return "particle=electron"
    return f"particle=ion, mass={_text(rest_energy_ev / 1e9)}, charge=1"


def _fits(element: Multipole) -> bool:
    """Tell whether MAD-X has one magnet for it."""
    if isinstance(element, Corrector):
        # MAD-X's emit finds too large an excitation in a kicker with a length, hundreds of times the emittance.
        return element.roll == 0.0 and (element.length == 0.0 or not (element.kick_x or element.kick_y))
    if element.kick_x or element.kick_y or element.dx or element.dy or element.a[0] or element.b[0]:
        return False
    return element.length == 0.0 or len([n for n in range(1, 4) if element.a[n] or element.b[n]]) <= 1


def _element(element: Element, findings: list[Finding], *, above_transition: bool) -> tuple[str, dict[str, Value]]:
    match element:
        case Corrector():
            return "kicker", {"l": element.length, "hkick": element.kick_x, "vkick": element.kick_y}
        case Bend():
            findings.extend(lost_fields(element, ("b2", "b3", "a2"), "MAD-X"))
            return "sbend", {"l": element.length} | _bend(element, findings)
        case Multipole():
            return _magnet(element, findings)
        case Cavity():
            # The voltage falls as the beam passes where more momentum takes longer, as it does above transition.
            volt, freq, lag = element.voltage / 1e6, element.frequency / 1e6, 0.5 if above_transition else 0.0
            words: dict[str, Value] = {"l": element.length, "volt": volt, "freq": freq, "lag": lag}
            return "rfcavity", words | {"harmon": float(element.harmonic_number)}
        case Monitor():
            return "monitor", {"l": element.length} if element.length > 0.0 else {}
        case _:
            return ("drift", {"l": element.length}) if element.length > 0.0 else ("marker", {})


def _slices(element: Multipole, findings: list[Finding]) -> None:
    if element.slices != SLICES:
        kind = type(element).__name__.lower()
        why = "MAD-X does not integrate in slices, and pyAT reads it with 10"
        findings.append(Finding(element.name, kind, "slices", why, "", changes_beam=False))


def _bend(element: Bend, findings: list[Finding]) -> dict[str, Value]:
    _slices(element, findings)
    words: dict[str, Value] = {"angle": element.angle, "e1": element.entrance_angle, "e2": element.exit_angle}
    words |= {"k1": element.b[1], "k2": 2.0 * element.b[2], "k1s": element.a[1]}
    if element.gap:
        words |= {"hgap": element.gap / 2.0, "fint": element.fint_entrance, "fintx": element.fint_exit}
    return words


def _magnet(element: Multipole, findings: list[Finding]) -> tuple[str, dict[str, Value]]:
    placed: dict[str, Value] = {"tilt": element.roll}
    if element.length == 0.0:
        normal = tuple(c * v for c, v in zip(FACTORIALS, element.b, strict=True))
        skew = tuple(c * v for c, v in zip(FACTORIALS, element.a, strict=True))
        return "multipole", {"knl": normal, "ksl": skew} | placed
    _slices(element, findings)
    order = next((n for n in range(1, 4) if element.a[n] or element.b[n]), 1)
    kind = {1: "quadrupole", 2: "sextupole", 3: "octupole"}[order]
    strengths: dict[str, Value] = {
        f"k{order}": FACTORIALS[order] * element.b[order],
        f"k{order}s": FACTORIALS[order] * element.a[order],
    }
    return kind, {"l": element.length} | strengths | placed


def _text(value: Value) -> str:
    if isinstance(value, tuple):
        return "{" + ", ".join(_text(v) for v in value) + "}"
    return repr(float(value))
