"""The one-turn map's derivatives are those that differences of the propagator, and pyAT, give."""

from typing import Any

import at
import numpy as np
import pytest

from gnomon.lattice import Lattice, Ring
from gnomon.lattice.elements import Drift, Multipole
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.generic import (
    KnobError,
    OneTurnMap,
    PhaseSpace,
    Program,
    PropagationError,
    SeriesError,
    TpsSpace,
    closed_orbit,
    one_turn_map,
    program_tune_shift,
    propagate,
    tune_shift_with_amplitude,
)
from gnomon.propagator.generic.normal_modes import find_modes
from unit.propagator.errors import with_errors, with_misalignments
from unit.propagator.pyat_oracle import pyat_lattice
from unit.propagator.small_ring import FreeLattice, SmallRing

#: Knobs of the MLS, by device and by element, and the steps of the differences.
KNOBS = {
    ("Q1M2K1RP", "k1"): 1e-5,
    ("S1M2K1RP", "b3"): 1e-2,
    ("S1M2K1RP", "dx"): 1e-6,
    ("Q2M1L2RP", "dy"): 1e-6,
    ("Q2M1L2RP", "roll"): 1e-5,
    ("HS3M2K1RP", "kick"): 1e-6,
}


@pytest.fixture(scope="module")
def lattice(mls: Ring) -> Lattice:
    return with_misalignments(with_errors(mls.nominal))


@pytest.fixture(scope="module")
def turn(lattice: Lattice) -> OneTurnMap:
    return one_turn_map(lattice, 3, tuple(KNOBS))


@pytest.fixture(scope="module")
def beam(lattice: Lattice) -> BeamState:
    return Propagator(lattice.ring, "orbit")(lattice)


def test_orbit_matrix_tunes_dispersion_chromaticity_and_compaction_agree(turn: OneTurnMap, beam: BeamState) -> None:
    assert np.abs(turn.orbit - beam.orbit[0]).max() < 1e-14
    assert np.abs(turn.matrix - beam.one_turn).max() < 1e-12
    assert [tune.constant for tune in turn.tunes] == pytest.approx(beam.tune % 1.0, abs=1e-13)
    assert [p.coefficient("delta") for p in turn.fixed_point] == pytest.approx(beam.dispersion[0], abs=1e-8)
    assert turn.chromaticity() == pytest.approx(beam.chromaticity, abs=1e-7)
    compaction = turn.lengthening.coefficient("delta") / turn.circumference
    assert compaction == pytest.approx(beam.momentum_compaction, rel=1e-8)


def test_the_map_is_symplectic_to_its_order(turn: OneTurnMap) -> None:
    point = {"x": 1e-4, "px": -2e-5, "y": 1e-4, "py": 1e-5}
    values = [point.get(str(v), 0.0) for v in turn.space.variables]
    matrix = np.array([[s.derivative(v)(values) for v in point] for s in turn.end[:4]])
    form = np.kron(np.eye(2), [[0.0, 1.0], [-1.0, 0.0]])
    assert np.abs(matrix.T @ form @ matrix - form).max() < 1e-6  # its derivative's second order is the last
    first = turn.matrix
    assert np.abs(first.T @ form @ first - form).max() < 1e-12


@pytest.mark.parametrize("knob", KNOBS, ids=" ".join)
def test_derivatives_by_a_knob_agree_with_differences_of_the_propagator(
    knob: tuple[str, str], turn: OneTurnMap, lattice: Lattice
) -> None:
    propagate_beam, step = Propagator(lattice.ring, "orbit"), KNOBS[knob]
    above, below = (propagate_beam(lattice.updated({knob: lattice[knob] + sign * step})) for sign in (1.0, -1.0))
    two = 2.0 * step
    orbit = [p.coefficient(knob) for p in turn.fixed_point]
    assert orbit == pytest.approx((above.orbit[0] - below.orbit[0]) / two, rel=1e-5, abs=1e-7)
    tunes = [tune.coefficient(knob) for tune in turn.tunes]
    assert tunes == pytest.approx((above.tune - below.tune) / two, rel=1e-5, abs=1e-7)
    dispersion = [p.coefficient("delta", knob) for p in turn.fixed_point]
    assert dispersion == pytest.approx((above.dispersion[0] - below.dispersion[0]) / two, rel=1e-3, abs=2e-3)
    chromaticity = [tune.coefficient("delta", knob) for tune in turn.tunes]
    assert chromaticity == pytest.approx((above.chromaticity - below.chromaticity) / two, rel=1e-2, abs=2e-2)


