"""The orbit response matrix from noisy orbits is the true one, within its stated uncertainty."""

import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.procedures import orbit_response
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.orbit_response import OrbitResponseData, OrbitResponseParameters
from gnomon.procedures.summaries import summarise
from gnomon.propagator.studies import steering_supplies
from unit.procedures.noisy_ring import NoisyRing, imperfect
from unit.procedures.test_results import made

STEP = 0.05
#: Amplitude of many at once: small, for sextupoles mix them.
TOGETHER = 0.004


def measured(ring: NoisyRing, steerers: tuple[str, ...], settings: np.ndarray, group: np.ndarray) -> OrbitResponseData:
    base = ring.lattice
    orbits = []
    for row in settings:
        ring.lattice = base.updated(
            {(name, "current"): base[name, "current"] + step for name, step in zip(steerers, row, strict=True) if step}
        )
        orbits.append(ring.orbit())
    ring.lattice = base
    x, y = np.array(orbits).transpose(1, 0, 2)
    monitors = tuple(bpm.name for bpm in base.ring.bpms)
    return OrbitResponseData(
        steerers=steerers, monitors=monitors, settings=settings, group=group, x_mm=x, y_mm=y, time_s=np.arange(len(x))
    )


def one_by_one(count: int, repeats: int = 2) -> tuple[np.ndarray, np.ndarray]:
    steps = np.repeat([-STEP, 0.0, STEP], repeats)
    settings = np.zeros((count * len(steps), count))
    for k in range(count):
        settings[k * len(steps) : (k + 1) * len(steps), k] = steps
    return settings, np.repeat(np.arange(count), len(steps)).astype(float)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_steerers_one_at_a_time_give_the_true_response_within_the_noise(bessy2: Ring, seed: int) -> None:
    ring = NoisyRing(imperfect(bessy2, seed), seed)
    steerers = steering_supplies(bessy2.nominal)[::10]
    found = orbit_response.analyse(measured(ring, steerers, *one_by_one(len(steerers))), OrbitResponseParameters())
    pulls = (np.array([found.x, found.y]) - ring.response(steerers)) / np.array([found.x_error, found.y_error])
    assert np.std(pulls) == pytest.approx(1.0, abs=0.06)
    assert np.median(found.noise_x_mm) == pytest.approx(1e-3, rel=0.1)
    # three settings, two readings each: noise / (step * sqrt(4))
    assert np.median(found.x_error) == pytest.approx(1e-3 / STEP / 2.0, rel=0.1)


def test_of_an_ideal_ring_the_scatter_is_the_curvature_that_a_line_leaves_out(bessy2: Ring) -> None:
    """A line through three readings of c s^2 leaves c s^2 (1, -2, 1) / 3, of which one degree of freedom is left."""
    steerers = steering_supplies(bessy2.nominal)[::10]
    data = measured(NoisyRing(bessy2.nominal, 0, noise_mm=0.0), steerers, *one_by_one(len(steerers), repeats=1))
    found = orbit_response.analyse(data, OrbitResponseParameters(curvature=False))
    before, there, behind = (data.x_mm[first::3] for first in range(3))
    bent = (before - 2.0 * there + behind) / 2.0
    np.testing.assert_allclose(found.noise_x_mm, np.sqrt(2.0 / 3.0 * np.mean(bent**2, axis=0)), rtol=1e-9)
    assert np.median(found.noise_x_mm) > 1e-4
    run = made("orm", data, OrbitResponseParameters(curvature=False))
    (line,) = [each for each in summarise(run) if "scatter" in each.name]
    assert line == ("scatter about the fit", f"{1e3 * np.median(found.noise_x_mm):.2g}, 0", "um")


def test_steerers_together_at_different_frequencies_give_the_same(bessy2: Ring) -> None:
    ring = NoisyRing(imperfect(bessy2, 4), 4)
    steerers = steering_supplies(bessy2.nominal)[::10]
    rows = 3 * len(steerers)
    settings = orbit_response.together(np.full(len(steerers), TOGETHER), rows)
    found = orbit_response.analyse(measured(ring, steerers, settings, np.zeros(rows)), OrbitResponseParameters())
    errors = np.array([found.x, found.y]) - ring.response(steerers)
    assert np.median(found.x_error) == pytest.approx(1e-3 / TOGETHER / np.sqrt(rows / 2), rel=0.1)
    assert np.std(errors / np.array([found.x_error, found.y_error])) == pytest.approx(1.0, abs=0.15)


def test_a_dead_monitor_is_nan_and_the_others_are_as_they_were(bessy2: Ring) -> None:
    ring = NoisyRing(imperfect(bessy2, 1), 1)
    steerers = steering_supplies(bessy2.nominal)[:3]
    data = measured(ring, steerers, *one_by_one(3))
    whole = orbit_response.analyse(data, OrbitResponseParameters())
    x = data.x_mm.copy()
    x[:, 7] = np.nan
    found = orbit_response.analyse(data.model_copy(update={"x_mm": x}), OrbitResponseParameters())
    assert np.isnan(found.x[7]).all()
    assert np.isnan(found.x_error[7]).all()
    others = np.arange(len(data.monitors)) != 7
    np.testing.assert_allclose(found.x[others], whole.x[others], atol=1e-12)
    np.testing.assert_allclose(found.y, whole.y, atol=1e-12)


def test_the_same_raw_data_give_the_same_outcome_bit_for_bit_after_a_round_through_json(bessy2: Ring) -> None:
    ring = NoisyRing(imperfect(bessy2, 1), 1)
    data = measured(ring, steering_supplies(bessy2.nominal)[:3], *one_by_one(3))
    again = OrbitResponseData.model_validate_json(data.model_dump_json())
    first, second = (orbit_response.analyse(each, OrbitResponseParameters()) for each in (data, again))
    assert first.model_dump_json() == second.model_dump_json()
    assert first.x.tobytes() == second.x.tobytes()


def test_steerers_that_move_alike_are_refused() -> None:
    settings = np.outer(np.arange(5.0), [1.0, 2.0])
    data = OrbitResponseData(
        steerers=("A", "B"), monitors=("M",), settings=settings, group=np.zeros(5), x_mm=np.zeros((5, 1)),
        y_mm=np.zeros((5, 1)), time_s=np.arange(5.0),
    )  # fmt: skip
    with pytest.raises(ProcedureError, match="do not move independently"):
        orbit_response.analyse(data, OrbitResponseParameters())


def test_a_slow_drift_between_steerers_does_not_count() -> None:
    settings, group = one_by_one(2)
    truth = np.array([[2.0, -1.0]])
    drift = np.repeat([0.0, 5.0], 6)[:, None]
    data = OrbitResponseData(
        steerers=("A", "B"), monitors=("M",), settings=settings, group=group, x_mm=settings @ truth.T + drift,
        y_mm=drift, time_s=np.arange(12.0),
    )  # fmt: skip
    found = orbit_response.analyse(data, OrbitResponseParameters())
    np.testing.assert_allclose(found.x, truth, atol=1e-12)
    np.testing.assert_allclose(found.y, 0.0, atol=1e-12)
