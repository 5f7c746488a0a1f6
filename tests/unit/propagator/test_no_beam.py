"""Without a beam, the propagator gives the reason, and finds the next good lattice again."""

import math

import numpy as np
import pytest

from gnomon.lattice import LatticeError, Ring
from gnomon.lattice.elements import Quadrupole
from gnomon.propagator import BeamState, Propagator
from unit.propagator.small_ring import FreeLattice

QUADRUPOLE, STEERER = "Q1M2D1R", "S4M2D1R"

BAD = [
    ((QUADRUPOLE, "b2"), 7.3, "no stable beam: modes 1 (horizontal) and 2 (vertical) have the traces"),
    ((QUADRUPOLE, "b2"), 0.0, "no stable beam: mode"),
    ((QUADRUPOLE, "b2"), 1e10, "no closed orbit"),
    ((QUADRUPOLE, "b2"), 1e300, "particles are lost"),
    ((QUADRUPOLE, "b2"), math.nan, "particles are lost"),
    ((QUADRUPOLE, "b2"), -math.inf, "particles are lost"),
    ((QUADRUPOLE, "a2"), 3.0, "no stable beam"),
    ((QUADRUPOLE, "roll"), 1.5, "no stable beam"),
    ((QUADRUPOLE, "dx"), 1e5, "particles are lost"),
    ((QUADRUPOLE, "b4"), math.nan, "particles are lost"),
    ((STEERER, "kick_x"), 3.88e-3, "no closed orbit"),
    ((STEERER, "kick_x"), 1e6, "no closed orbit"),
    ((STEERER, "kick_y"), 1e200, ""),
    ((STEERER, "kick_x"), math.nan, "particles are lost"),
    ((STEERER, "b3"), 1e300, ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def propagate(bessy2: Ring) -> Propagator:
    return Propagator(bessy2)


@pytest.fixture(scope="module")
def nominal(bessy2: Ring) -> BeamState:
    return Propagator(bessy2)(bessy2.nominal)


@pytest.mark.parametrize(("key", "value", "reason"), BAD)
def test_bad_settings_have_a_reason_and_the_next_good_one_its_beam(
    propagate: Propagator, nominal: BeamState, bessy2: Ring, key: tuple[str, str], value: float, reason: str
) -> None:
    # an orbit that is not 0, so that strengths matter and the start is a warm one
    kick = {("S4M1T1R", "kick_y"): 1e-4}
    before = propagate(FreeLattice(bessy2, kick))  # type: ignore[arg-type]
    assert before.found
    bad = propagate(FreeLattice(bessy2, {**kick, key: value}))  # type: ignore[arg-type]
    assert not bad.found
    assert bad.reason
    assert reason in bad.reason
    assert np.isnan(bad.orbit).all()
    assert np.isnan(bad.tune).all()
    after = propagate(FreeLattice(bessy2, kick))  # type: ignore[arg-type]
    assert after.found
    assert np.abs(after.orbit - before.orbit).max() < 1e-14
    good = propagate(FreeLattice(bessy2))  # type: ignore[arg-type]
    assert np.abs(good.tune - nominal.tune).max() < 1e-12


def test_an_unstable_ring_without_errors_has_no_beam_though_its_orbit_is_zero(bessy2: Ring) -> None:
    beam = Propagator(bessy2)(FreeLattice(bessy2, {(QUADRUPOLE, "b2"): 7.3}))  # type: ignore[arg-type]
    assert not beam.found
    assert "|trace| must be below 2" in beam.reason


def test_a_steerer_at_5_a_leaves_no_orbit_and_at_1_a_one_that_does_not_depend_on_the_way_there(bessy2: Ring) -> None:
    warm = Propagator(bessy2)
    for current in (0.25, 0.5, 0.75, 1.0):
        there = warm(bessy2.nominal.updated({("HS4P2D1R", "current"): current}))
    at_once = Propagator(bessy2)(there_lattice := bessy2.nominal.updated({("HS4P2D1R", "current"): 1.0}))
    assert there.found
    assert there.lattice_id == there_lattice.id
    assert 0.005 < np.abs(there.orbit[:, 0]).max() < 0.03
    assert np.abs(there.orbit - at_once.orbit).max() < 1e-12
    beam = warm(bessy2.nominal.updated({("HS4P2D1R", "current"): 5.0}))
    assert not beam.found
    assert warm(bessy2.nominal).found


def test_an_orbit_near_the_last_one_is_found_from_zero_too(bessy2: Ring) -> None:
    # plain Newton steps from zero do not reach it
    beam = Propagator(bessy2)(FreeLattice(bessy2, {("S3M2D1R", "kick_y"): 1.15e-3}))  # type: ignore[arg-type]
    assert beam.found, beam.reason


def test_the_sum_resonance_is_named(bessy2: Ring) -> None:
    # tunes whose sum is an integer, and skew quadrupoles to couple them
    propagate = Propagator(bessy2, chromatic=False)
    rng = np.random.default_rng(4)
    reasons = set()
    values = {("S4M2D1R", "a2"): 0.5, ("S4M1T1R", "a2"): -0.5}
    for step in np.linspace(0.0, 0.06, 60):
        shift = {
            (e.name, "b2"): e.b[1] * (1.0 + step * (1.0 if e.b[1] > 0 else -0.2) + 1e-6 * rng.normal())
            for e in bessy2.elements
            if isinstance(e, Quadrupole)
        }
        reasons.add(propagate(FreeLattice(bessy2, values | shift)).reason.split(",")[0])  # type: ignore[arg-type]
    assert "no stable beam: sum resonance" in reasons


def test_a_lattice_of_another_ring_is_refused(bessy2: Ring, mls: Ring) -> None:
    with pytest.raises(LatticeError, match=r"for bessy2, not for a lattice of mls"):
        Propagator(bessy2)(mls.nominal)


def test_any_parameters_are_answered_and_forgotten(mls: Ring) -> None:
    rng = np.random.default_rng(11)
    propagate = Propagator(mls, "frequency")
    nominal = propagate(FreeLattice(mls))  # type: ignore[arg-type]
    names = [e.name for e in mls.elements if hasattr(e, "roll")]
    orders = ["a1", "a2", "a3", "a4", "b1", "b2", "b3", "b4", "kick_x", "kick_y", "dx", "dy", "roll"]
    for _ in range(150):
        values = {
            (str(rng.choice(names)), str(rng.choice(orders))): float(rng.normal() * 10.0 ** rng.integers(-6, 12))
            for _ in range(rng.integers(1, 4))
        }
        detuning = float(rng.normal() * 10.0 ** rng.integers(0, 9))
        beam = propagate(FreeLattice(mls, values, detuning))  # type: ignore[arg-type]
        assert beam.found == (beam.reason == "")
        assert beam.found == bool(np.isfinite(beam.orbit).all())
    after = propagate(FreeLattice(mls))  # type: ignore[arg-type]
    assert after.found
    assert np.abs(after.tune - nominal.tune).max() < 1e-11
