"""Straight sections of a ring: where insertion devices stand, whose source position and angle are predicted."""

from dataclasses import dataclass

from gnomon.lattice import Ring
from gnomon.lattice.elements import Cavity, Drift, Marker, Monitor

#: A straight is this part of the longest one at least.
PART = 0.6


@dataclass(frozen=True, slots=True)
class Straight:
    """A straight section: its name, the element at whose entrance its drift begins, and the drift to its centre [m]."""

    name: str
    element: int
    to_centre_m: float
    length_m: float


def straights_of(ring: Ring) -> tuple[Straight, ...]:
    """Find the long straight sections without magnets, in beam order, that do not cross the ring's start.

    A straight is named after its first marker, or else the distance of its centre from the ring's start.
    """
    found: list[Straight] = []
    start = None
    for number, element in enumerate(ring.elements):
        if isinstance(element, Drift | Marker | Monitor | Cavity):
            start = number if start is None else start
            continue
        if start is not None:
            found.append(_straight(ring, start, number))
        start = None
    if start is not None:
        found.append(_straight(ring, start, len(ring.elements)))
    longest = max((straight.length_m for straight in found), default=0.0)
    return tuple(straight for straight in found if straight.length_m >= PART * longest > 0.0)


def _straight(ring: Ring, start: int, end: int) -> Straight:
    length = float(ring.s[end] - ring.s[start])
    centre = float(ring.s[start]) + 0.5 * length
    marker = next((e.name for e in ring.elements[start:end] if isinstance(e, Marker)), "")
    return Straight(marker or f"{centre:.2f} m", start, 0.5 * length, length)
