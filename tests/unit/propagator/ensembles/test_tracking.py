"""Ensembles are where pyAT's tracking brings them, and are lost where it loses them."""

from typing import Any

import at
import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.lattice.elements import Cavity
from gnomon.propagator.ensembles import Elliptic, Ensemble, Rectangular, TrackingError, everywhere, track
from unit.propagator.errors import with_errors, with_misalignments
from unit.propagator.pyat_oracle import pyat_element, pyat_lattice, pyat_turns
from unit.propagator.small_ring import FreeLattice, SmallRing
from unit.propagator.test_elements import BENT, moved

SPREAD = np.array([1e-3, 1e-4, 1e-3, 1e-4, 1e-2, 1e-3])[:, None]


def particles(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(6, count)) * SPREAD


def pyat_with_cavities(lattice: Any) -> Any:
    """The ring in pyAT, its cavities on and at the lattice's RF frequency."""
    ring, made = lattice.ring, []
    for index in range(len(ring.elements)):
        element = lattice.element(index)
        made.append(pyat_element(element))
        if isinstance(element, Cavity):
            number = element.harmonic_number
            frequency = lattice.rf_frequency * number / ring.harmonic_number
            made[-1] = at.RFCavity(element.name, element.length, element.voltage, frequency, number, ring.energy_ev)
            made[-1].PassMethod = "RFCavityPass"
    return at.Lattice(made, energy=ring.energy_ev, periodicity=1)


@pytest.mark.parametrize(
    "values",
    [{}, BENT, moved("QF1", "QD2", "B11", "B24", "S0", "S3", "O", "P", "T") | BENT, {("B10", "a3"): 0.5}],
    ids=["plain", "bend with all orders", "moved", "skew sextupole term in a bend"],
)
def test_every_kind_of_element_is_pyats(values: dict[tuple[str, str], float]) -> None:
    lattice = FreeLattice(SmallRing(), values)
    start = particles(70)
    ours = track(lattice, Ensemble(start), 1)  # type: ignore[arg-type]
    assert np.abs(ours.coordinates - pyat_turns(pyat_lattice(lattice), start, 1)).max() < 1e-14
    assert len(ours.losses) == 0


def test_bessy2_with_errors_agrees_after_one_and_a_hundred_turns(bessy2: Ring) -> None:
    lattice = with_misalignments(with_errors(bessy2.nominal))
    oracle, start = pyat_lattice(lattice), particles(20) * 0.3
    for turns, tolerance in ((1, 1e-14), (100, 2e-12)):
        theirs = pyat_turns(oracle, start, turns)
        ours = track(lattice, Ensemble(start), turns)
        assert np.abs(ours.coordinates - theirs).max() < tolerance


def test_cavities_change_the_momentum_as_pyats_do_off_the_reference_frequency_too(bessy2: Ring) -> None:
    nominal = bessy2.nominal
    lattice = with_errors(nominal).updated({("rf", "frequency"): nominal["rf", "frequency"] + 0.3})
    oracle, start = pyat_with_cavities(lattice), particles(10) * 0.3
    for turns, tolerance in ((1, 1e-14), (60, 1e-11)):
        theirs = pyat_turns(oracle, start, turns)
        ours = track(lattice, Ensemble(start), turns, cavities=True)
        assert np.abs(ours.coordinates - theirs).max() < tolerance
    assert np.abs(ours.coordinates[4] - start[4]).max() > 1e-4


