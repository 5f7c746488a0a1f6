"""Particles that see each other: wakes and beam loading against closed formulas."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtri

from gnomon.lattice import Ring
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.ensembles import BeamLoadingCavity, Ensemble, Resonator, TrackingError, track

ENERGY_EV, CHARGE_C = 1.7e9, 1e-9


def gaussian_bunch(count: int, sigma_m: float) -> np.ndarray:
    """Coordinates (6, n) of particles at even quantiles in ct, in no order."""
    coordinates = np.zeros((6, count))
    coordinates[5] = np.random.default_rng(2).permutation(sigma_m * ndtri((np.arange(count) + 0.5) / count))
    return coordinates


@pytest.mark.parametrize(("frequency_hz", "quality", "sigma_m"), [(10e9, 1.0, 5e-3), (3e9, 5.0, 8e-3)])
def test_a_gaussian_bunch_loses_what_its_loss_factor_says(frequency_hz: float, quality: float, sigma_m: float) -> None:
    # k = 1/pi integral of Re Z(w) exp(-(w sigma)^2) from 0: Chao (1993), eq. 2.105.
    impedance, omega, sigma_s = 1e4, 2.0 * math.pi * frequency_hz, sigma_m / SPEED_OF_LIGHT

    def loss(w: float) -> float:
        return impedance / (1.0 + quality**2 * (omega / w - w / omega) ** 2) * math.exp(-((w * sigma_s) ** 2))

    factor = quad(loss, 1.0, 8.0 / sigma_s, points=[min(omega, 4.0 / sigma_s)], limit=400)[0] / math.pi
    step = Resonator(frequency_hz, impedance, quality, bunch_charge_c=CHARGE_C, energy_ev=ENERGY_EV, bins=500)
    bunch = gaussian_bunch(50_000, sigma_m)
    step.act(bunch, 0)
    assert -bunch[4].mean() * ENERGY_EV == pytest.approx(factor * CHARGE_C, rel=1e-3)
    head = bunch[5] < -3.0 * sigma_m
    assert np.abs(bunch[4][head]).max() < 0.1 * np.abs(bunch[4]).max()  # nothing acts ahead


def test_bins_too_long_for_the_wake_are_refused() -> None:
    step = Resonator(10e9, 1e4, 1.0, bunch_charge_c=CHARGE_C, energy_ev=ENERGY_EV, bins=20)
    with pytest.raises(TrackingError, match=r"20 bins are too coarse .* use [0-9]+ bins"):
        step.act(gaussian_bunch(1000, 5e-3), 0)


@pytest.mark.parametrize("detuning_hz", [0.0, -20e3, 50e3])
def test_beam_loading_comes_to_rest_at_the_closed_formula(detuning_hz: float) -> None:
    # V_b = 2 I R cos(psi) e^(i psi), tan(psi) = 2 Q (f_res - f) / f.
    rf_hz, quality, impedance, current = 5e8, 8000.0, 3e6, 0.3
    step = BeamLoadingCavity(
        rf_hz + detuning_hz, impedance, quality, rf_frequency_hz=rf_hz, harmonic_number=400, current_a=current,
        energy_ev=ENERGY_EV,
    )  # fmt: skip
    for turn in range(100):
        bunch = np.zeros((6, 10))
        step.act(bunch, turn)
    psi = math.atan(2.0 * quality * detuning_hz / rf_hz)
    voltage = 2.0 * current * impedance * math.cos(psi) * complex(math.cos(psi), math.sin(psi))
    assert abs(step.beam_voltage - voltage) < 1e-3 * abs(voltage)
    assert -bunch[4, 0] * ENERGY_EV == pytest.approx(voltage.real, rel=1e-3)


def test_few_bunches_leave_the_discrete_sum_of_their_passages() -> None:
    rf_hz, quality, impedance, current = 5e8, 300.0, 1e5, 0.1
    step = BeamLoadingCavity(
        rf_hz, impedance, quality, rf_frequency_hz=rf_hz, harmonic_number=400, current_a=current, energy_ev=ENERGY_EV,
        bunches=4,
    )  # fmt: skip
    for turn in range(50):
        step.act(np.zeros((6, 3)), turn)
    spacing, charge = 100 / rf_hz, current * 100 / rf_hz
    omega = 2.0 * math.pi * rf_hz
    damping, amplitude = omega / (2.0 * quality), omega * impedance / quality
    ringing = math.sqrt(omega**2 - damping**2)
    times = spacing * np.arange(1, 400)
    wakes = np.exp(-damping * times) * (np.cos(ringing * times) - damping / ringing * np.sin(ringing * times))
    assert step.beam_voltage.real == pytest.approx(charge * amplitude * wakes.sum(), rel=1e-9)


def test_a_step_acts_between_segments_and_a_generator_is_a_cavity(bessy2: Ring) -> None:
    # Without current the loaded cavity is pyAT's thin cavity: the ring's four, gathered in one place and one voltage.
    lattice, name = bessy2.nominal, "CAVH1T8R"
    voltage, rf_hz = 1e6, lattice.rf_frequency
    step = BeamLoadingCavity(
        rf_hz, 1e6, 1e4, rf_frequency_hz=rf_hz, harmonic_number=400, current_a=0.0, energy_ev=ENERGY_EV,
        voltage_v=voltage,
    )  # fmt: skip
    start = np.zeros((6, 5))
    start[5] = np.linspace(-1e-3, 1e-3, 5)
    found = track(lattice, Ensemble(start), 1, steps={name: step})
    kicks = -voltage / ENERGY_EV * np.sin(2.0 * math.pi * rf_hz * start[5] / SPEED_OF_LIGHT)
    assert np.allclose(found.coordinates[4], kicks, rtol=0.0, atol=1e-15)
    begin = track(lattice, Ensemble(start), 1).coordinates
    assert np.abs(found.coordinates[0] - begin[0])[0] > 1e-8  # dispersion behind the step
