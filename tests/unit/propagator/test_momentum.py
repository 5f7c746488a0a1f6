"""The momentum deviation is what makes the circumference fit the RF frequency."""

import at
import numpy as np
import pytest

from gnomon.lattice import Lattice, Ring
from gnomon.propagator import Propagator
from gnomon.propagator.live.momentum_from_rf import Momentum, find_momentum, path_difference
from unit.propagator.errors import with_errors
from unit.propagator.pyat_oracle import TIGHT, pyat_lattice, pyat_turn

CASES = [("bessy2", "nominal", 1e3), ("bessy2", "nominal", -5e3), ("mls", "nominal", 5e3), ("mls", "low_alpha", 100.0),
         ("mls", "low_alpha", -1e3), ("mls", "ssmb", 10.0), ("mls", "ssmb", -1e3)]  # fmt: skip


def detuned(lattice: Lattice, by_hz: float) -> Lattice:
    unit = {"Hz": 1.0, "kHz": 1e3}[lattice.ring.rf_unit]
    return lattice.updated({("rf", "frequency"): lattice["rf", "frequency"] + by_hz / unit})


def lattice_of(ring: Ring, optics: str) -> Lattice:
    return with_errors(ring.optics.get(optics, ring.nominal), seed=3)


@pytest.mark.parametrize(("ring_name", "optics", "by_hz"), CASES)
def test_detuned_rf_agrees_with_pyat_in_both_modes(
    ring_name: str, optics: str, by_hz: float, request: pytest.FixtureRequest
) -> None:
    ring: Ring = request.getfixturevalue(ring_name)
    lattice = detuned(lattice_of(ring, optics), by_hz)
    oracle = pyat_lattice(lattice)
    target = path_difference(ring.harmonic_number, lattice.rf_frequency, ring.rf_reference)
    own = at.find_orbit4(oracle, dp=0.0, **TIGHT)[0]
    own_path = pyat_turn(oracle, np.append(own[:5], 0.0)[:, None])[5, 0]
    for mode, path in (("orbit", target + own_path), ("frequency", target)):
        beam = Propagator(ring, mode)(lattice)  # type: ignore[arg-type]
        assert beam.found, beam.reason
        guess = np.array([*beam.orbit[0], beam.delta * 1.0001, 0.0])
        start, orbit = at.find_orbit4(oracle, dct=path, guess=guess, refpts=range(len(oracle) + 1), **TIGHT)
        assert abs(beam.delta - start[4]) < 1e-11
        assert np.abs(beam.orbit - orbit[:, :4]).max() < 1e-11
        optics_there = at.linopt6(oracle, dp=beam.delta, get_chrom=True, DPStep=1e-5)
        assert np.abs(beam.tune % 1.0 - optics_there[1].tune).max() < 1e-7
        assert np.abs(beam.chromaticity - optics_there[1].chromaticity).max() < 1e-3


def test_the_linear_formula_would_be_wrong_at_low_momentum_compaction(mls: Ring) -> None:
    lattice = mls.optics["ssmb"]
    beam = Propagator(mls)(detuned(lattice, 1e3))
    compaction = Propagator(mls)(lattice).momentum_compaction
    linear = -1e3 / lattice.rf_frequency / compaction
    assert beam.found
    assert abs(linear / beam.delta) > 10.0


def test_on_the_design_orbit_at_the_reference_frequency_delta_is_exactly_zero(bessy2: Ring, mls: Ring) -> None:
    for ring in (bessy2, mls):
        beam = Propagator(ring)(ring.nominal)
        assert beam.delta == 0.0
        assert not beam.orbit.any()


def test_a_steerer_where_there_is_dispersion_moves_delta_and_with_it_the_orbit(bessy2: Ring) -> None:
    lattice = bessy2.nominal.updated({("HS1PT8R", "current"): 0.05})
    beam, held = Propagator(bessy2)(lattice), Propagator(bessy2, "orbit")(lattice)
    assert held.delta == 0.0
    assert beam.delta == pytest.approx(1.35e-4, rel=5e-3)
    assert np.abs(beam.orbit - held.orbit)[:, 0].max() == pytest.approx(64e-6, rel=1e-2)
    start, orbit = at.find_orbit4(pyat_lattice(lattice), dct=0.0, refpts=range(len(bessy2.elements) + 1), **TIGHT)
    assert beam.delta == pytest.approx(start[4], abs=1e-10)
    assert np.abs(beam.orbit - orbit[:, :4]).max() < 1e-10


def test_with_the_momentum_held_delta_is_exactly_zero_whatever_the_correctors_do(bessy2: Ring) -> None:
    assert Propagator(bessy2, "orbit")(with_errors(bessy2.nominal)).delta == 0.0


