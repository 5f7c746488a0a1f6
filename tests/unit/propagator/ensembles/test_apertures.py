"""Dynamic and momentum aperture, and the study that joins them."""

import json
import math

import at
import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.ensembles import (
    Elliptic,
    Rectangular,
    TrackingError,
    aperture_study,
    dynamic_aperture,
    everywhere,
    momentum_aperture,
)
from gnomon.propagator.ensembles.aperture_search import TOUCH, has_voltage
from unit.propagator.pyat_oracle import pyat_lattice, pyat_turns


def test_the_edge_of_the_dynamic_aperture_is_pyats(bessy2: Ring) -> None:
    found = dynamic_aperture(bessy2.nominal, turns=64, delta=0.005, angles=5)
    oracle = pyat_lattice(bessy2.nominal)
    orbit, _ = at.find_orbit4(oracle, dp=0.005)
    angle = np.linspace(0.0, math.pi, 5)
    step = np.array([0.04 * np.cos(angle), 0.02 * np.sin(angle)]) / (32 * 33)
    inside = np.array([found.x, found.y])
    assert not found.open.any()
    for offset, survives in ((inside, True), (inside + step, False)):
        start = np.repeat(orbit[:, None], 5, axis=1)
        start[[0, 2]] += offset + TOUCH
        assert (np.isfinite(pyat_turns(oracle, start, 64)[0]) == survives).all()


def test_a_narrow_chamber_is_the_edge(mls: Ring) -> None:
    half = 2e-3
    chamber = {mls.elements[0].name: Rectangular(half, half)}
    found = dynamic_aperture(mls.nominal, turns=1, angles=3, extent_m=(0.005, 0.005), apertures=chamber)
    assert found.x[0] == pytest.approx(half, abs=5e-6)
    assert found.y[1] == pytest.approx(half, abs=5e-6)
    assert found.area == pytest.approx(half**2, rel=1e-2)


def test_the_momentum_aperture_without_cavities_is_where_the_chamber_meets_the_dispersion(mls: Ring) -> None:
    names = [e.name for e in mls.elements[::60]]
    found = momentum_aperture(mls.nominal, names, turns=64, limit=0.05, apertures=everywhere(mls, Elliptic(0.02, 0.02)))
    assert (found.positive > 2e-3).all()
    assert (found.negative < -2e-3).all()
    assert (found.positive < 0.04).all()
    assert found.s.tolist() == [mls.s[mls.index[name]] for name in found.elements]


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_the_momentum_aperture_with_cavities_ends_at_the_bucket_of_the_present_voltage(
    share: float, bessy2: Ring
) -> None:
    # Without energy loss the bucket's half height is sqrt(2 V / (pi h alpha E)).
    lattice = bessy2.nominal.updated({("rf", "voltage"): share * bessy2.nominal["rf", "voltage"]})
    found = momentum_aperture(lattice, [bessy2.elements[0].name], turns=256, limit=0.06, cavities=True)
    voltage = share * sum(getattr(e, "voltage", 0.0) for e in bessy2.elements)
    compaction = at.get_mcf(pyat_lattice(bessy2.nominal))
    height = math.sqrt(2.0 * voltage / (math.pi * bessy2.harmonic_number * compaction * bessy2.energy_ev))
    assert found.positive[0] == pytest.approx(height, rel=0.05)
    assert found.negative[0] == pytest.approx(-height, rel=0.05)
    assert SPEED_OF_LIGHT / bessy2.rf_reference == pytest.approx(0.6, abs=1e-3)


def test_a_study_is_json(mls: Ring) -> None:
    told: list[tuple[str, int, int]] = []
    study = aperture_study(
        mls.nominal, turns=20, deltas=(0.0, 0.01), angles=5, places=3, progress=lambda *what: told.append(what)
    )
    document = json.loads(json.dumps(study.to_dict()))
    assert [part["delta"] for part in document["dynamic_aperture"]] == [0.0, 0.01]
    assert len(document["momentum_aperture"]["elements"]) == 3
    assert told[-1] == ("momentum aperture, round 2 of 2", 20, 20)


def test_bad_input_is_refused(mls: Ring) -> None:
    with pytest.raises(TrackingError, match=r"no closed orbit at delta 0\.4"):
        dynamic_aperture(mls.nominal, delta=0.4)
    with pytest.raises(TrackingError, match="extent in y: nan m"):
        dynamic_aperture(mls.nominal, extent_m=(0.01, float("nan")))
    with pytest.raises(TrackingError, match="momentum aperture of 0 elements"):
        momentum_aperture(mls.nominal, [])
    with pytest.raises(TrackingError, match=r"longer than 0\.1 s"):
        dynamic_aperture(mls.nominal, turns=10**7, time_limit_s=0.1)


def test_cavities_that_were_set_to_no_voltage_have_none(mls: Ring) -> None:
    assert has_voltage(mls.nominal)
    assert not has_voltage(mls.nominal.updated({("rf", "voltage"): 0.0}))
