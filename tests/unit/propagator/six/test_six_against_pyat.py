"""Six dimensions agree with pyAT: orbit, matrix, optics, radiation, and the envelope.

pyAT's pole faces leave the loss as it is, so that six dimensions are compared without them (`faces=False`).
"""

from dataclasses import dataclass
from typing import Any

import at
import numpy as np
import pytest

from gnomon.lattice import Lattice, Ring
from gnomon.propagator import Propagator
from gnomon.propagator.six import SixD, SixDBeam, envelope, radiation_summary, summary
from unit.propagator.errors import with_errors, with_misalignments
from unit.propagator.six.pyat_six import pyat_six

CASES = [
    "bessy2",
    "bessy2 misaligned detuned",
    "mls",
    "mls misaligned detuned",
    "mls radiating",
    "bessy2 radiating",
    "mls injection",
]


@dataclass(frozen=True)
class Comparison:
    """One lattice's beam and pyAT's."""

    lattice: Lattice
    six: SixD
    beam: SixDBeam
    ring: Any
    start: np.ndarray
    orbit: np.ndarray


def case_lattice(words: list[str], ring: Ring) -> Lattice:
    lattice = with_errors(ring.optics["injection"] if "injection" in words else ring.nominal)
    if "misaligned" in words:
        lattice = with_misalignments(lattice)
    if "detuned" in words:
        key = ("rf", "frequency")
        lattice = lattice.updated({key: lattice[key] * (1.0 + 2e-7)})
    return lattice


@pytest.fixture(scope="module", params=CASES)
def comparison(request: pytest.FixtureRequest, bessy2: Ring, mls: Ring) -> Comparison:
    name, *words = request.param.split()
    lattice = case_lattice(words, {"bessy2": bessy2, "mls": mls}[name])
    six = SixD(lattice.ring, faces=False)
    beam = six(lattice, radiation="radiating" in words)
    assert beam.found, beam.reason
    ring = pyat_six(six, lattice, beam)
    everywhere = range(len(ring) + 1)
    start, orbit = at.find_orbit6(
        ring, refpts=everywhere, convergence=1e-14, max_iterations=12, guess=1.001 * beam.orbit[0]
    )
    return Comparison(lattice, six, beam, ring, start, orbit)


def test_orbit_agrees_at_every_element(comparison: Comparison) -> None:
    assert np.abs(comparison.orbit[:, [0, 2]]).max() > 1e-4
    assert np.abs(comparison.beam.orbit - comparison.orbit).max() < 1e-12


def test_matrix_and_optics_agree(comparison: Comparison) -> None:
    beam, ring = comparison.beam, comparison.ring
    matrix, _ = at.find_m66(ring, orbit=comparison.start)
    assert np.abs(beam.one_turn - matrix).max() < 1e-9 * np.abs(matrix).max()
    _, data, elements = at.linopt6(ring, refpts=range(len(ring) + 1), orbit=comparison.start)
    assert np.abs(beam.tunes % 1.0 - data.tune).max() < 1e-9
    assert np.abs(beam.phase - elements.mu[:, :2] / (2.0 * np.pi)).max() < 1e-8
    # pyAT does not take the damping out of the eigenvectors everywhere
    assert np.abs(beam.beta / elements.beta - 1.0).max() < (1e-5 if beam.radiation else 1e-7)
    largest = np.abs(elements.dispersion).max()
    assert np.abs(beam.dispersion - elements.dispersion).max() < 1e-7 * largest


def test_volume_shrinks_by_the_damping_alone(comparison: Comparison) -> None:
    beam = comparison.beam
    assert np.linalg.det(beam.one_turn) == pytest.approx(np.exp(-2.0 * beam.damping_rates.sum()), rel=1e-10)
    # Robinson's theorem; pyAT's edges, which have no ct for their delta, are not symplectic beyond that
    robinson = 2.0 * beam.energy_loss_ev / comparison.lattice.energy_ev
    assert beam.damping_rates.sum() == pytest.approx(robinson, rel=2e-3)


