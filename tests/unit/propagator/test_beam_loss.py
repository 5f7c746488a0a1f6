"""Loss rates against closed formulas and a simulated beam."""

import math

import numpy as np
import pytest

from gnomon.propagator.beam_loss import Resonance, acceptance, quantum_loss_rate, resonance_loss_rate


def test_acceptance_is_that_of_the_narrowest_place() -> None:
    orbit, beta = np.array([0.0, 5e-3, -1e-3]), np.array([10.0, 4.0, 16.0])
    assert acceptance(orbit, beta, 20e-3) == pytest.approx(min(4e-4 / 10, 2.25e-4 / 4, 3.61e-4 / 16))
    assert acceptance(np.array([21e-3]), np.array([1.0]), 20e-3) == 0.0


def test_quantum_lifetime_has_the_textbook_value_at_six_sigma() -> None:
    # Sands, 5.8: with x_max^2 / sigma^2 = 2 xi; six standard deviations are xi = 18.
    assert 1.0 / quantum_loss_rate(36e-9, 1e-9, 10e-3) == pytest.approx(5e-3 * math.exp(18.0) / 18.0)


def test_quantum_losses_agree_with_a_simulated_beam() -> None:
    """Amplitudes of a damped and excited oscillator, xi = 4; Sands' formula is the limit for large xi."""
    xi, tau, emittance = 4.0, 1.0, 1.0
    random = np.random.default_rng(5)
    step = 2e-3
    particles = random.normal(size=(10000, 2)) * math.sqrt(emittance)
    particles = particles[(particles**2).sum(axis=1) < 2.0 * emittance * xi]
    counts = []
    for n in range(750):
        kick = math.sqrt(2.0 * emittance * step / tau)
        particles = particles * (1.0 - step / tau) + kick * random.normal(size=particles.shape)
        particles = particles[(particles**2).sum(axis=1) < 2.0 * emittance * xi]
        if n in (250, 749):
            counts.append(len(particles))
    rate = math.log(counts[0] / counts[1]) / (499 * step)
    assert rate == pytest.approx(quantum_loss_rate(2.0 * xi * emittance, emittance, tau), rel=0.5)


def test_losses_rise_without_end_as_the_aperture_closes() -> None:
    rates = [quantum_loss_rate(2.0 * xi, 1.0, 1.0) for xi in (20.0, 5.0, 2.0, 1.0, 0.5, 0.1, 0.0)]
    assert rates == sorted(rates)
    assert rates[-1] == math.inf
    assert quantum_loss_rate(2.0 - 1e-9, 1.0, 1.0) == pytest.approx(quantum_loss_rate(2.0, 1.0, 1.0))


def test_a_resonance_is_a_line_in_the_diagram_of_tunes() -> None:
    third = Resonance(3, 0, rate=2.0, width=0.01)
    assert third.loss_rate(17.0 + 1 / 3, 6.7) == pytest.approx(2.0)
    assert third.loss_rate(17.0 + 1 / 3 + 0.01 / 3, 0.1) == pytest.approx(2.0 * math.exp(-0.5))
    coupling = Resonance(1, -1, rate=1.0, width=0.02)
    assert coupling.loss_rate(17.72, 6.72) == pytest.approx(1.0)
    assert resonance_loss_rate([third, coupling], 17.72, 6.72) == pytest.approx(1.0 + third.loss_rate(17.72, 6.72))