def test_a_frequency_that_no_momentum_fits_leaves_no_beam_and_going_back_brings_it_back(mls: Ring) -> None:
    lattice = mls.optics["low_alpha"]
    propagate = Propagator(mls)
    beam = propagate(detuned(lattice, 5e3))
    assert not beam.found
    assert beam.reason.startswith("no momentum gives the circumference of this RF frequency; nearest")
    assert propagate(lattice).found
    assert propagate(detuned(lattice, 10.0)).delta == pytest.approx(-1.58e-4, rel=1e-2)


def test_a_small_change_on_a_detuned_ring_gives_what_a_new_propagator_gives(mls: Ring) -> None:
    kept = Propagator(mls, "frequency")
    lattice = detuned(lattice_of(mls, "ssmb"), -200.0)
    for number in range(5):
        lattice = lattice.updated({("HS3M2K1RP", "kick"): 2e-6 * number})
        after, new = kept(lattice), Propagator(mls, "frequency")(lattice)
        assert after.found
        assert abs(after.delta - new.delta) < 1e-12
        assert np.abs(after.orbit - new.orbit).max() < 1e-12


@pytest.mark.parametrize(("ring_name", "optics"), [("bessy2", "nominal"), ("mls", "low_alpha")])
def test_a_beam_does_not_depend_on_earlier_computations(
    ring_name: str, optics: str, request: pytest.FixtureRequest
) -> None:
    ring: Ring = request.getfixturevalue(ring_name)
    lattice, rng = lattice_of(ring, optics), np.random.default_rng(8)
    kicks = [m.name for m in ring.magnets if m.main == "kick"]
    quadrupoles = [m.name for m in ring.magnets if m.main == "k1"]
    kept = Propagator(ring)
    for size in (1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-6, 1e-7, 1e-8, 1e-9):
        steerer, quadrupole = str(rng.choice(kicks)), str(rng.choice(quadrupoles))
        lattice = lattice.updated({
            (steerer, "kick"): lattice[steerer, "kick"] + size * rng.normal(),
            (quadrupole, "k1"): lattice[quadrupole, "k1"] * (1.0 + 10.0 * size * rng.normal()),
        })  # fmt: skip
        warm, cold = kept(lattice), Propagator(ring)(lattice)
        assert warm.found
        assert cold.found
        assert abs(warm.delta - cold.delta) < 1e-13
        assert np.abs(warm.orbit - cold.orbit).max() < 1e-12
        assert np.abs(warm.tune - cold.tune).max() < 1e-11
        assert np.abs(warm.beta / cold.beta - 1.0).max() < 1e-9
        assert np.abs(warm.dispersion - cold.dispersion).max() < 1e-6 * np.abs(cold.dispersion).max()
        assert np.abs(warm.chromaticity - cold.chromaticity).max() < 2e-6
        assert warm.momentum_compaction == pytest.approx(cold.momentum_compaction, rel=1e-6)


def test_the_solution_lies_on_the_branch_that_contains_the_reference_momentum() -> None:
    # path = 0.1 d + 50 d^2: solutions at +1e-4 and -2.1e-3 for the same path

    def path(delta: float) -> tuple[float, float]:
        return 0.1 * delta + 50.0 * delta * delta, 0.1 + 100.0 * delta

    assert find_momentum(path, path(1e-4)[0]).delta == pytest.approx(1e-4, abs=1e-13)
    assert find_momentum(path, path(-9.9e-4)[0]).delta == pytest.approx(-9.9e-4, abs=1e-9)
    assert find_momentum(path, path(4e-3)[0]).delta == pytest.approx(4e-3, abs=1e-9)


def test_a_solution_beyond_the_turning_point_is_left_for_the_one_on_the_reference_momentums_branch(mls: Ring) -> None:
    propagate = Propagator(mls)
    lattice = mls.optics["low_alpha"]
    near = propagate(detuned(lattice, 10.0))
    # where the last search might have ended up
    propagate._guess = Momentum(-2e-2, -near.momentum_compaction * mls.circumference)
    again = propagate(detuned(lattice, 10.0))
    assert again.found
    assert abs(again.delta - near.delta) < 1e-12


def test_no_path_no_orbit_and_no_compaction_are_reasons_and_end() -> None:
    calls = []

    def path(delta: float) -> tuple[float, float] | None:
        calls.append(delta)
        return (0.1 * delta, 0.1) if abs(delta) < 1e-3 else None

    assert "no momentum" in find_momentum(path, 1.0).reason
    assert len(calls) < 200
    assert "no closed orbit" in find_momentum(lambda _: None, 1.0).reason
    assert "momentum compaction 0" in find_momentum(lambda _: (0.0, 0.0), 1.0).reason


def test_an_unknown_mode_is_refused(mls: Ring) -> None:
    with pytest.raises(ValueError, match='"orbit" or "frequency"'):
        Propagator(mls, "velocity")  # type: ignore[arg-type]
