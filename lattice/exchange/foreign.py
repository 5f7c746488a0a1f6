"""The middle ground of all imports: a ring as another program describes it, in the accelerator toolbox's words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.lattice.exchange.findings import Finding
from gnomon.lattice.units import SPEED_OF_LIGHT

#: Elements that a ring may have: ten times those of the largest rings.
MAX_ELEMENTS = 1_000_000

#: Length of a ring [m] and frequency of a cavity [Hz] beyond which no harmonic number is looked for.
MAX_LENGTH, HIGHEST = 1e9, 1e15

#: NumIntSteps of a thick magnet whose source has its exact map: as many as that needs are chosen when it is built.
EXACT = 0


@dataclass(frozen=True, slots=True)
class ForeignElement:
    """One element: its family's name, its class there, how it is tracked there, its length [m], all else as read."""

    name: str
    kind: str
    method: str
    length: float
    attributes: Mapping[str, Any]
    place: str

    def number(self, attribute: str, default: float = 0.0) -> float:
        """A number, `default` where it is not given; an array's first number."""
        values = np.ravel(np.asarray(self.attributes.get(attribute, default), dtype=float))
        return float(values[0]) if values.size else default

    def numbers(self, attribute: str) -> tuple[float, ...]:
        """An array as plain numbers, empty where it is not given."""
        return tuple(np.ravel(np.asarray(self.attributes.get(attribute, ()), dtype=float)).tolist())

    def finding(self, attribute: str, why: str, *, changes_beam: bool = True) -> Finding:
        """A finding about this element."""
        return Finding(self.name, self.kind, attribute, why, self.place, changes_beam)


@dataclass(frozen=True, slots=True)
class ForeignRing:
    """A ring as read: all its elements in beam order, and what its reader itself left out.

    `energy_ev` and `harmonic_number` are None where the file does not give them.
    """

    name: str
    elements: Sequence[ForeignElement]
    energy_ev: float | None
    rest_energy_ev: float | None
    harmonic_number: int | None
    findings: tuple[Finding, ...] = ()


def with_harmonic_numbers(
    elements: Sequence[ForeignElement], energy_ev: float | None, rest_energy_ev: float
) -> list[ForeignElement]:
    """The elements, with the harmonic number that its frequency means for every cavity that has none.

    It is the nearest whole number of oscillations in a turn of this energy; nothing is added without an energy or
    length, or to a cavity without a frequency.
    """
    made = list(elements)
    length = sum(e.length for e in made)
    if energy_ev is None or not energy_ev > rest_energy_ev or not 0.0 < length < MAX_LENGTH:
        return made
    turns = SPEED_OF_LIGHT * math.sqrt(1.0 - (rest_energy_ev / energy_ev) ** 2) / length
    for i, element in enumerate(made):
        frequency = _frequency(element)
        if 0.0 < frequency < HIGHEST and element.number("HarmNumber") == 0.0:
            more = {"HarmNumber": round(frequency / turns)}
            made[i] = replace(element, attributes={**element.attributes, **more})
    return made


def fitting_harmonics(ring: ForeignRing, energy_ev: float | None, rest_energy_ev: float) -> ForeignRing:
    """The ring with the harmonic number of its frequency for every cavity that says another one, which is told."""
    energy = energy_ev if energy_ev is not None else ring.energy_ev
    bare = [_without_harmonic(e) for e in ring.elements]
    made = with_harmonic_numbers(bare, energy, rest_energy_ev)
    findings: dict[str, Finding] = {}
    for i, (old, new) in enumerate(zip(ring.elements, made, strict=True)):
        said, fits = old.number("HarmNumber"), new.number("HarmNumber")
        if new.kind != "RFCavity" or said == 0.0 or fits == 0.0 or round(said) == fits:
            made[i] = old
            continue
        why = f"{said:g} does not fit its frequency, which has {fits:g} periods a turn: {fits:g} is taken"
        findings.setdefault(old.name, old.finding("HarmNumber", why, changes_beam=False))
    if not findings:
        return ring
    number = ring.harmonic_number
    number = fundamental(made) if number is None or number == fundamental(ring.elements) else number
    return replace(ring, elements=made, harmonic_number=number, findings=(*ring.findings, *findings.values()))


def _without_harmonic(element: ForeignElement) -> ForeignElement:
    if "HarmNumber" not in element.attributes:
        return element
    return replace(element, attributes={k: v for k, v in element.attributes.items() if k != "HarmNumber"})


def _frequency(element: ForeignElement) -> float:
    """The frequency of a cavity [Hz], 0 for all else and where it is not a number."""
    try:
        return element.number("Frequency") if element.kind == "RFCavity" else 0.0
    except (TypeError, ValueError):
        return 0.0


def fundamental(elements: Sequence[ForeignElement]) -> int | None:
    """The harmonic number of the cavity of the lowest frequency; None where no cavity has one."""
    cavities = [e for e in elements if e.kind == "RFCavity" and e.number("HarmNumber") > 0.5]
    lowest = min(cavities, key=_frequency, default=None)
    return None if lowest is None else round(lowest.number("HarmNumber"))
