"""A beam that cannot be has a reason: no voltage, too little of it, no orbit, wrong input."""

import math

import numpy as np
import pytest

from gnomon.lattice import LatticeError, Ring
from gnomon.propagator import Propagator
from gnomon.propagator.six import SixD, envelope, summary
from unit.propagator.errors import with_errors


def test_zero_voltage_and_too_little_voltage_have_a_reason(mls: Ring) -> None:
    assert "0 V" in SixD(mls, voltage_v=0.0)(mls.nominal).reason
    beam, found = envelope(SixD(mls, voltage_v=5e3), mls.nominal)
    assert not beam.found
    assert "energy loss" in beam.reason
    assert found.reason == beam.reason
    assert np.isnan(beam.orbit).all()
    assert math.isnan(summary(mls.nominal, voltage_v=5e3)["synchrotron_tune"])
    assert SixD(mls, voltage_v=5e3)(mls.nominal).found  # without radiation there is nothing to give back


@pytest.mark.parametrize("voltage", [math.nan, math.inf, -1.0])
def test_impossible_voltage_is_refused(mls: Ring, voltage: float) -> None:
    with pytest.raises(LatticeError, match="cavity voltage"):
        SixD(mls, voltage_v=voltage)


def test_beam_comes_back_after_an_unstable_lattice(bessy2: Ring) -> None:
    six, lattice = SixD(bessy2), with_errors(bessy2.nominal)
    before = six(lattice)
    quadrupole = "Q1M1D1R"
    unstable = six(lattice.updated({(quadrupole, "k1"): 1.45 * lattice[quadrupole, "k1"]}))
    assert not unstable.found
    assert unstable.reason.startswith("no ")
    after = six(lattice)
    assert after.found
    assert np.abs(after.orbit - before.orbit).max() < 1e-12


def test_orbit_moves_onto_the_dispersion_with_the_frequency(mls: Ring) -> None:
    key = ("rf", "frequency")
    lattice = mls.nominal.updated({key: mls.nominal[key] * (1.0 + 1e-6)})
    beam, flat = SixD(mls)(lattice), Propagator(mls, momentum="frequency")(lattice)
    assert beam.orbit[0, 4] == pytest.approx(flat.delta, rel=1e-3)
    assert np.abs(beam.orbit[:, 0] - flat.orbit[:, 0]).max() < 1e-3 * np.abs(flat.orbit[:, 0]).max()


def test_low_voltage_means_slow_synchrotron_motion(mls: Ring) -> None:
    quarter, whole = SixD(mls, voltage_v=1.25e5)(mls.nominal), SixD(mls, voltage_v=5e5)(mls.nominal)
    assert quarter.tunes[2] == pytest.approx(0.5 * whole.tunes[2], rel=1e-3)
