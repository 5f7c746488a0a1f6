"""Knobs: element properties, by their usual names, that a series or a symbol can replace."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from gnomon.lattice import Lattice
from gnomon.lattice.elements import ORDERS, PARAMETERS, Element
from gnomon.lattice.near_names import near_names_hint
from gnomon.propagator.generic.generic_errors import KnobError

#: Device or element, and property: ("Q1M1D1R", "k1"), ("S4M1D1R", "dx").
Knob = tuple[str, str]

#: Names that operators use, and the parameters that they mean.
ALIASES = {"k1": "b2", "k1s": "a2"}

UNITS = {
    "length": "m", "kick_x": "rad", "kick_y": "rad", "dx": "m", "dy": "m", "roll": "rad", "angle": "rad",
    "entrance_angle": "rad", "exit_angle": "rad", "gap": "m", "voltage": "V", "frequency": "Hz",
    "fint_entrance": "", "fint_exit": "",
}  # fmt: skip

#: Fields that cannot be varied.
FIXED = ("name", "slices", "harmonic_number", "a", "b")


@dataclass(frozen=True, slots=True)
class Place:
    """A parameter of an element: `parameter` is the name of a field, or a1 to b4."""

    index: int
    parameter: str

    @property
    def order(self) -> int | None:
        """Index in the element's `a` or `b`; None if the parameter is a field by itself."""
        return int(self.parameter[1]) - 1 if self.parameter in PARAMETERS[: 2 * ORDERS] else None

    def value(self, element: Element) -> float:
        """Return the parameter's present value."""
        order = self.order
        return float(getattr(element, self.parameter) if order is None else getattr(element, self.parameter[0])[order])


def unit_of(parameter: str, length: object) -> str:
    """Return the unit of an element's parameter; strengths of a thin magnet are integrated."""
    if parameter in UNITS:
        return UNITS[parameter]
    power = int(parameter[1]) - (length == 0)
    return {0: "rad", 1: "1/m"}.get(power, f"1/m^{power}")


def parameters_of(element: Element) -> tuple[str, ...]:
    """List all parameters of an element that can be knobs."""
    names = [f.name for f in fields(element)]
    orders = PARAMETERS[: 2 * ORDERS] if "b" in names else ()
    return (*(n for n in names if n not in FIXED), *orders)


def find_place(knob: Knob, lattice: object, elements: tuple[Element, ...], index: Mapping[str, int]) -> Place:
    """Find the parameter that a knob names: a magnet's main strength, or an element's property.

    Raises KnobError, with similar names, when there is no such parameter.
    """
    device, name = knob
    if isinstance(lattice, Lattice) and (number := lattice.ring.strength_of(device, name)) is not None:
        magnet = lattice.ring.magnets[number]
        return Place(magnet.element, PARAMETERS[magnet.column])
    if device not in index:
        hint = near_names_hint(device, index)
        raise KnobError(f"knob {device} {name}: there is no element or magnet {device!r}{hint}")
    element = elements[index[device]]
    known = parameters_of(element)
    parameter = ALIASES.get(name, name)
    if parameter not in known:
        raise KnobError(
            f"knob {device} {name}: a {type(element).__name__.lower()} has no {name!r}; it has {', '.join(known)}"
        )
    return Place(index[device], parameter)
