"""Every kind of element, with every parameter, is what pyAT makes of it: orbit, path and matrix of a small ring."""

import math
from typing import Any

import at
import numpy as np
import pytest

from gnomon.lattice.elements import PARAMETERS, Corrector
from gnomon.propagator import Propagator
from gnomon.propagator.live.momentum_from_rf import path_difference
from unit.propagator.pyat_oracle import TIGHT, pyat_lattice, pyat_turn, turn_matrix
from unit.propagator.small_ring import FreeLattice, SmallRing

BENT = {("B10", "b3"): 1.5, ("B10", "a3"): 0.7, ("B10", "b4"): 3.0, ("B10", "kick_y"): 1e-4, ("B10", "a2"): 0.01}
MOVED = {"dx": 3e-4, "dy": -2e-4, "roll": 5e-3}


def moved(*names: str) -> dict[tuple[str, str], float]:
    return {(name, what): value for name in names for what, value in MOVED.items()}


def check(ring: Any, lattice: Any, propagate: Propagator) -> None:
    """Compare orbit, matrix and path with pyAT at the beam's momentum deviation."""
    beam = propagate(lattice)
    assert beam.found, beam.reason
    oracle = pyat_lattice(lattice)
    start, orbit = at.find_orbit4(oracle, dp=beam.delta, refpts=range(len(oracle) + 1), **TIGHT)
    assert np.abs(beam.orbit - orbit[:, :4]).max() < 1e-12
    assert np.abs(beam.one_turn - turn_matrix(oracle, start, 1e-5)).max() < 1e-8
    if propagate.momentum == "frequency":
        path = pyat_turn(oracle, start[:, None])[5, 0]
        assert path == pytest.approx(
            path_difference(ring.harmonic_number, lattice.rf_frequency, ring.rf_reference), abs=1e-13
        )


@pytest.fixture(scope="module")
def ring() -> SmallRing:
    return SmallRing()


@pytest.mark.parametrize("detuning_hz", [0.0, -4e4])
@pytest.mark.parametrize(
    "values",
    [
        {},
        BENT,
        moved("QF0"),
        moved("B10"),
        moved("B10") | BENT,
        moved("S0", "O", "P", "T"),
        {("B20", "dx"): 1e-3},
        {("B20", "roll"): 0.05},
        moved("QF1", "QD2", "B11", "B24", "S0", "S3", "O", "P", "T") | BENT,
    ],
    ids=["plain", "bend with all orders", "quadrupole moved", "bend moved", "bend with all orders moved",
         "nonlinear moved", "bend shifted", "bend rolled far", "all"],
)  # fmt: skip
def test_orbit_path_and_matrix_agree(ring: SmallRing, values: dict[tuple[str, str], float], detuning_hz: float) -> None:
    lattice = FreeLattice(ring, values, detuning_hz)
    check(ring, lattice, Propagator(ring, "frequency"))  # type: ignore[arg-type]


def test_an_update_gives_what_a_new_propagator_gives(ring: SmallRing) -> None:
    rng = np.random.default_rng(5)
    names = [e.name for e in ring.elements if hasattr(e, "roll") and not isinstance(e, Corrector)]
    sizes = dict.fromkeys(PARAMETERS, 1e-3) | dict.fromkeys(["a1", "b1", "kick_x", "kick_y", "dx", "dy"], 1e-5)
    kept = Propagator(ring, "frequency")  # type: ignore[arg-type]
    values: dict[tuple[str, str], float] = {}
    for _ in range(12):
        name, what = str(rng.choice(names)), str(rng.choice(PARAMETERS))
        values = values | {(name, what): sizes[what] * rng.normal()}
        if what == "b2":
            values[name, what] += ring.elements[ring.index[name]].b[1]  # type: ignore[attr-defined]
        lattice = FreeLattice(ring, values, 1e3 * rng.normal())
        after, new = kept(lattice), Propagator(ring, "frequency")(lattice)  # type: ignore[arg-type]
        assert after.found
        assert after.delta == pytest.approx(new.delta, abs=1e-13)
        assert np.abs(after.orbit - new.orbit).max() < 1e-13
        assert np.abs(after.one_turn - new.one_turn).max() < 1e-10
        assert np.abs(after.dispersion - new.dispersion).max() < 1e-7
        assert np.abs(after.chromaticity - new.chromaticity).max() < 1e-4


def test_a_sextupole_may_go_to_zero_and_a_quadrupole_gain_a_sextupole_term(ring: SmallRing) -> None:
    propagate = Propagator(ring)  # type: ignore[arg-type]
    for values in ({}, {("S1", "b3"): 0.0}, {("S1", "b3"): 0.0, ("QF2", "b3"): 2.0}, {("QF2", "b3"): 0.0}, {}):
        check(ring, FreeLattice(ring, values), propagate)


def test_a_ring_without_nonlinear_elements_has_its_beam() -> None:
    linear = tuple(e for e in SmallRing().elements if e.name[0] in "QDBMK" and e.name != "O")
    ring = SmallRing(linear)
    lattice = FreeLattice(ring, {("QF0", "kick_x"): 1e-4})
    check(ring, lattice, Propagator(ring))  # type: ignore[arg-type]


def test_a_rolled_steerer_kicks_in_the_rolled_plane(ring: SmallRing) -> None:
    # pyAT's CorrectorPass ignores misalignment, so the oracle is the steerer with the turned kicks.
    kick_x, kick_y = 2e-4, -1e-4
    for roll in (0.3, -0.2):
        turned = {
            ("C", "kick_x"): kick_x * math.cos(roll) - kick_y * math.sin(roll),
            ("C", "kick_y"): kick_x * math.sin(roll) + kick_y * math.cos(roll),
        }
        rolled = Propagator(ring)(FreeLattice(ring, {("C", "roll"): roll, ("C", "dx"): 1e-3}))  # type: ignore[arg-type]
        expected = Propagator(ring)(FreeLattice(ring, turned))  # type: ignore[arg-type]
        assert rolled.found
        assert np.abs(rolled.orbit - expected.orbit).max() < 1e-14
