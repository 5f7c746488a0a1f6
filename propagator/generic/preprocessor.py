"""First stage: turn a lattice into a program of steps, their parameters resolved and checked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import SimpleNamespace

from gnomon.lattice import Lattice
from gnomon.lattice.elements import Bend, Element, Monitor
from gnomon.propagator.generic.checks import check_closure, check_element
from gnomon.propagator.generic.generic_errors import KnobError, ProgramError
from gnomon.propagator.generic.knobs import Knob, Place, find_place
from gnomon.propagator.physics.element_physics import Description, descriptions
from gnomon.propagator.physics.integrators import YOSHIDA, Integrator
from gnomon.propagator.physics.number_types import Number
from gnomon.propagator.physics.phase_space import PhaseSpace


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a program: an element's physics with its parameters."""

    name: str
    description: Description
    parameters: SimpleNamespace

    def __call__(self, ray: PhaseSpace) -> PhaseSpace:
        """Return the phase space at the element's exit."""
        return self.description(ray, self.parameters)


@dataclass(frozen=True, slots=True)
class Program:
    """The steps of a lattice in beam order, one per element.

    `monitors` are the indices of the steps of beam position monitors.
    """

    name: str
    steps: tuple[Step, ...]
    monitors: tuple[int, ...]

    @classmethod
    def of(
        cls,
        lattice: Lattice,
        knobs: Mapping[Knob, Number] | None = None,
        *,
        cavities: bool = False,
        integrator: Integrator = YOSHIDA,
    ) -> "Program":
        """Make the program of a whole ring.

        The value of a knob, of any type of number, replaces the element's property. With `cavities` off, cavities are
        drifts and delta is constant. Raises KnobError for an unknown knob, and ProgramError for an element or a ring
        that cannot be made into a program.
        """
        ring = lattice.ring
        elements = tuple(lattice.element(i) for i in range(len(ring.elements)))
        places = knob_places(lattice, knobs or ())
        given = {place: (knobs or {})[knob] for knob, place in places.items()}
        return _compiled(ring.name, elements, given, lattice.energy_ev, cavities, integrator, closed=True)

    @classmethod
    def of_elements(
        cls,
        elements: Sequence[Element],
        knobs: Mapping[Knob, Number] | None = None,
        *,
        name: str = "line",
        closed: bool = False,
        energy_ev: float = 0.0,
        integrator: Integrator = YOSHIDA,
    ) -> "Program":
        """Make the program of a line or a cell, as `of` does; its cavities act only if `energy_ev` is above 0."""
        every = tuple(elements)
        index = {e.name: i for i, e in enumerate(every)}
        places = _distinct({knob: find_place(knob, None, every, index) for knob in knobs or ()})
        given = {place: (knobs or {})[knob] for knob, place in places.items()}
        return _compiled(name, every, given, energy_ev, energy_ev > 0.0, integrator, closed)


def description_of(element: Element) -> Description:
    """Return the physics of an element. Raises ProgramError when none is registered."""
    if type(element) not in descriptions:
        kind = type(element).__name__
        raise ProgramError(f"{element.name}: a {kind} has no description; register one with `describes`")
    return descriptions[type(element)]


def knob_places(lattice: Lattice, knobs: Iterable[Knob]) -> dict[Knob, Place]:
    """Find the parameter that each knob names. Raises KnobError for an unknown knob, or two of the same parameter."""
    return _distinct({knob: find_place(knob, lattice, lattice.ring.elements, lattice.ring.index) for knob in knobs})


def _distinct(places: dict[Knob, Place]) -> dict[Knob, Place]:
    """Return the places. Raises KnobError if two knobs name the same parameter."""
    first: dict[Place, Knob] = {}
    for knob, place in places.items():
        other = first.setdefault(place, knob)
        if other != knob:
            raise KnobError(f"knobs {' '.join(other)} and {' '.join(knob)} are the same parameter; keep one of them")
    return places


def _compiled(
    name: str,
    elements: tuple[Element, ...],
    given: Mapping[Place, Number],
    energy_ev: float,
    cavities: bool,
    integrator: Integrator,
    closed: bool,
) -> Program:
    by_element: dict[int, list[tuple[Place, Number]]] = {}
    for place, value in given.items():
        by_element.setdefault(place.index, []).append((place, value))
    steps: list[Step] = []
    for i, element in enumerate(elements):
        e = _resolved(element, by_element.get(i, ()))
        check_element(element, e)
        e.integrator, e.energy_ev, e.cavities = integrator, energy_ev, cavities
        steps.append(Step(element.name, description_of(element), e))
    if closed:
        bends = [s for s, element in zip(steps, elements, strict=True) if isinstance(element, Bend)]
        check_closure(name, [s.parameters.angle for s in bends])
    monitors = tuple(i for i, element in enumerate(elements) if isinstance(element, Monitor))
    return Program(name, tuple(steps), monitors)


def _resolved(element: Element, given: Iterable[tuple[Place, Number]]) -> SimpleNamespace:
    """Return an element's fields, with the values of knobs put in."""
    e = SimpleNamespace(**{f.name: getattr(element, f.name) for f in fields(element)})
    for place, value in given:
        order = place.order
        if order is None:
            setattr(e, place.parameter, value)
        else:
            coefficients = list(getattr(e, place.parameter[0]))
            coefficients[order] = value
            setattr(e, place.parameter[0], tuple(coefficients))
    return e