def test_second_derivatives_by_two_knobs_agree_with_differences(turn: OneTurnMap, lattice: Lattice) -> None:
    first, second = ("Q1M2K1RP", "k1"), ("S1M2K1RP", "dx")
    steps = {first: 1e-3, second: 1e-5}
    propagate_beam = Propagator(lattice.ring, "orbit")

    def at_step(a: int, b: int) -> np.ndarray:
        changed = {first: lattice[first] + a * steps[first], second: lattice[second] + b * steps[second]}
        return propagate_beam(lattice.updated(changed)).tune

    mixed = (at_step(1, 1) - at_step(1, -1) - at_step(-1, 1) + at_step(-1, -1)) / (4e-8)
    assert [tune.coefficient(first, second) for tune in turn.tunes] == pytest.approx(mixed, rel=1e-3)


def test_higher_chromaticities_agree_with_pyat(mls: Ring) -> None:
    lattice = mls.nominal
    turn = one_turn_map(lattice, 4)
    ring = pyat_lattice(lattice)
    step = 2e-3
    tunes = np.array([at.get_tune(ring, dp=k * step) for k in (-2, -1, 0, 1, 2)])
    second = np.array([-1.0, 16.0, -30.0, 16.0, -1.0]) @ tunes / 12.0 / step**2
    third = np.array([-1.0, 2.0, 0.0, -2.0, 1.0]) @ tunes / 2.0 / step**3
    assert turn.chromaticity(2) == pytest.approx(second, rel=1e-3)
    assert turn.chromaticity(3) == pytest.approx(third, rel=2e-2)
    with pytest.raises(SeriesError, match="order 4 was asked of a power series of order 3"):
        turn.chromaticity(4)


@pytest.mark.slow(2)  # the same on the MLS is quick
def test_derivatives_on_bessy2_agree_with_differences_of_the_propagator(bessy2: Ring) -> None:
    lattice = with_errors(bessy2.nominal)
    knobs = {("Q1M1D1R", "k1"): 1e-5, ("S4M1D1R", "b3"): 1e-2, ("HS4M1D1R", "kick"): 1e-6}
    turn = one_turn_map(lattice, 2, tuple(knobs))
    propagate_beam = Propagator(bessy2, "orbit")
    beam = propagate_beam(lattice)
    assert [tune.constant for tune in turn.tunes] == pytest.approx(beam.tune % 1.0, abs=1e-11)
    assert turn.chromaticity() == pytest.approx(beam.chromaticity, abs=1e-6)
    for knob, step in knobs.items():
        above, below = (propagate_beam(lattice.updated({knob: lattice[knob] + s * step})) for s in (1.0, -1.0))
        orbit, tunes = (above.orbit[0] - below.orbit[0]) / (2 * step), (above.tune - below.tune) / (2 * step)
        assert [p.coefficient(knob) for p in turn.fixed_point] == pytest.approx(orbit, rel=1e-5, abs=1e-7)
        assert [tune.coefficient(knob) for tune in turn.tunes] == pytest.approx(tunes, rel=1e-5, abs=1e-7)


def thin_cell(b: tuple[float, float, float, float]) -> Program:
    """A cell of thin lenses without any other nonlinearity."""
    return Program.of_elements(
        [
            Multipole(name="QF", b=(0.0, 0.8, 0.0, 0.0)),
            Drift(name="D1", length=1.0),
            Multipole(name="QD", b=(0.0, -0.7, 0.0, 0.0)),
            Drift(name="D2", length=1.0),
            Multipole(name="N", b=b),
        ]
    )


def beta_and_tune() -> tuple[np.ndarray, np.ndarray]:
    space = TpsSpace(1, ("x", "px", "y", "py"))
    start = [space.variable(v) for v in space.variables]
    end = propagate(thin_cell((0.0, 0.0, 0.0, 0.0)), PhaseSpace._make([*start, 0.0, 0.0]))[:4]
    modes = find_modes(np.array([s.linear() for s in end]))
    return np.abs(modes.vectors[[0, 2], [0, 1]]) ** 2, modes.tunes


def test_tune_shift_of_a_thin_octupole_is_the_closed_formula() -> None:
    (x, y), _ = beta_and_tune()
    b4 = 5.0
    own, cross = 3.0 * b4 / (8.0 * np.pi), -3.0 * b4 / (4.0 * np.pi)
    expected = np.array([[own * x * x, cross * x * y], [cross * x * y, own * y * y]])
    assert program_tune_shift(thin_cell((0.0, 0.0, 0.0, b4))) == pytest.approx(expected, rel=1e-12)