@pytest.mark.parametrize("elliptic", [False, True])
def test_losses_have_pyats_turn_and_element(elliptic: bool) -> None:
    values = moved("QF1", "S0", "B11")
    lattice = FreeLattice(SmallRing(), values)
    oracle = pyat_lattice(lattice)
    for element in oracle:
        if elliptic:
            element.EApertures = [0.02, 0.012]
        else:
            element.RApertures = [-0.015, 0.025, -0.012, 0.012]
    chamber = Elliptic(0.02, 0.012) if elliptic else Rectangular(0.02, 0.012, x=0.005)
    start = particles(300) * 6.0
    _, _, data = at.lattice_track(oracle, np.asfortranarray(start), nturns=20, refpts=None, losses=True)
    theirs = data["loss_map"]
    found = track(lattice, Ensemble(start), 20, apertures=everywhere(lattice.ring, chamber))  # type: ignore[arg-type]
    losses = found.losses
    assert 50 < len(losses) < 300
    assert np.array_equal(~found.survived, theirs.islost)
    assert np.array_equal(losses.turn, theirs.turn[losses.particle])
    assert np.array_equal(losses.element, theirs.elem[losses.particle])
    x, y = losses.coordinates[0] - chamber.x, losses.coordinates[2]
    outside = (x / 0.02) ** 2 + (y / 0.012) ** 2 > 1.0 if elliptic else (np.abs(x) > 0.02) | (np.abs(y) > 0.012)
    assert outside.all()
    assert np.isnan(found.coordinates[:, losses.particle]).all()
    assert len(found.ensemble) == 300 - len(losses)


def test_a_particle_that_is_not_finite_is_lost_at_once_and_does_not_affect_the_others() -> None:
    lattice = FreeLattice(SmallRing())
    start = particles(5) * 0.1
    start[0, 1], start[4, 2], start[1, 3], start[5, 4] = np.nan, np.inf, 1e200, 1e300
    found = track(lattice, Ensemble(start), 3)  # type: ignore[arg-type]
    assert found.losses.particle.tolist() == [1, 2, 3]
    assert found.losses.turn.tolist() == [0, 0, 0]
    assert lattice.ring.elements[found.losses.element[2]].name == "QF0"
    alone = track(lattice, Ensemble(start[:, 0]), 3)  # type: ignore[arg-type]
    assert np.array_equal(found.coordinates[:, 0], alone.coordinates[:, 0])


def test_threads_and_the_number_of_particles_change_nothing(bessy2: Ring) -> None:
    start = particles(1000) * 0.3
    one = track(bessy2.nominal, Ensemble(start), 3, threads=1)
    two = track(bessy2.nominal, Ensemble(start), 3, threads=2)
    assert np.array_equal(one.coordinates, two.coordinates)
    alone = track(bessy2.nominal, Ensemble(start[:, 7]), 3)
    assert np.array_equal(alone.coordinates[:, 0], one.coordinates[:, 7])


def test_progress_is_told_and_may_end_the_tracking(bessy2: Ring) -> None:
    told: list[tuple[str, int, int]] = []
    track(bessy2.nominal, Ensemble(np.zeros(6)), 120, progress=lambda *what: told.append(what))
    assert [what for what in told if what[0] == "turns"] == [
        ("turns", 0, 120),
        ("turns", 50, 120),
        ("turns", 100, 120),
        ("turns", 120, 120),
    ]

    def stop(what: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track(bessy2.nominal, Ensemble(np.zeros(6)), 10**9, progress=stop)


def test_bad_input_is_refused_with_its_value(bessy2: Ring) -> None:
    nominal, one = bessy2.nominal, Ensemble(np.zeros(6))
    with pytest.raises(TrackingError, match="1 to 4000000 particles, not 0"):
        Ensemble(np.empty((6, 0)))
    with pytest.raises(TrackingError, match=r"not \(4, 1\)"):
        Ensemble(np.zeros(4))
    with pytest.raises(TrackingError, match="turns: 0 is not a whole number"):
        track(nominal, one, 0)
    with pytest.raises(TrackingError, match="aperture for NOWHERE: there is no such element"):
        track(nominal, one, 1, apertures={"NOWHERE": Rectangular(0.01, 0.01)})
    with pytest.raises(TrackingError, match="half_x nan m"):
        Elliptic(float("nan"), 0.01)
    with pytest.raises(TrackingError, match=r"longer than 0\.2 s and was ended in turn"):
        track(nominal, one, 10**8, time_limit_s=0.2)
    with pytest.raises(TrackingError, match="QF0 b2: nan is not a magnet strength"):
        track(FreeLattice(SmallRing(), {("QF0", "b2"): float("nan")}), one, 1)  # type: ignore[arg-type]
