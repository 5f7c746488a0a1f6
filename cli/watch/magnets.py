"""The row of magnets: which kind fills most of each cell, and where the chosen supply acts."""

from dataclasses import dataclass

from gnomon.clients.server_choice import Target
from gnomon.ioc.base.config import Config, as_served
from gnomon.ioc.base.machines import find_machine
from gnomon.lattice import GnomonError, Ring
from gnomon.lattice.elements import Bend, Element, Quadrupole, Sextupole

__all__ = ["LEGEND", "Magnet", "RingMap", "draw_magnets", "map_of", "ring_map"]

BEND, FOCUSING, DEFOCUSING, SEXTUPOLE, CHOSEN = "█", "▀", "▄", "│", "◆"
LEGEND = f"{BEND} bend {FOCUSING} {DEFOCUSING} quadrupole (focusing, defocusing) {SEXTUPOLE} sextupole {CHOSEN} chosen"
#: A supply that acts on a larger part of the ring's elements than this is not marked.
EVERYWHERE = 0.1


@dataclass(frozen=True, slots=True)
class Magnet:
    """A magnet as drawn, between two positions [m]."""

    first_m: float
    last_m: float
    sign: str


@dataclass(frozen=True, slots=True)
class RingMap:
    """Positions of magnets [m], and by device the places on which a supply acts."""

    circumference_m: float
    magnets: tuple[Magnet, ...]
    places_m: dict[str, tuple[float, ...]]


def ring_map(target: Target, config: Config, monitors: int) -> RingMap | None:
    """Map the ring of a server by its machine document; None if it is not known here, or has other monitors."""
    server = target.server
    if server is None:
        return None
    try:
        ring = find_machine(as_served(config, server.machine, server.store)).ring
    except GnomonError:
        return None
    return map_of(ring) if len(ring.bpms) == monitors else None


def map_of(ring: Ring) -> RingMap:
    """Map a ring."""
    magnets = []
    for index, element in enumerate(ring.elements):
        if sign := _sign(element):
            magnets.append(Magnet(float(ring.s[index]), float(ring.s[index + 1]), sign))
    places: dict[str, tuple[float, ...]] = {}
    for device, name in ring.properties:
        slot = ring.property_spec(device, name).slot
        elements = () if slot is None else ring.affects[slot].elements
        if device not in places and 0 < len(elements) <= EVERYWHERE * len(ring.elements):
            places[device] = tuple(0.5 * float(ring.s[each] + ring.s[each + 1]) for each in elements)
    return RingMap(float(ring.circumference), tuple(magnets), places)


def draw_magnets(shown: RingMap, window_m: tuple[float, float], width: int, chosen: str = "") -> str:
    """Draw one row: in each cell the kind of magnet that fills most of it; the chosen supply's places are marked."""
    first, last = window_m
    size = (last - first) / width
    lengths: list[dict[str, float]] = [{} for _ in range(width)]
    for magnet in shown.magnets:
        cells = int((magnet.first_m - first) // size), int((magnet.last_m - first) // size)
        for cell in range(max(0, cells[0]), min(width, cells[1] + 1)):
            low, high = first + cell * size, first + (cell + 1) * size
            overlap = max(0.0, min(high, magnet.last_m) - max(low, magnet.first_m))
            # A thin magnet is there, too.
            lengths[cell][magnet.sign] = lengths[cell].get(magnet.sign, 0.0) + max(overlap, 1e-6)
    row = [max(cell, key=lambda sign: cell[sign]) if cell else "─" for cell in lengths]
    for place in shown.places_m.get(chosen, ()):
        if first <= place < last:
            row[int((place - first) / size)] = CHOSEN
    return "".join(row)


def _sign(element: Element) -> str:
    match element:
        case Bend():
            return BEND
        case Quadrupole():
            return FOCUSING if element.b[1] >= 0.0 else DEFOCUSING
        case Sextupole():
            return SEXTUPOLE
        case _:
            return ""
