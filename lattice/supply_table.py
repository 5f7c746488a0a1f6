"""Facts about power supplies, for tables: the family, the magnets that each feeds, and where they stand."""

import re
from dataclasses import dataclass

from gnomon.lattice.build import COLUMN
from gnomon.lattice.document import MachineDocument
from gnomon.lattice.elements import PARAMETERS
from gnomon.lattice.lattice import Lattice

#: Property that a magnet has in a machine document, by the column of its field.
PROPERTY = {PARAMETERS.index(column): name for name, column in COLUMN.items()}

#: Properties of magnets that steer.
KICKS = frozenset({"kick_x", "kick_y"})


@dataclass(frozen=True, slots=True)
class SupplyFacts:
    """A supply [A]: what it drives, its magnets in beam order, and the positions of their centres [m].

    `family` is the common beginning of its magnets' names, `drives` their property in the machine document, `unit` that
    of their strengths; `slopes` are d(strength)/d(current) at the present settings [unit/A].
    """

    name: str
    family: str
    drives: str
    unit: str
    current: float
    low: float
    high: float
    magnets: tuple[str, ...]
    s_m: tuple[float, ...]
    slopes: tuple[float, ...]


def properties_by_supply(document: MachineDocument) -> dict[str, set[str]]:
    """Find the properties of magnets that each supply drives, by its name; supplies without magnets are missing."""
    found: dict[str, set[str]] = {}
    for magnet in document.magnets:
        found.setdefault(magnet.supply, set()).add(magnet.property)
    return found


def family_of(name: str) -> str:
    """The family that a magnet's name begins with, letters and a digit: `Q1` of `Q1M2D1R`."""
    stem = re.match(r"[A-Za-z]+\d?", name)
    return stem[0] if stem else name


def supply_facts(lattice: Lattice) -> tuple[SupplyFacts, ...]:
    """Facts about all supplies of a ring that feed magnets, in the order of the machine document."""
    ring = lattice.ring
    found = []
    for supply in ring.document.supplies:
        fed = sorted((m for m in ring.magnets if m.supply == supply.name), key=lambda m: m.element)
        if not fed:
            continue
        spec = ring.property_spec(supply.name, "current")
        families = dict.fromkeys(family_of(m.name) for m in fed)
        found.append(
            SupplyFacts(
                name=supply.name,
                family=", ".join(families),
                drives=", ".join(dict.fromkeys(PROPERTY[m.column] for m in fed)),
                unit=", ".join(dict.fromkeys(m.unit for m in fed)),
                current=lattice[supply.name, "current"],
                low=spec.low,
                high=spec.high,
                magnets=tuple(m.name for m in fed),
                s_m=tuple(float(ring.s[m.element] + 0.5 * ring.elements[m.element].length) for m in fed),
                slopes=tuple(lattice.slope(m) for m in fed),
            )
        )
    return tuple(found)
