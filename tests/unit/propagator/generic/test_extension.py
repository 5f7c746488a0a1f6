"""A new element, observer or number touches one place, and a program says what it can't be made of."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pytest

from gnomon.lattice.elements import (
    Bend,
    Cavity,
    Corrector,
    Drift,
    Element,
    Marker,
    Monitor,
    Multipole,
    Octupole,
    Quadrupole,
    Sextupole,
)
from gnomon.propagator.generic import (
    KnobError,
    Losses,
    OrbitAtMonitors,
    PhaseSpace,
    Program,
    ProgramError,
    PropagationError,
    TpsSpace,
    TurnByTurn,
    describes,
    propagate,
)
from gnomon.propagator.generic.preprocessor import description_of
from unit.propagator.small_ring import FreeLattice, SmallRing, small_elements

QUADRUPOLE = Quadrupole(name="Q", length=0.3, b=(0.0, 1.9, 0.0, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror(Element):
    """A toy that turns the beam around the axis."""

    strength: float = 1.0


@describes(Mirror)
def mirror(ray: PhaseSpace, e: Any) -> PhaseSpace:
    return ray._replace(x=-e.strength * ray.x, px=-ray.px)


@dataclass
class Largest:
    """A toy that keeps the largest |x|."""

    x: float = 0.0
    seen: list[int] = field(default_factory=list)

    def places(self, program: Program) -> range:
        return range(1, len(program.steps) + 1)

    def observe(self, turn: int, place: int, ray: PhaseSpace) -> None:
        self.x = max(self.x, float(np.max(np.abs(ray.x))))
        self.seen.append(place)


def test_a_toy_element_works_for_every_number_and_has_its_knob() -> None:
    elements = [Drift(name="D", length=1.0), Mirror(name="M")]
    assert propagate(Program.of_elements(elements), PhaseSpace(1e-3, 1e-4)).x == pytest.approx(-1.1e-3)
    many = propagate(Program.of_elements(elements), PhaseSpace(np.array([1e-3, 2e-3])))
    assert many.x == pytest.approx([-1e-3, -2e-3])
    space = TpsSpace(2, ("x", ("M", "strength")))
    knobs = {("M", "strength"): space.variable(("M", "strength"), 1.0)}
    end = propagate(Program.of_elements(elements, knobs), PhaseSpace(space.variable("x")))
    assert end.x.coefficient("x", ("M", "strength")) == -1.0


def test_a_toy_observer_sees_what_it_asks_for() -> None:
    largest = Largest()
    program = Program.of_elements([Drift(name="D", length=1.0), Mirror(name="M")])
    propagate(program, PhaseSpace(np.array([1e-3, -4e-3])), [largest], turns=2)
    assert largest.x == 4e-3
    assert largest.seen == [1, 2, 1, 2]


def test_monitors_and_turns_are_observed() -> None:
    elements = [Drift(name="D", length=1.0), Monitor(name="B"), QUADRUPOLE, Monitor(name="C", length=0.1)]
    orbit, turns = OrbitAtMonitors(), TurnByTurn()
    end = propagate(Program.of_elements(elements), PhaseSpace(0.0, 1e-4), [orbit, turns], turns=3)
    assert len(orbit.x) == len(orbit.y) == 6
    assert orbit.x[0] == 1e-4
    assert turns.rays[0].px == 1e-4
    assert len(turns.rays) == 3
    assert turns.rays[1] != end


def test_each_loss_is_found_once_with_turn_place_and_coordinates() -> None:
    losses = Losses(0.01, 0.005)
    program = Program.of_elements([Drift(name="D", length=1.0), Drift(name="E", length=1.0)])
    start = PhaseSpace(np.zeros(4), np.array([0.0, 4e-3, 0.0, np.nan]), np.zeros(4), np.array([0.0, 0.0, 6e-3, 0.0]))
    propagate(program, start, [losses], turns=2)
    assert [(one.particle, one.turn, one.place) for one in losses.losses] == [(2, 0, 1), (3, 0, 1), (1, 1, 1)]
    assert losses.losses[0].ray.y == pytest.approx(6e-3)
    single = Losses(0.01, 0.01)
    propagate(program, PhaseSpace(px=1.0), [single])
    assert [(one.particle, one.place) for one in single.losses] == [(0, 1)]


@pytest.mark.parametrize(
    ("element", "text"),
    [
        (replace(QUADRUPOLE, b=(0.0, np.nan, 0.0, 0.0)), "Q b2: nan 1/m.2 is not a finite number"),
        (replace(QUADRUPOLE, b=(0.0, np.inf, 0.0, 0.0)), "Q b2: inf 1/m.2 is not a finite number"),
        (replace(QUADRUPOLE, b=(0.0, 1e6, 0.0, 0.0)), "Q b2: 1e.06 1/m.2 is beyond any magnet, at most 333.333 1/m"),
        (replace(QUADRUPOLE, length=np.nan), "Q length: nan m is not a finite number"),
        (replace(QUADRUPOLE, length=-0.1), "Q length: -0.1 m; a magnet's length must not be negative"),
        (replace(QUADRUPOLE, length=0.0), "Q length: 0 m, but b2 is 1.9 1/m.2, a field over no length; give the quad"),
        (replace(QUADRUPOLE, dx=5.0), "Q dx: 5 m is beyond any magnet, at most 0.1 m"),
        (replace(QUADRUPOLE, kick_x=np.inf), "Q kick_x: inf rad is not a finite"),
        (replace(QUADRUPOLE, slices=0), "Q slices: 0 is outside 1 to"),
        (replace(QUADRUPOLE, slices=10**9), "Q slices: 1000000000 is outside 1 to"),
        (Multipole(name="T", b=(0.0, 0.0, 1e9, 0.0)), "T b3: 1e.09 1/m.2 is beyond any magnet"),
        (Bend(name="B", length=0.0, angle=0.1), "B length: 0 m, but it bends by 0.1 rad; give the bend its length"),
        (Bend(name="B", length=1.0, angle=0.1, exit_angle=1.6), "B exit_angle: 1.6 rad is beyond any magnet"),
        (Cavity(name="RF", voltage=np.nan), "RF voltage: nan V is not a finite number"),
        (Drift(name="D", length=1e9), "D length: 1e.09 m is more than 10000 m"),
    ],
)  # fmt: skip
def test_an_impossible_element_is_refused_by_element_property_value_and_unit(element: Element, text: str) -> None:
    with pytest.raises(ProgramError, match=text):
        Program.of_elements([element])


def test_a_ring_that_does_not_close_is_refused_and_a_cell_is_not() -> None:
    elements = small_elements()[:-11]
    with pytest.raises(ProgramError, match=r"small angle: the ring does not close, its 14 bends add up to 5.49"):
        Program.of(FreeLattice(SmallRing(elements)))  # type: ignore[arg-type]
    assert len(Program.of_elements(elements).steps) == len(elements)


@pytest.mark.parametrize(
    ("knob", "text"),
    [
        (("QF9", "k1"), "there is no element or magnet 'QF9'; near names: QF"),
        (("QF0", "k7"), "a quadrupole has no 'k7'; it has length, kick_x"),
        (("QF0", "a"), "a quadrupole has no 'a'"),
        (("D10", "k1"), "a drift has no 'k1'; it has length"),
    ],
)
def test_a_knob_that_does_not_exist_is_refused_with_what_there_is(knob: tuple[str, str], text: str) -> None:
    with pytest.raises(KnobError, match=text):
        Program.of(FreeLattice(SmallRing()), {knob: 1.0})  # type: ignore[arg-type]


def test_two_knobs_of_one_parameter_are_refused() -> None:
    with pytest.raises(KnobError, match="knobs Q k1 and Q b2 are the same parameter; keep one"):
        Program.of_elements([QUADRUPOLE], {("Q", "k1"): 1.0, ("Q", "b2"): 2.0})


@pytest.mark.parametrize(
    ("ray", "text"),
    [
        (PhaseSpace(np.zeros(0)), "0 particles"),
        (PhaseSpace(np.zeros(2), np.zeros(3)), "different shapes"),
        (PhaseSpace(delta=-1.0), "delta -1: a momentum deviation must be above -1"),
        (PhaseSpace(np.zeros(2), delta=np.array([0.0, -2.0])), "delta -2"),
    ],
)
def test_a_phase_space_that_cannot_be_propagated_is_refused(ray: PhaseSpace, text: str) -> None:
    with pytest.raises(PropagationError, match=text):
        propagate(Program.of_elements([QUADRUPOLE]), ray)


def test_no_turns_an_ended_time_and_impossible_arithmetic_are_reasons() -> None:
    program = Program.of_elements([QUADRUPOLE])
    with pytest.raises(PropagationError, match="turns: 0; give at least 1"):
        propagate(program, PhaseSpace(), turns=0)
    with pytest.raises(PropagationError, match=r"the time limit of 0 s ended in turn \d+ of 1000000 before Q"):
        propagate(program, PhaseSpace(), turns=1_000_000, time_limit_s=0.0)
    cavity = Program.of_elements([Cavity(name="RF", voltage=1e6, frequency=5e8)], energy_ev=1e9)
    with pytest.raises(PropagationError, match="turn 0, in RF: math domain error"):
        propagate(cavity, PhaseSpace(ct=np.inf))


def test_an_element_without_description_is_named() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class FringeQuadrupole(Quadrupole):
        pass

    with pytest.raises(ProgramError, match="N: a FringeQuadrupole has no description"):
        description_of(FringeQuadrupole(name="N"))


def test_no_field_of_an_element_is_unknown_to_its_description() -> None:
    # a new field needs its physics in generic/element_physics.py first, or what it means is ignored in silence
    element = {"name", "length"}
    multipole = element | {"a", "b", "kick_x", "kick_y", "dx", "dy", "roll", "slices"}
    bend = multipole | {"angle", "entrance_angle", "exit_angle", "gap", "fint_entrance", "fint_exit"}
    cavity = element | {"voltage", "frequency", "harmonic_number"}
    known: dict[type, set[str]] = dict.fromkeys((Drift, Marker, Monitor), element)
    known |= dict.fromkeys((Multipole, Quadrupole, Sextupole, Octupole, Corrector), multipole)
    known |= {Bend: bend, Cavity: cavity}
    for kind, names in known.items():
        assert {f.name for f in fields(kind)} == names, kind