def test_tune_shift_of_a_thin_sextupole_is_the_closed_formula() -> None:
    (x, _), (tune, _) = beta_and_tune()
    k2 = 3.0
    cot = [1.0 / np.tan(n * np.pi * tune) for n in (1, 3)]
    expected = -(k2**2) * x**3 / (64.0 * np.pi) * (3.0 * cot[0] + cot[1])
    assert program_tune_shift(thin_cell((0.0, 0.0, k2 / 2.0, 0.0)))[0, 0] == pytest.approx(expected, rel=1e-12)


def test_tune_shift_with_amplitude_of_the_mls_agrees_with_tracking_in_pyat(mls: Ring) -> None:
    ours = tune_shift_with_amplitude(mls.nominal)
    assert ours[0, 1] == pytest.approx(ours[1, 0], rel=1e-9)  # both are a second derivative of one Hamiltonian
    theirs = at.physics.nonlinear.detuning(pyat_lattice(mls.nominal), xm=3e-4, ym=3e-4, npoints=3)[1]
    assert np.abs(ours.T / theirs - 1.0).max() < 1e-3


def test_a_resonance_an_unstable_ring_and_a_missing_orbit_are_reasons() -> None:
    focusing_in_x_only = [Multipole(name="L", b=(0.0, 0.1, 0.1, 0.0)), Drift(name="D", length=1.0)]
    with pytest.raises(SeriesError, match=r"no stable beam: the matrix of the turn has the traces 1.9 in x and 2.1 in"):
        program_tune_shift(Program.of_elements(focusing_in_x_only))
    unstable: Any = FreeLattice(SmallRing(), {(f"QF{i}", "b2"): 12.0 for i in range(8)})
    with pytest.raises((SeriesError, PropagationError), match=r"no stable beam|no closed orbit"):
        one_turn_map(unstable, 2).tunes  # noqa: B018 - the property raises
    integer = Program.of_elements([Drift(name="D", length=1.0)])
    with pytest.raises(PropagationError, match="a tune is an integer"):
        closed_orbit(integer)
    # the trace 2 - 2 a + 2 c - a c of lenses a, -c with drifts of 1 m between them is -1 at a tune of 1 / 3
    third = [*focusing_in_x_only, Multipole(name="M", b=(0.0, -1.5, 0.0, 0.0)), Drift(name="E", length=1.0)]
    third[0] = Multipole(name="L", b=(0.0, 6.0 / 3.5, 0.1, 0.0))
    with pytest.raises(SeriesError, match=r"resonance that drives c1 by c1\* c1\*"):
        program_tune_shift(Program.of_elements(third))


def test_the_synchrotron_tune_with_cavities_is_the_closed_formula_and_the_map_symplectic() -> None:
    names = ("x", "px", "y", "py", "delta", "ct")
    space = TpsSpace(1, names)
    steerers = ("C", "CT", "O", "P", "T")  # off the axis an edge's dependence on delta has no partner in ct
    ring = SmallRing(tuple(e for e in SmallRing().elements if e.name not in steerers))
    lattice: Any = FreeLattice(ring, {("QF0", "roll"): 0.01})
    beam = Propagator(lattice.ring, "orbit")(lattice)
    end = propagate(
        Program.of(lattice, cavities=True),
        PhaseSpace(*(space.variable(n, at) for n, at in zip(names, [*beam.orbit[0].tolist(), 0.0, 0.0], strict=True))),
    )
    matrix = np.array([series.linear() for series in end])
    form = np.kron(np.eye(3), [[0.0, 1.0], [-1.0, 0.0]])
    assert np.abs(matrix.T @ form @ matrix - form).max() < 1e-12
    tunes = np.sort(np.abs(np.angle(np.linalg.eigvals(matrix)))) / (2.0 * np.pi)
    slope = 1e6 / 1e9 * 2.0 * np.pi * 5e8 / SPEED_OF_LIGHT  # d(delta) / d(ct) of the cavity
    lengthening = beam.momentum_compaction * lattice.ring.circumference
    synchrotron = np.arccos(1.0 - slope * lengthening / 2.0) / (2.0 * np.pi)
    assert np.abs(tunes - synchrotron).min() < 0.05 * synchrotron


def test_tunes_as_series_need_the_second_order_and_knobs_must_exist(lattice: Lattice) -> None:
    ring: Any = FreeLattice(SmallRing())
    with pytest.raises(SeriesError, match="need a map of order 2"):
        one_turn_map(ring, 1).tunes  # noqa: B018
    with pytest.raises(KnobError, match="'Q1M2K1RX'; near names: Q1M2K1RP"):
        one_turn_map(lattice, 1, [("Q1M2K1RX", "k1")])
    with pytest.raises(SeriesError, match="memory_mb"):
        one_turn_map(lattice, 4, tuple(KNOBS), memory_mb=1.0)
