"""Rates of losses and lifetimes from the current: true within stated errors, injections cut out, noise never 0."""

import numpy as np
import pytest

from gnomon.procedures.beam_lifetimes import LifetimeData, LifetimeParameters, analyse
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.loss_rates import fit_loss_rate


def current(rate: float, times: np.ndarray, noise: float, seed: int) -> np.ndarray:
    return 250.0 * np.exp(-rate * times) + noise * np.random.default_rng(seed).standard_normal(times.size)


def test_rates_are_true_and_their_stated_errors_have_unit_width() -> None:
    times, rate = np.arange(12.0), 1.0 / (8.0 * 3600.0)
    found = [fit_loss_rate(times, current(rate, times, 5e-3, seed)) for seed in range(300)]
    assert np.mean([each.rate for each in found]) == pytest.approx(rate, rel=0.02)
    assert np.std([(each.rate - rate) / each.error for each in found]) == pytest.approx(1.1, abs=0.15)  # 10 left over
    assert np.mean([each.noise_ma for each in found]) == pytest.approx(5e-3, rel=0.1)


def test_injections_meanwhile_are_cut_out() -> None:
    times, rate = np.arange(30.0), 1e-4
    seen = current(rate, times, 1e-4, 1)
    seen[12:] += 0.4
    seen[21:] += 0.4
    found = fit_loss_rate(times, seen)
    assert found.injections == 2
    assert found.rate == pytest.approx(rate, abs=4 * found.error)


def test_a_beam_that_dies_and_one_that_is_dead_and_holes() -> None:
    times = np.arange(6.0)
    assert fit_loss_rate(times, 250.0 * np.exp(-2.0 * times)).rate == pytest.approx(2.0)
    seen = 250.0 * np.exp(-0.1 * times)
    seen[2], seen[4:] = np.nan, 0.0
    assert fit_loss_rate(times, seen).rate == pytest.approx(0.1)
    for nothing in (np.zeros(6), np.full(6, np.nan), np.array([250.0, 0, 0, 0, 0, 0])):
        assert np.isnan(fit_loss_rate(times, nothing).rate)


def test_a_current_without_noise_has_the_uncertainty_of_the_monitors_steps() -> None:
    times = np.arange(10.0)
    seen = np.round(current(3e-5, times, 0.0, 0), 2)
    found = fit_loss_rate(times, seen, resolution_ma=0.01)
    assert abs(found.rate - 3e-5) < 2 * found.error
    assert fit_loss_rate(times, np.full(10, 250.0), 0.01).error == pytest.approx(found.error, rel=0.5)


def test_the_lifetime_has_an_error_and_a_lower_limit() -> None:
    times = np.arange(0.0, 20.0, 0.5)
    data = LifetimeData(
        time_s=times, current_ma=current(1.0 / 36000.0, times, 1e-3, 3), shown_h=np.full(times.size, np.nan)
    )
    found = analyse(data, LifetimeParameters())
    assert found.lifetime_h == pytest.approx(10.0, abs=4 * found.lifetime_error_h)
    assert 0.0 < found.lifetime_error_h < 1.0
    assert found.lowest_h < found.lifetime_h
    assert np.isnan(found.shown_h)
    rising = analyse(data.model_copy(update={"current_ma": data.current_ma[::-1]}), LifetimeParameters())
    assert np.isnan(rising.lifetime_h)
    with pytest.raises(ProcedureError, match="no lifetime"):
        analyse(data.model_copy(update={"current_ma": np.zeros(times.size)}), LifetimeParameters())
