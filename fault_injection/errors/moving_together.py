"""Elements of a machine document that move together: pieces of one magnet, and the magnets of one girder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gnomon.lattice import MachineDocument
from gnomon.lattice.document import ElementPart, SlicedPart

#: Sums of lengths that differ by no more than this are equal [m].
ROUNDING_M = 1e-9


@dataclass(frozen=True, slots=True)
class Body:
    """One magnet: elements of one type that touch, by their indices. It has the name of the first."""

    name: str
    elements: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Girder:
    """Neighbouring magnets on one support. It has the name of its first magnet."""

    name: str
    bodies: tuple[Body, ...]


def bodies_of(document: MachineDocument) -> tuple[Body, ...]:
    """Magnets of a document in beam order: elements of one type with nothing of any length between them are one.

    Lattice files cut a magnet in pieces, at a monitor in its middle or where its field changes along the beam. A
    steerer of its own is not a body: moving it changes nothing, and its coil has a roll of its own.
    """
    groups = _groups(document.elements, 0.0, of_one_type=True)
    return tuple(Body(document.elements[numbers[0]].name, tuple(numbers)) for numbers in groups)


def girders_of(document: MachineDocument, gap_m: float) -> tuple[Girder, ...]:
    """Girders of a document in beam order: magnets that follow each other with at most `gap_m` [m] between them.

    Machine documents do not say what stands on what, and this is how girders are built: long drifts are where they end.
    A girder across the end of the document counts as two.
    """
    of_first = {body.elements[0]: body for body in bodies_of(document)}
    girders = []
    for numbers in _groups(document.elements, gap_m):
        bodies = tuple(of_first[number] for number in numbers if number in of_first)
        girders.append(Girder(bodies[0].name, bodies))
    return tuple(girders)


def _groups(elements: Sequence[ElementPart], gap_m: float, *, of_one_type: bool = False) -> Iterator[list[int]]:
    """Group magnets by the length of what stands between them and is none."""
    group: list[int] = []
    between = 0.0
    for number, element in enumerate(elements):
        if not isinstance(element, SlicedPart):
            between += getattr(element, "length", 0.0)
            continue
        other = of_one_type and bool(group) and element.type != elements[group[-1]].type
        if group and (between > gap_m + ROUNDING_M or other):
            yield group
            group = []
        group.append(number)
        between = 0.0
    if group:
        yield group
