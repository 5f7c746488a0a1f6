"""A lattice as an elegant line. elegant does not say the beam energy: it stands in a comment."""

import math
import re
from pathlib import Path

from gnomon.lattice.elements import Bend, Cavity, Corrector, Element, Monitor, Multipole
from gnomon.lattice.exchange.export_pieces import FACTORIALS, elements_that_fit, lost_fields, unique_names
from gnomon.lattice.exchange.findings import Finding, RefusedLattice
from gnomon.lattice.lattice import Lattice

ADVICE = "Nothing was written. With --approximate these are left out of the elegant file."

#: Elements in one line, and elegant's types of one field, by its order.
LINE = 40
TYPES = {1: "KQUAD", 2: "KSEXT", 3: "KOCT"}

RESERVED = frozenset({"LINE", "USE", "RETURN", "TITLE", "RING", "STOP"})

Words = dict[str, float]


def export_elegant(lattice: Lattice, file: Path, *, approximate: bool = False) -> list[Finding]:
    """Write a lattice with its present settings; returns what the file does not say.

    Raises RefusedLattice, unless `approximate`, when that alters the beam.
    """
    text, findings = elegant_text(lattice)
    if any(f.changes_beam for f in findings) and not approximate:
        raise RefusedLattice(lattice.ring.name, findings, ADVICE)
    file.write_text(text, encoding="utf-8")
    return findings


def elegant_text(lattice: Lattice) -> tuple[str, list[Finding]]:
    """The file's text, and what it does not say."""
    ring = lattice.ring
    exported, findings = elements_that_fit(lattice, _fits, "elegant")
    names = unique_names(
        [e.name for e in exported.elements], lambda n: re.sub(r"[^A-Z0-9_.]", "_", n.upper()), RESERVED
    )
    lines = [
        f"! {ring.name}, lattice {lattice.id}",
        f"! beam energy {lattice.energy_ev!r} eV, rest energy {ring.document.rest_energy_ev!r} eV",
    ]
    written: list[str] = []
    for element, name in zip(exported.elements, names, strict=True):
        for number, (kind, words) in enumerate(_element(element, findings, above_transition=exported.above_transition)):
            written.append(name if number == 0 else f"{name}.{number + 1}")
            told = [f"{key}={value!r}" for key, value in words.items() if value != 0.0 or key in ("L", "FINT")]
            lines.append(f'"{written[-1]}": ' + ", &\n  ".join([kind, *told]))
    parts: list[str] = []
    for start in range(0, len(written), LINE):
        parts.append(f"RING_PART_{len(parts) + 1}")
        items = ", &\n  ".join(f'"{n}"' for n in written[start : start + LINE])
        lines.append(f"{parts[-1]}: LINE=({items})")
    lines.append("RING: LINE=(" + ", &\n  ".join(parts) + ")")
    return "\n".join([*lines, ""]), findings


def _fits(element: Multipole) -> bool:
    """Tell whether elegant has one magnet, or one thin multipole after another, for it."""
    if isinstance(element, Corrector):
        return element.roll == 0.0
    if element.kick_x or element.kick_y or element.a[0] or element.b[0]:
        return False
    orders = [n for n in range(1, 4) if element.a[n] or element.b[n]]
    if element.length == 0.0:
        return not (element.dx or element.dy or element.roll)
    return len(orders) <= 1


def _element(element: Element, findings: list[Finding], *, above_transition: bool) -> list[tuple[str, Words]]:
    length = {"L": float(element.length)}
    match element:
        case Corrector():
            return [("KICKER", length | {"HKICK": element.kick_x, "VKICK": element.kick_y})]
        case Bend():
            findings.extend(lost_fields(element, ("b2", "b3", "b4"), "elegant"))
            return [("CSBEND", length | _bend(element) | _integrator(element))]
        case Multipole() if element.length == 0.0:
            thin = [
                ("MULT", {"ORDER": n, "KNL": math.factorial(n) * strength, "TILT": tilt})
                for n in range(1, 4)
                for strength, tilt in [_strength(element, n)]
                if strength
            ]
            return thin or [("MARK", {})]
        case Multipole():
            order = next((n for n in range(1, 4) if element.a[n] or element.b[n]), 0)
            if order == 0:
                return [("DRIF", length)]
            strength, tilt = _strength(element, order)
            placed = {"TILT": tilt + element.roll, "DX": element.dx, "DY": element.dy}
            words = length | {f"K{order}": FACTORIALS[order] * strength} | placed
            return [(TYPES[order], words | _integrator(element))]
        case Cavity():
            phase = 180.0 if above_transition else 0.0
            return [("RFCA", length | {"VOLT": element.voltage, "FREQ": element.frequency, "PHASE": phase})]
        case Monitor():
            return [("MONI", length)]
        case _:
            return [("DRIF", length)] if element.length > 0.0 else [("MARK", {})]


def _integrator(element: Multipole) -> Words:
    """Slices of fourth order, as they are here; elegant takes too few unless it is told."""
    return {"N_SLICES": element.slices, "INTEGRATION_ORDER": 4}


def _strength(element: Multipole, order: int) -> tuple[float, float]:
    """The field of an order as a normal one that is turned [rad]."""
    a, b = element.a[order], element.b[order]
    if a == 0.0:
        return b, 0.0
    return math.hypot(a, b), math.atan2(-a, b) / (order + 1)


def _bend(element: Bend) -> Words:
    words = {"ANGLE": element.angle, "E1": element.entrance_angle, "E2": element.exit_angle}
    words |= {f"K{n}": FACTORIALS[n] * element.b[n] for n in range(1, 4)}
    if element.gap:
        words |= {"HGAP": 0.5 * element.gap, "FINT": element.fint_entrance}
        if element.fint_exit != element.fint_entrance:
            words |= {"FINT1": element.fint_entrance, "FINT2": element.fint_exit}
    return words
