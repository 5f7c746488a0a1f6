"""Noise of monitors: its size, its lines, and its independence."""

import numpy as np
import pytest

from gnomon.fault_injection.dynamics.monitor_noise import MonitorNoise


def noise(white_m: float = 0.0, line_m: float = 0.0, monitors: int = 3) -> MonitorNoise:
    phases = np.random.default_rng(1).uniform(0.0, 2.0 * np.pi, (2, monitors, 2))
    amplitudes = np.full((2, monitors, 2), line_m)
    return MonitorNoise(np.full((monitors, 2), white_m), np.array([50.0, 10.0]), amplitudes, phases)


def test_white_noise_and_lines_add_in_quadrature() -> None:
    both = noise(1e-6, 2e-6)
    random = np.random.default_rng(2)
    readings = np.array([both.at(0.00137 * n, random.normal(size=(3, 2))) for n in range(20000)])
    assert readings.std(axis=0) == pytest.approx(both.rms, rel=0.02)
    assert both.rms[0, 0] == pytest.approx(1e-6 * np.sqrt(1.0 + 2 * 2.0))


def test_lines_stand_at_their_frequencies() -> None:
    lines = noise(line_m=1e-6)
    readings = np.array([lines.at(n * 1e-3, np.zeros((3, 2)))[1, 1] for n in range(1000)])
    spectrum = np.abs(np.fft.rfft(readings)) * 2.0 / len(readings)
    assert np.flatnonzero(spectrum > 1e-9).tolist() == [10, 50]
    assert spectrum[[10, 50]] == pytest.approx([1e-6, 1e-6])


def test_no_size_is_no_noise() -> None:
    assert not noise().at(3.0, np.ones((3, 2))).any()
