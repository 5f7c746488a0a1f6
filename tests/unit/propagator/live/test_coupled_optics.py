"""Modes of a turn in closed form, where whole rings do not lead: equal tunes, sum resonance, strong coupling."""

import math
from typing import Any

import numpy as np
import pytest

from gnomon.propagator.live import coupled_optics
from gnomon.propagator.live.kernel_report import STABLE, UNSTABLE_1, UNSTABLE_2, UNSTABLE_BOTH, UNSTABLE_SUM

find_traces: Any = coupled_optics.find_traces
find_mode: Any = coupled_optics.find_mode


def twiss_block(mu: float, beta: float, alpha: float) -> np.ndarray:
    c, s = math.cos(mu), math.sin(mu)
    return np.array([[c + alpha * s, beta * s], [-(1.0 + alpha**2) / beta * s, c - alpha * s]])


def as_turn(matrix: np.ndarray) -> np.ndarray:
    return np.column_stack([matrix, np.zeros(4)]).ravel()


def uncoupled(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.block([[x, np.zeros((2, 2))], [np.zeros((2, 2)), y]])


def modes(matrix: np.ndarray) -> tuple[int, list[float], np.ndarray]:
    turn, traces, vectors = as_turn(matrix), np.zeros(3), np.zeros(20)
    verdict = find_traces.py_func(turn, traces)
    mu = [find_mode.py_func(turn, mode, traces, vectors) for mode in range(2)] if verdict == STABLE else []
    return verdict, mu, vectors.reshape(4, 5)


@pytest.mark.parametrize(("mu_x", "mu_y"), [(1.1, 1.1), (1.1, 2.0), (5.0, 5.0), (5.0, 0.3), (4.0, 2.0)])
def test_uncoupled_modes_are_those_of_the_planes_also_at_equal_tunes(mu_x: float, mu_y: float) -> None:
    verdict, mu, vectors = modes(uncoupled(twiss_block(mu_x, 3.0, -1.2), twiss_block(mu_y, 7.0, 0.4)))
    assert verdict == STABLE
    assert mu == pytest.approx([mu_x, mu_y], abs=1e-12)
    assert vectors[0, 0] ** 2 + vectors[0, 1] ** 2 == pytest.approx(3.0)
    assert vectors[2, 2] ** 2 + vectors[2, 3] ** 2 == pytest.approx(7.0)
    assert -(vectors[0, 0] * vectors[1, 0] + vectors[0, 1] * vectors[1, 1]) == pytest.approx(-1.2)


@pytest.mark.parametrize("skew", [1e-6, 1e-2, 0.15])
def test_coupled_modes_are_eigenvectors_of_the_turn(skew: float) -> None:
    kick = np.eye(4)
    kick[1, 2] = kick[3, 0] = skew
    matrix = kick @ uncoupled(twiss_block(1.1, 3.0, -1.2), twiss_block(4.0, 7.0, 0.4))
    verdict, mu, vectors = modes(matrix)
    assert verdict == STABLE
    for mode in range(2):
        vector = vectors[:, 2 * mode] + 1j * vectors[:, 2 * mode + 1]
        assert np.abs(matrix @ vector - np.exp(1j * mu[mode]) * vector).max() < 1e-12
        invariant = (vector[0].conjugate() * vector[1] + vector[2].conjugate() * vector[3]).imag
        assert invariant == pytest.approx(1.0)


def test_each_kind_of_instability_is_told_apart() -> None:
    good, bad = twiss_block(1.1, 3.0, 0.0), np.array([[2.0, 0.0], [0.0, 0.5]])
    assert modes(uncoupled(bad, good))[0] == UNSTABLE_1
    assert modes(uncoupled(good, bad))[0] == UNSTABLE_2
    assert modes(uncoupled(bad, bad))[0] == UNSTABLE_BOTH
    kick = np.eye(4)
    kick[1, 2] = kick[3, 0] = 0.05
    resonance = kick @ uncoupled(twiss_block(1.1, 3.0, 0.0), twiss_block(2.0 * math.pi - 1.1, 7.0, 0.0))
    assert modes(resonance)[0] == UNSTABLE_SUM
    assert np.abs(np.abs(np.linalg.eigvals(resonance)) - 1.0).max() > 1e-3
    assert modes(np.full((4, 4), math.nan))[0] != STABLE


def test_across_the_difference_resonance_modes_stay_with_their_planes_and_jump_by_the_gap() -> None:
    skew, beta_x, beta_y, mu_y = 2e-3, 3.0, 7.0, 2.0
    thin = np.eye(4)
    thin[1, 2] = thin[3, 0] = skew
    gap = skew * math.sqrt(beta_x * beta_y)  # closest tunes behind a thin skew quadrupole, times 2 pi
    apart = []
    for distance in np.linspace(-5.0, 5.0, 40) * gap:
        matrix = thin @ uncoupled(twiss_block(mu_y + distance, beta_x, -1.2), twiss_block(mu_y, beta_y, 0.4))
        _, mu, vectors = modes(matrix)
        assert math.hypot(*vectors[0, :2]) ** 2 > math.hypot(*vectors[0, 2:4]) ** 2
        assert abs(mu[0] - mu[1]) == pytest.approx(math.hypot(distance, gap), rel=2e-2)
        apart.append(mu[0] - mu[1])
    steps = np.diff(apart)
    jump = int(np.argmax(steps))
    assert apart[jump] < 0.0 < apart[jump + 1]
    assert steps[jump] == pytest.approx(2.0 * gap, rel=5e-2)
    assert np.delete(steps, jump).max() < 0.3 * gap
