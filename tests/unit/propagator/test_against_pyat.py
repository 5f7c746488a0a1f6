"""Orbit and optics agree with pyAT on both rings, their optics, with errors and misalignments."""

from dataclasses import dataclass
from typing import Any

import at
import numpy as np
import pytest

from gnomon.lattice import Lattice, Ring
from gnomon.propagator import BeamState, Propagator
from unit.propagator.errors import with_errors, with_misalignments
from unit.propagator.pyat_oracle import TIGHT, pyat_lattice, pyat_turn, turn_matrix

CASES = [
    "bessy2",
    "bessy2 misaligned",
    "mls",
    "mls misaligned",
    "mls injection",
    "mls low_emittance",
    "mls low_alpha",
    "mls ssmb",
]


@dataclass(frozen=True)
class Comparison:
    """One lattice's beam and what pyAT says of it."""

    beam: BeamState
    orbit: np.ndarray
    matrix: np.ndarray
    tune: np.ndarray
    chromaticity: np.ndarray
    elements: Any
    dispersion: np.ndarray
    compaction: float
    path: float


def case_lattice(name: str, rings: dict[str, Ring]) -> Lattice:
    ring_name, *rest = name.split()
    ring = rings[ring_name]
    what = rest[0] if rest else ""
    lattice = with_errors(ring.optics.get(what, ring.nominal))
    return with_misalignments(lattice) if what == "misaligned" else lattice


def compaction(ring: Any, delta: float) -> float:
    """pyAT's momentum compaction for a step of 0: at low compaction the third order shows in a difference."""
    near, far = (at.get_mcf(ring, dp=delta, DPStep=step) for step in (1e-5, 2e-5))
    return float(near + (near - far) / 3.0)


@pytest.fixture(scope="module", params=CASES)
def comparison(request: pytest.FixtureRequest, bessy2: Ring, mls: Ring) -> Comparison:
    lattice = case_lattice(request.param, {"bessy2": bessy2, "mls": mls})
    beam = Propagator(lattice.ring)(lattice)
    ring = pyat_lattice(lattice)
    everywhere = range(len(ring) + 1)
    delta = beam.delta
    start, orbit = at.find_orbit4(ring, dp=delta, refpts=everywhere, **TIGHT)
    # The matrix is best with a long step, the chromatic orbits with a tight end.
    _, data, elements = at.linopt6(
        ring, dp=delta, refpts=everywhere, get_chrom=True, DPStep=1e-5, orbit=start, XYStep=1e-6, keep_lattice=True
    )
    above, below = (at.find_orbit4(ring, dp=delta + d, refpts=everywhere, **TIGHT)[1] for d in (5e-6, -5e-6))
    return Comparison(
        beam, orbit[:, :4], turn_matrix(ring, start), data.tune, data.chromaticity, elements,
        (above - below)[:, :4] / 1e-5, compaction(ring, delta),
        pyat_turn(ring, start[:, None])[5, 0],
    )  # fmt: skip


def test_orbit_agrees_at_every_element(comparison: Comparison) -> None:
    assert comparison.beam.found, comparison.beam.reason
    assert np.abs(comparison.orbit[:, [0, 2]]).max() > 5e-5
    assert np.abs(comparison.beam.orbit - comparison.orbit).max() < 1e-12


def test_the_path_of_the_orbit_is_the_circumference_that_the_frequency_fixes(comparison: Comparison) -> None:
    assert comparison.beam.delta != 0.0
    assert abs(comparison.path) < 1e-13


def test_matrix_of_the_turn_agrees_with_differences_of_tracking(comparison: Comparison) -> None:
    size = np.abs(comparison.matrix).max()
    assert np.abs(comparison.beam.one_turn - comparison.matrix).max() < 1e-9 * size


def test_matrix_of_the_turn_is_symplectic(comparison: Comparison) -> None:
    s = np.kron(np.eye(2), [[0.0, 1.0], [-1.0, 0.0]])
    m = comparison.beam.one_turn
    assert np.abs(m.T @ s @ m - s).max() < 1e-12


def test_tunes_agree_and_their_integers_are_the_phase_advance(comparison: Comparison) -> None:
    beam = comparison.beam
    assert np.abs(beam.tune % 1.0 - comparison.tune).max() < 1e-8
    assert np.abs(beam.tune - comparison.elements.mu[-1] / (2.0 * np.pi)).max() < 1e-7
    assert np.abs(beam.phase[-1] - beam.tune).max() < 1e-9


def test_beta_alpha_and_phase_agree_at_every_element(comparison: Comparison) -> None:
    beam, elements = comparison.beam, comparison.elements
    assert np.abs(beam.beta / elements.beta - 1.0).max() < 1e-7
    assert np.abs(beam.alpha - elements.alpha).max() < 1e-7 * np.abs(elements.alpha).max()
    assert np.abs(beam.phase - elements.mu / (2.0 * np.pi)).max() < 1e-7


def test_dispersion_agrees_at_every_element(comparison: Comparison) -> None:
    largest = np.abs(comparison.dispersion).max()
    assert np.abs(comparison.beam.dispersion - comparison.dispersion).max() < 1e-7 * largest


def test_chromaticity_and_momentum_compaction_agree(comparison: Comparison) -> None:
    assert np.abs(comparison.beam.chromaticity - comparison.chromaticity).max() < 1e-3
    assert comparison.beam.momentum_compaction == pytest.approx(comparison.compaction, rel=1e-8)


def test_arrays_cannot_be_written(comparison: Comparison) -> None:
    with pytest.raises(ValueError, match="read-only"):
        comparison.beam.orbit[0, 0] = 1.0


@pytest.mark.parametrize("name", ["bessy2", "mls"])
def test_nominal_optics_are_those_of_the_reference_tables(name: str, request: pytest.FixtureRequest) -> None:
    tune, chromaticity = {
        "bessy2": ([17.848005536965424, 6.726749878111641], [1.7494258, 3.0192997]),
        "mls": ([3.178486097496658, 2.2319955738636583], [1.2673601, 2.8036173]),
    }[name]
    ring = request.getfixturevalue(name)
    beam = Propagator(ring)(ring.nominal)
    assert not beam.orbit.any()
    assert np.abs(beam.tune - tune).max() < 1e-8
    assert np.abs(beam.chromaticity - chromaticity).max() < 1e-3
