"""Common parts of exports: cavities at their frequency, and magnets split into those that another program has."""

import cmath
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from gnomon.lattice.elements import NO_FIELD, ORDERS, Bend, Cavity, Corrector, Drift, Element, Multipole, Quadrupole
from gnomon.lattice.exchange.findings import Finding
from gnomon.lattice.exchange.momentum_compaction import momentum_compaction, velocity
from gnomon.lattice.lattice import Lattice
from gnomon.lattice.units import SPEED_OF_LIGHT

#: Pieces of a thick magnet with fields that the other program cannot have in one magnet.
PIECES = 20

#: k1, k2, k3 over our coefficients.
FACTORIALS = (1.0, 1.0, 2.0, 6.0)


@dataclass(frozen=True, slots=True)
class ExportedElements:
    """Elements to write for another program, with cavities at the present frequency.

    `above_transition` tells whether more momentum takes longer: a cavity's voltage then falls as the beam passes.
    """

    elements: Sequence[Element]
    above_transition: bool


def exported_elements(lattice: Lattice) -> ExportedElements:
    """Elements of a lattice with their present settings.

    A cavity has the frequency that its harmonic number means at the particle's speed, times the lattice's own RF
    frequency over the one of the ring's length: both MAD-X and pyAT then find the momentum deviation of this lattice.
    """
    ring = lattice.ring
    energy, rest = lattice.energy_ev, ring.document.rest_energy_ev
    turns = velocity(energy, rest) * SPEED_OF_LIGHT / ring.circumference * lattice.rf_frequency / ring.rf_reference
    elements = []
    for i in range(len(ring.elements)):
        element = lattice.element(i)
        if isinstance(element, Cavity) and element.harmonic_number > 0:
            element = replace(element, frequency=element.harmonic_number * turns)
        elements.append(element)
    slip = momentum_compaction(elements) - (rest / energy) ** 2
    return ExportedElements(elements, above_transition=not slip < 0.0)


def elements_that_fit(
    lattice: Lattice, fits: Callable[[Multipole], bool], program: str
) -> tuple[ExportedElements, list[Finding]]:
    """Elements of a lattice, with each magnet that does not fit split; findings name those that are approximated.

    `fits` tells whether `program` has one magnet for a magnet.
    """
    exported = exported_elements(lattice)
    elements: list[Element] = []
    findings: list[Finding] = []
    for element in exported.elements:
        pieces, approximate = split_element(element, fits)
        if approximate:
            findings.append(_split_finding(element, program))
        elements += pieces
    return replace(exported, elements=elements), findings


def coefficients(element: Multipole) -> list[complex]:
    """Coefficients b + i a of a straight magnet about the design orbit, with displacement, roll and coils included.

    A kick counts in the lowest order; that of a thick magnet is divided by its length.
    """
    own = [complex(b, a) for a, b in zip(element.a, element.b, strict=True)]
    share = 1.0 / element.length if element.length > 0.0 else 1.0
    own[0] += share * complex(-element.kick_x, element.kick_y)
    turned = [c * cmath.exp(-1j * (n + 1) * element.roll) for n, c in enumerate(own)]
    shift = complex(element.dx, element.dy)
    return [
        sum((turned[n] * math.comb(n, m) * (-shift) ** (n - m) for n in range(m, ORDERS)), 0j) for m in range(ORDERS)
    ]


def split_element(element: Element, fits: Callable[[Multipole], bool]) -> tuple[list[Element], bool]:
    """Split an element into those that another program has; True if together they only approximate it.

    A magnet that `fits` stays as it is. A thin one becomes a steerer and a multipole; a thick straight one becomes
    quadrupoles with the rest of its field between them. A bend stays a bend: `lost_fields` tells what it cannot say.
    """
    if not isinstance(element, Multipole) or isinstance(element, Bend) or fits(element):
        return [element], False
    if isinstance(element, Corrector):
        return _steerer(element), False
    c = coefficients(element)
    if element.length == 0.0:
        return list(_thin(element.name, c)) or [_multipole(element.name, NO_FIELD, NO_FIELD)], False
    base = Quadrupole(
        name=element.name,
        length=element.length,
        a=(0.0, c[1].imag, 0.0, 0.0),
        b=(0.0, c[1].real, 0.0, 0.0),
        slices=element.slices,
    )
    rest = [c[0], 0j, *c[2:]]
    if not any(rest):
        return [base], False
    made: list[Element] = []
    for i in range(PIECES):
        half = replace(base, name=f"{element.name}_{i + 1}", length=0.5 * element.length / PIECES)
        share = [element.length / PIECES * r for r in rest]
        made += [half, *_thin(f"{element.name}_T{i + 1}", share), replace(half, name=f"{half.name}B")]
    return made, True


def _steerer(element: Corrector) -> list[Element]:
    """The same kick without a roll, in the middle of free space."""
    kick = complex(element.kick_x, element.kick_y) * cmath.exp(1j * element.roll)
    thin = Corrector(name=element.name, kick_x=kick.real, kick_y=kick.imag)
    if element.length == 0.0:
        return [thin]
    half = Drift(name=f"{element.name}_IN", length=0.5 * element.length)
    return [half, thin, replace(half, name=f"{element.name}_OUT")]


def _multipole(name: str, a: Sequence[float], b: Sequence[float]) -> Multipole:
    return Multipole(name=name, a=(a[0], a[1], a[2], a[3]), b=(b[0], b[1], b[2], b[3]))


def _thin(name: str, c: Sequence[complex]) -> Iterator[Multipole]:
    """A kick and a multipole of no length. In other programs the lowest order of a multipole would bend the axis."""
    if any(c[1:]):
        yield _multipole(name, [0.0, *(v.imag for v in c[1:])], [0.0, *(v.real for v in c[1:])])
    if c[0]:
        yield Corrector(name=f"{name}_K" if any(c[1:]) else name, kick_x=-c[0].real, kick_y=c[0].imag)


def lost_fields(element: Bend, known: Sequence[str], program: str) -> Iterator[Finding]:
    """Find the fields and displacements of a bend that the program's bend cannot have."""
    values = {f"a{n + 1}": v for n, v in enumerate(element.a)} | {f"b{n + 1}": v for n, v in enumerate(element.b)}
    values |= {name: getattr(element, name) for name in ("kick_x", "kick_y", "dx", "dy", "roll")}
    for name, value in values.items():
        if value != 0.0 and name not in known:
            yield Finding(element.name, "bend", name, f"{program} has no bend with this property")


def _split_finding(element: Element, program: str) -> Finding:
    why = f"{program} has no magnet of this kind: written as {PIECES} pieces"
    return Finding(element.name, type(element).__name__.lower(), "", why, "", changes_beam=False)


def unique_names(names: Sequence[str], valid: Callable[[str], str], reserved: frozenset[str]) -> list[str]:
    """Make names that are valid in another program, unique whatever the case, and not among its own words."""
    taken = {word.lower() for word in reserved}
    made = []
    for name in names:
        base = valid(name)
        new, number = base, 1
        while new.lower() in taken:
            number += 1
            new = f"{base}_{number}"
        taken.add(new.lower())
        made.append(new)
    return made