@pytest.mark.parametrize("name", ["bessy2", "mls", "mls low_alpha", "mls ssmb"])
def test_envelope_agrees_with_ohmi_envelope(name: str, bessy2: Ring, mls: Ring) -> None:
    machine, *optics = name.split()
    ring = {"bessy2": bessy2, "mls": mls}[machine]
    lattice = with_errors(ring.optics[optics[0]] if optics else ring.nominal)
    six = SixD(lattice.ring, faces=False)
    beam, found = envelope(six, lattice)
    theirs = pyat_six(six, lattice, beam)
    _, data, places = at.ohmi_envelope(theirs, refpts=range(len(theirs) + 1))
    assert np.abs(found.emittances_m / data.mode_emittances - 1.0).max() < 1e-3
    sizes = np.sqrt(np.diagonal(places.r66, axis1=1, axis2=2))
    assert np.abs(found.sizes / sizes - 1.0).max() < 1e-3
    # the emittances of both matrices by one method; the vertical one is a millionth of the others
    ours, others = (emittances(each) for each in (found.sigma[0], places.r66[0]))
    assert np.abs(ours[1:] / others[1:] - 1.0).max() < 2e-4
    assert np.sort(found.emittances_m) == pytest.approx(ours, rel=1e-6)


def emittances(sigma: np.ndarray) -> np.ndarray:
    """The emittances (3,) of a matrix of second moments, sorted: the eigenvalues of sigma S are plus and minus i e."""
    form = np.kron(np.eye(3), np.array([[0.0, 1.0], [-1.0, 0.0]]))
    return np.sort(np.abs(np.linalg.eigvals(sigma @ form).imag))[::2]


def test_the_summary_holds_the_numbers_of_beam_and_envelope(mls: Ring) -> None:
    lattice = with_errors(mls.nominal)
    beam, found = envelope(SixD(mls), lattice)
    numbers = summary(lattice)
    assert numbers["synchrotron_tune"] == beam.tunes[2]
    assert numbers["beam_size_y_m"] == found.sizes[0, 2]
    assert all(np.isfinite(list(numbers.values())))


@pytest.mark.parametrize("name", ["bessy2", "mls", "mls injection"])
def test_integrals_and_what_follows_agree(name: str, bessy2: Ring, mls: Ring) -> None:
    lattice = {"bessy2": bessy2.nominal, "mls": mls.nominal, "mls injection": mls.optics["injection"]}[name]
    ours = radiation_summary(lattice, Propagator(lattice.ring)(lattice))
    six = SixD(lattice.ring)
    ring = pyat_six(six, lattice, six(lattice))
    ring.disable_6d()
    theirs = ring.radiation_parameters()
    assert np.allclose(ours.integrals, [theirs.i1, theirs.i2, theirs.i3, theirs.i4, theirs.i5], rtol=1e-4)
    assert ours.energy_loss_ev == pytest.approx(theirs.U0, rel=1e-9)
    # pyAT has the velocity's term of 1/gamma^2 in the slip factor and in the period: 2.4e-5 at 105 MeV
    slack = 5.0 if "injection" in name else 1.0
    assert np.allclose(ours.damping_times_s, theirs.Tau, rtol=slack * 1e-5)
    assert ours.emittance_m == pytest.approx(theirs.emittances[0], rel=1e-5)
    assert ours.energy_spread == pytest.approx(theirs.sigma_e, rel=1e-5)
    assert ours.synchrotron_tune == pytest.approx(theirs.f_s / ring.revolution_frequency, rel=slack * 1e-4)
    assert ours.bunch_length_m == pytest.approx(theirs.sigma_l, rel=slack * 1e-4)


@pytest.mark.parametrize(("voltage", "energy"), [(1000.0, 1.0), (1400.0, 0.999)])
def test_the_synchrotron_tune_of_the_integrals_is_that_of_six_dimensions(
    voltage: float, energy: float, bessy2: Ring
) -> None:
    lattice = bessy2.nominal.updated({("rf", "voltage"): voltage, ("ring", "energy"): energy * bessy2.energy_ev})
    six = SixD(bessy2)
    assert six(bessy2.nominal).found
    beam = six(lattice, radiation=True)
    uncoupled = radiation_summary(lattice, Propagator(bessy2)(lattice))
    ring = pyat_six(six, lattice, beam)
    assert beam.tunes[2] == pytest.approx(float(ring.get_tune()[2]), rel=1e-6)
    assert uncoupled.synchrotron_tune == pytest.approx(float(ring.get_tune()[2]), rel=1e-3)
