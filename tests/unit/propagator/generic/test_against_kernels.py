"""The compiled kernels say of every element what its description says."""

from typing import Any

import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.generic import Everywhere, PhaseSpace, Program, TpsSpace, closed_orbit, propagate
from gnomon.propagator.live.momentum_from_rf import path_difference
from unit.propagator.errors import with_errors, with_misalignments
from unit.propagator.small_ring import FreeLattice, SmallRing

BENT = {("B10", "b3"): 1.5, ("B10", "a3"): 0.7, ("B10", "b4"): 3.0, ("B10", "kick_y"): 1e-4, ("B10", "a2"): 0.01}
MOVED = ("QF1", "QD2", "B11", "B24", "S0", "S3", "O", "P", "T", "C")
MISALIGNED = {(name, what): v for name in MOVED for what, v in {"dx": 3e-4, "dy": -2e-4, "roll": 5e-3}.items()}
PLANES = ("x", "px", "y", "py")


def ray_of(beam: BeamState, place: int) -> PhaseSpace:
    return PhaseSpace._make([*beam.orbit[place].tolist(), beam.delta, 0.0])


def check_elements(lattice: Any, beam: BeamState) -> None:
    """Each element carries the kernels' orbit at its entrance to theirs at its exit."""
    program = Program.of(lattice)
    for place, step in enumerate(program.steps):
        after = step(ray_of(beam, place))
        assert np.abs(np.array(after[:4]) - beam.orbit[place + 1]).max() < 1e-15, step.name


def check_derivatives(lattice: Any, beam: BeamState) -> None:
    """Each element's matrix, delta's column included, carries the kernels' dispersion on."""
    space = TpsSpace(1, (*PLANES, "delta"))
    for place, step in enumerate(Program.of(lattice).steps):
        at = [*beam.orbit[place].tolist(), beam.delta]
        start = [space.variable(v, value) for v, value in zip(space.variables, at, strict=True)]
        after = step(PhaseSpace._make([*start, 0.0]))
        slopes = np.array([s.linear() for s in after[:4]]) @ [*beam.dispersion[place], 1.0]
        assert slopes == pytest.approx(beam.dispersion[place + 1], abs=1e-7), step.name


@pytest.mark.parametrize("detuning_hz", [0.0, -4e4])
@pytest.mark.parametrize("values", [{}, BENT | MISALIGNED], ids=["plain", "every parameter"])
def test_every_kind_of_element_agrees_in_orbit_path_and_matrix(
    values: dict[tuple[str, str], float], detuning_hz: float
) -> None:
    ring: Any = SmallRing()
    lattice: Any = FreeLattice(ring, values, detuning_hz)
    beam = Propagator(ring, "frequency")(lattice)
    assert beam.found
    check_elements(lattice, beam)
    check_derivatives(lattice, beam)
    space = TpsSpace(1, PLANES)
    start = [space.variable(v, at) for v, at in zip(PLANES, beam.orbit[0].tolist(), strict=True)]
    end = propagate(Program.of(lattice), PhaseSpace._make([*start, beam.delta, 0.0]))
    assert np.abs(np.array([s.linear() for s in end[:4]]) - beam.one_turn).max() < 1e-11
    path = path_difference(ring.harmonic_number, lattice.rf_frequency, ring.rf_reference)
    assert end.ct.constant == pytest.approx(path, abs=1e-13)


def test_every_uncoupled_element_carries_beta_and_alpha_as_the_kernels_do() -> None:
    ring: Any = SmallRing(tuple(e for e in SmallRing().elements if e.name not in ("T", "P", "C", "CT", "O")))
    lattice: Any = FreeLattice(ring, {("QF0", "kick_x"): 1e-4}, -4e4)
    beam = Propagator(ring, "orbit")(lattice)
    assert beam.found
    space = TpsSpace(1, PLANES)
    for place, step in enumerate(Program.of(lattice).steps):
        start = [space.variable(v, at) for v, at in zip(PLANES, beam.orbit[place].tolist(), strict=True)]
        matrix = [s.linear() for s in step(PhaseSpace._make([*start, beam.delta, 0.0]))[:4]]
        for mode in range(2):
            (a, b), (c, d) = (matrix[2 * mode + row][2 * mode : 2 * mode + 2] for row in range(2))
            beta, alpha = beam.beta[place, mode], beam.alpha[place, mode]
            gamma = (1.0 + alpha * alpha) / beta
            assert a * a * beta - 2.0 * a * b * alpha + b * b * gamma == pytest.approx(beam.beta[place + 1, mode])
            expected = -a * c * beta + (a * d + b * c) * alpha - b * d * gamma
            assert expected == pytest.approx(beam.alpha[place + 1, mode], abs=1e-10)


@pytest.mark.parametrize("name", ["bessy2", "mls"])
def test_the_shipped_rings_agree_element_by_element(name: str, request: pytest.FixtureRequest) -> None:
    ring: Ring = request.getfixturevalue(name)
    lattice = with_misalignments(with_errors(ring.nominal))
    beam = Propagator(ring, "orbit")(lattice)
    assert beam.found
    check_elements(lattice, beam)
    seen = Everywhere()
    propagate(Program.of(lattice), ray_of(beam, 0), [seen])
    assert np.abs(np.array([ray[:4] for ray in seen.rays]) - beam.orbit).max() < 1e-15
    if name == "mls":
        assert np.abs(closed_orbit(Program.of(lattice)) - beam.orbit[0]).max() < 1e-15
