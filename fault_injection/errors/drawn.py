"""The errors of one machine: a number for each kind and device, drawn from a seed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from gnomon.fault_injection.errors.error_sizes import ErrorSizes
from gnomon.fault_injection.errors.moving_together import Body, Girder, bodies_of, girders_of
from gnomon.fault_injection.errors.named_draws import cut_normals
from gnomon.lattice import KICKS, MachineDocument
from gnomon.lattice.document import (
    BendPart,
    ElementPart,
    MultipolePart,
    OctupolePart,
    QuadrupolePart,
    SextupolePart,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of error: its name, which is that of its size, its unit ("" for a relative one), and what has it."""

    name: str
    unit: str
    of: str


#: All kinds. A name is part of what a draw is made from: another name draws other numbers.
KINDS = (
    Kind("quadrupole_gradient", "", "quadrupole"),
    Kind("sextupole_strength", "", "sextupole"),
    Kind("octupole_strength", "", "octupole"),
    Kind("dipole_field", "", "bend"),
    Kind("corrector_gain", "", "steerer"),
    Kind("corrector_roll", "rad", "steerer"),
    Kind("magnet_x", "m", "magnet"),
    Kind("magnet_y", "m", "magnet"),
    Kind("magnet_roll", "rad", "magnet"),
    Kind("girder_x", "m", "girder"),
    Kind("girder_y", "m", "girder"),
    Kind("girder_roll", "rad", "girder"),
    Kind("monitor_x", "m", "monitor"),
    Kind("monitor_y", "m", "monitor"),
    Kind("monitor_gain_x", "", "monitor"),
    Kind("monitor_gain_y", "", "monitor"),
    Kind("monitor_roll", "rad", "monitor"),
)

#: Order of a multipole by the property that a supply drives, from 1; and the kind of its error.
ORDER = {"k1": 2, "k1s": 2, "b3": 3, "b4": 4}
KIND_OF_ORDER = {2: "quadrupole_gradient", 3: "sextupole_strength", 4: "octupole_strength"}


@dataclass(frozen=True, slots=True)
class MachineErrors:
    """The errors of one machine: `values` by kind and device, and the girders that move magnets together."""

    seed: int
    sizes: ErrorSizes
    girders: tuple[Girder, ...]
    values: Mapping[str, Mapping[str, float]]

    def scaled(self, factor: float) -> Self:
        """Multiply all errors: the same machine, as far off as `factor` says."""
        values = {kind: {name: factor * value for name, value in of.items()} for kind, of in self.values.items()}
        return replace(self, sizes=self.sizes.scaled(factor), values=values)

    def get(self, kind: str, device: str) -> float:
        """Return an error, 0 for a device that has none of this kind."""
        return self.values[kind].get(device, 0.0)


def draw_errors(document: MachineDocument, seed: int, sizes: ErrorSizes) -> MachineErrors:
    """Draw the errors of a machine: the same seed gives the same bits, whatever else the document has.

    The draw of a device depends on the seed, the kind and its name alone; that of a girder, on the name of its first
    magnet; that of a magnet in pieces, on the name of the first piece.
    """
    girders = girders_of(document, sizes.girder_gap_m)
    devices = _devices(document, girders)
    values = {}
    for kind in KINDS:
        names = list(devices[kind.name])
        size = getattr(sizes, kind.name)
        drawn = size * cut_normals(seed, kind.name, names, sizes.cut) if size and names else [0.0] * len(names)
        values[kind.name] = {name: float(value) for name, value in zip(names, drawn, strict=True)}
    return MachineErrors(seed, sizes, girders, values)


def _devices(document: MachineDocument, girders: tuple[Girder, ...]) -> dict[str, Iterable[str]]:
    """Names of what has each kind of error, in beam order."""
    bodies = bodies_of(document)
    driven: dict[str, set[int]] = {}
    for magnet in document.magnets:
        if magnet.property in ORDER:
            driven.setdefault(magnet.element, set()).add(ORDER[magnet.property])
    found: dict[str, Iterable[str]] = {}
    for order, kind in KIND_OF_ORDER.items():
        with_order = (
            body.name
            for body in bodies
            if any(_has(document.elements[i], order) or order in driven.get(document.elements[i].name, ())
                   for i in body.elements)
        )  # fmt: skip
        found[kind] = dict.fromkeys(with_order)
    skew = (magnet.name for magnet in document.magnets if magnet.property == "k1s")
    found["quadrupole_gradient"] = dict.fromkeys([*found["quadrupole_gradient"], *skew])
    found["dipole_field"] = [body.name for body in bodies if _is_bend(document, body)]
    steerers = [magnet.name for magnet in document.magnets if magnet.property in KICKS]
    of_each = {
        "corrector": (steerers, ("gain", "roll")),
        "magnet": ([body.name for body in bodies], ("x", "y", "roll")),
        "girder": ([girder.name for girder in girders], ("x", "y", "roll")),
    }
    for of, (names, kinds) in of_each.items():
        found |= {f"{of}_{kind}": names for kind in kinds}
    monitors = [monitor.name for monitor in document.monitors]
    found |= dict.fromkeys((kind.name for kind in KINDS if kind.of == "monitor"), monitors)
    return found


def _is_bend(document: MachineDocument, body: Body) -> bool:
    return any(isinstance(document.elements[i], BendPart) for i in body.elements)


def _has(part: ElementPart, order: int) -> bool:
    """Tell whether an element is made for this order, or has a field of it by design."""
    match part:
        case QuadrupolePart():
            return order == 2
        case SextupolePart():
            return order == 3
        case OctupolePart():
            return order == 4
        case MultipolePart() | BendPart():
            return bool(part.a[order - 1] or part.b[order - 1])
    return False
