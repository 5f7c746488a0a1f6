"""Dispersion, chromaticity and the response of the tunes, measured with noise, are the true ones."""

import numpy as np
import pytest

from gnomon.lattice import Lattice, Ring
from gnomon.procedures import chromaticity, dispersion, tune_response
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.model_values import RF, momentum_of
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import supply_response
from unit.procedures.noisy_ring import NoisyRing, imperfect


def scan(ring: NoisyRing, span_khz: float, points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RF frequencies [Hz], orbits (rows, 2, monitors) [mm] and tunes (rows, 2)."""
    base = ring.lattice
    frequencies, orbits, tunes = [], [], []
    for step in np.linspace(-span_khz, span_khz, points):
        ring.lattice = base.updated({RF: base[RF] + step})
        frequencies.append(ring.lattice.rf_frequency)
        orbits.append(ring.orbit())
        tunes.append(ring.tunes())
    ring.lattice = base
    return np.array(frequencies), np.array(orbits), np.array(tunes)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_dispersion_is_true_to_a_percent_after_the_gains_are_divided_out(bessy2: Ring, seed: int) -> None:
    random = np.random.default_rng(seed)
    lattice = imperfect(bessy2, seed)
    gains = 1.0 + 0.02 * random.standard_normal((2, len(bessy2.bpms)))
    lattice = lattice.updated(
        {(bpm.name, f"gain_{plane}"): gains[p, n] for n, bpm in enumerate(bessy2.bpms) for p, plane in enumerate("xy")}
    )
    ring = NoisyRing(lattice, seed)
    frequencies, orbits, _ = scan(ring, 1.5, 9)
    data = dispersion.DispersionData(
        monitors=tuple(bpm.name for bpm in bessy2.bpms), rf_hz=frequencies, x_mm=orbits[:, 0], y_mm=orbits[:, 1],
        time_s=np.arange(9.0),
    )  # fmt: skip
    momentum = momentum_of(bessy2.nominal)
    found = dispersion.analyse(
        data, dispersion.DispersionParameters(momentum=momentum, degree=3, gain_x=gains[0], gain_y=gains[1])
    )
    truth = Propagator(bessy2)(lattice).dispersion[list(bessy2.monitors)]
    limit = 0.01 * np.abs(truth[:, 0]).max()
    factor = compaction(lattice) / compaction(bessy2.nominal)  # a common factor, which a model cannot know
    assert abs(factor - 1.0) < 3 * found.scale_error
    assert np.abs(found.x_m * factor - truth[:, 0]).max() < limit
    assert np.abs(found.y_m * factor - truth[:, 2]).max() < limit


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chromaticity_is_true_to_a_percent_and_its_second_order_to_five(bessy2: Ring, seed: int) -> None:
    ring = NoisyRing(imperfect(bessy2, seed), seed)
    frequencies, _, tunes = scan(ring, 2.5, 21)
    data = chromaticity.ChromaticityData(
        rf_hz=frequencies, tune_x=tunes[:, 0], tune_y=tunes[:, 1], time_s=np.arange(21.0)
    )
    momentum = momentum_of(bessy2.nominal)
    found = chromaticity.analyse(data, chromaticity.ChromaticityParameters(momentum=momentum, degree=4))
    first, second = true_chromaticity(ring)
    factor = compaction(ring.lattice) / compaction(bessy2.nominal)
    np.testing.assert_allclose(found.chromaticity * factor, first, rtol=0.01)
    np.testing.assert_allclose(found.second * factor**2, second, rtol=0.05)
    assert (np.abs(found.tune - ring.propagate(ring.lattice).tune % 1.0) < 4 * found.tune_error).all()


def compaction(lattice: Lattice) -> float:
    return Propagator(lattice.ring)(lattice).momentum_compaction


def true_chromaticity(ring: NoisyRing) -> tuple[np.ndarray, np.ndarray]:
    """First order from the model's closed form; second by differences of it in the RF frequency."""
    beams = [ring.propagate(ring.lattice.updated({RF: ring.lattice[RF] + step})) for step in (-0.05, 0.0, 0.05)]
    second = (beams[2].chromaticity - beams[0].chromaticity) / (beams[2].delta - beams[0].delta)
    return beams[1].chromaticity, second


@pytest.mark.parametrize("seed", [1, 2])
def test_the_response_of_the_tunes_to_supplies_is_the_true_one_within_its_uncertainty(bessy2: Ring, seed: int) -> None:
    ring = NoisyRing(imperfect(bessy2, seed), seed)
    supplies = ("Q1PDR", "Q1PTR", "Q2PDR", "Q3PD1R", "Q4PD1R", "Q5P1T1R")
    base, rows, settings, groups = ring.lattice, [], [], []
    for k, name in enumerate(supplies):
        for step in (-0.05, -0.05, 0.0, 0.05, 0.05):
            ring.lattice = base.updated({(name, "current"): base[name, "current"] + step})
            rows.append(ring.tunes())
            settings.append(step * np.eye(len(supplies))[k])
            groups.append(float(k))
    ring.lattice = base
    data = tune_response.TuneResponseData(
        supplies=supplies, settings=np.array(settings), group=np.array(groups), tune_x=np.array(rows)[:, 0],
        tune_y=np.array(rows)[:, 1], time_s=np.arange(len(rows)),
    )  # fmt: skip
    found = tune_response.analyse(data, tune_response.TuneResponseParameters())
    truth = supply_response(ring.propagate, base, supplies).tune
    assert np.std((found.tune - truth) / found.tune_error) < 1.6
    assert np.abs(found.tune - truth).max() < 4 * found.tune_error.max()
    np.testing.assert_allclose(found.noise, 2e-5, rtol=0.5)


def test_too_few_frequencies_are_refused(bessy2: Ring) -> None:
    data = chromaticity.ChromaticityData(
        rf_hz=np.array([1.0, 2.0]), tune_x=np.zeros(2), tune_y=np.zeros(2), time_s=np.arange(2.0)
    )
    with pytest.raises(ProcedureError, match="needs more than 2 different RF frequencies"):
        chromaticity.analyse(data, chromaticity.ChromaticityParameters(momentum=momentum_of(bessy2.nominal)))
