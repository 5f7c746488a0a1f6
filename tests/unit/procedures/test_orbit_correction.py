"""Orbit correction comes within 5 % of the floor in six steps, never leaves the limits, and repeats to the noise."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from gnomon.lattice import Ring
from gnomon.procedures import orbit_correction
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.model_values import RF
from gnomon.procedures.orbit_correction import OrbitCorrectionData, OrbitCorrectionParameters
from gnomon.propagator.derivatives import frequency_response
from gnomon.propagator.studies import steering_supplies
from unit.procedures.noisy_ring import NoisyRing, imperfect

LIMIT_A = 1.0
PARAMETERS = OrbitCorrectionParameters(strength=1e-4)


def measured(
    ring: NoisyRing, steerers: tuple[str, ...], response: np.ndarray, limit: float = LIMIT_A
) -> OrbitCorrectionData:
    x, y = ring.orbit()
    rf = frequency_response(ring.propagate, ring.lattice)
    frequency = ring.lattice[RF]
    return OrbitCorrectionData(
        monitors=tuple(bpm.name for bpm in ring.lattice.ring.bpms),
        steerers=steerers,
        x_mm=x,
        y_mm=y,
        response_x=response[0],
        response_y=response[1],
        settings=np.array([ring.lattice[name, "current"] for name in steerers]),
        low=np.full(len(steerers), -limit),
        high=np.full(len(steerers), limit),
        rf_response_x=1e6 * rf.x[:, 0],
        rf_response_y=1e6 * rf.y[:, 0],
        rf_khz=frequency,
        rf_low_khz=frequency - 1.0,
        rf_high_khz=frequency + 1.0,
    )


def correct(
    ring: NoisyRing, response: np.ndarray, parameters: OrbitCorrectionParameters, steps: int, limit: float = LIMIT_A
) -> None:
    steerers = steering_supplies(ring.lattice.ring.nominal)
    for _ in range(steps):
        found = orbit_correction.analyse(measured(ring, steerers, response, limit), parameters)
        assert (np.abs(found.proposed) <= limit).all()
        ring.set({(name, "current"): value for name, value in zip(steerers, found.proposed, strict=True)})
        if parameters.use_rf:
            ring.set({RF: found.rf_proposed_khz})


def off_orbit(ring: Ring, seed: int) -> NoisyRing:
    """A machine whose orbit is 1 mm rms off."""
    lattice = imperfect(ring, seed)
    noisy = NoisyRing(lattice, seed)
    size = 1.0 / np.sqrt((noisy.true_orbit() ** 2).mean())
    moved = {
        (magnet.name, offset): size * lattice[magnet.name, offset]
        for magnet in ring.magnets if magnet.main == "k1" for offset in ("dx", "dy")
    }  # fmt: skip
    noisy.set(moved)
    assert 0.5 < np.sqrt((noisy.true_orbit() ** 2).mean()) < 2.0
    return noisy


def floor(ring: NoisyRing) -> float:
    """The smallest rms orbit [mm] that the true response, at the corrected orbit, and the limits allow."""
    steerers = steering_supplies(ring.lattice.ring.nominal)
    settings = np.array([ring.lattice[name, "current"] for name in steerers])
    orbit, response = ring.true_orbit().ravel(), ring.response(steerers)
    found = lsq_linear(
        response.reshape(orbit.size, -1), -orbit, (-LIMIT_A - settings, LIMIT_A - settings), method="bvls"
    )
    return float(np.sqrt(2.0 * found.cost / orbit.size))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_six_steps_with_the_models_response_come_within_5_percent_of_the_floor(bessy2: Ring, seed: int) -> None:
    ring = off_orbit(bessy2, seed)
    response = NoisyRing(bessy2.nominal, 0).response(steering_supplies(bessy2.nominal))
    correct(ring, response, PARAMETERS, 6)
    reached = np.sqrt((ring.true_orbit() ** 2).mean())
    assert reached < 1.05 * floor(ring)


def test_a_repeated_correction_moves_the_orbit_by_no_more_than_the_noise(bessy2: Ring) -> None:
    ring = off_orbit(bessy2, 1)
    response = NoisyRing(bessy2.nominal, 0).response(steering_supplies(bessy2.nominal))
    correct(ring, response, PARAMETERS, 6)
    orbits = []
    for _ in range(4):
        correct(ring, response, PARAMETERS, 1)
        orbits.append(ring.true_orbit())
    assert np.std(orbits, axis=0).max() < 4 * ring.noise_mm
    assert np.sqrt(np.var(orbits, axis=0).mean()) < ring.noise_mm


def test_steerers_never_leave_narrow_limits_and_are_named_when_they_reach_them(bessy2: Ring) -> None:
    ring = off_orbit(bessy2, 2)
    steerers = steering_supplies(bessy2.nominal)
    response = NoisyRing(bessy2.nominal, 0).response(steerers)
    before = np.sqrt((ring.true_orbit() ** 2).mean())
    found = orbit_correction.analyse(measured(ring, steerers, response, 0.02), PARAMETERS)
    assert found.at_limit
    correct(ring, response, PARAMETERS, 3, limit=0.02)
    assert np.sqrt((ring.true_orbit() ** 2).mean()) < before


def test_a_dead_monitor_does_not_count(bessy2: Ring) -> None:
    ring = off_orbit(bessy2, 1)
    steerers = steering_supplies(bessy2.nominal)
    data = measured(ring, steerers, ring.response(steerers))
    wild = data.x_mm.copy()
    wild[5] = 40.0
    dead = PARAMETERS.model_copy(update={"dead": (data.monitors[5],)})
    reference = orbit_correction.analyse(data, dead)
    found = orbit_correction.analyse(data.model_copy(update={"x_mm": wild}), dead)
    np.testing.assert_array_equal(found.changes, reference.changes)
    wild[5] = np.nan
    orbit_correction.analyse(data.model_copy(update={"x_mm": wild}), PARAMETERS)
    with pytest.raises(ProcedureError, match="NOWHERE is not one of the monitors"):
        orbit_correction.analyse(data, PARAMETERS.model_copy(update={"dead": ("NOWHERE",)}))


def test_a_monitor_with_more_weight_comes_nearer(bessy2: Ring) -> None:
    ring = off_orbit(bessy2, 1)
    steerers = steering_supplies(bessy2.nominal)
    data = measured(ring, steerers, ring.response(steerers))
    plain = orbit_correction.analyse(data, PARAMETERS)
    worst = int(np.argmax(np.abs(plain.expected_x_mm)))
    weight = np.ones(len(data.monitors))
    weight[worst] = 30.0
    found = orbit_correction.analyse(data, PARAMETERS.model_copy(update={"weight_x": weight}))
    assert abs(found.expected_x_mm[worst]) < 0.2 * abs(plain.expected_x_mm[worst])


def test_the_rf_frequency_takes_an_off_momentum_orbit_back(bessy2: Ring) -> None:
    ring = NoisyRing(bessy2.nominal, 1)
    ring.set({RF: ring.lattice[RF] + 0.2})
    before = ring.true_orbit()[0]
    response = NoisyRing(bessy2.nominal, 0).response(steering_supplies(bessy2.nominal))
    correct(ring, response, PARAMETERS.model_copy(update={"use_rf": True}), 3)
    assert np.abs(before).max() > 0.2
    assert np.abs(ring.true_orbit()).max() < 0.01
    assert ring.lattice[RF] == pytest.approx(bessy2.nominal[RF], abs=0.05)


def test_tikhonov_moves_the_steerers_less_and_still_corrects(bessy2: Ring) -> None:
    ring = off_orbit(bessy2, 3)
    steerers = steering_supplies(bessy2.nominal)
    data = measured(ring, steerers, ring.response(steerers))
    svd = orbit_correction.analyse(data, PARAMETERS)
    soft = orbit_correction.analyse(data, OrbitCorrectionParameters(method="tikhonov", strength=3e-2))
    assert np.linalg.norm(soft.changes) < np.linalg.norm(svd.changes)
    assert (soft.rms_expected_mm < 0.3 * soft.rms_before_mm).all()
