"""Statistics of the gate's evidence, against scipy, simulations and cases worked by hand."""

from typing import Any

import numpy as np
import pytest
from bench.gate_statistics import (
    Coverage,
    conformal_quantile,
    conformal_rank,
    median_interval,
    pooled,
    rate_interval,
)


@pytest.fixture
def stats() -> Any:
    from scipy import stats

    return stats


@pytest.mark.parametrize(("count", "coverage", "rank"), [(299, 0.95, 285), (299, 0.99, 297), (99, 0.99, 99)])
def test_ranks_are_those_worked_by_hand(count: int, coverage: float, rank: int) -> None:
    assert conformal_rank(count, coverage) == rank


def test_ninety_eight_commands_are_too_few_for_99_percent() -> None:
    assert conformal_rank(98, 0.99) is None
    assert conformal_quantile(np.arange(98.0), 0.99) == np.inf


def test_quantile_is_the_score_of_its_rank() -> None:
    scores = np.random.default_rng(1).permutation(np.arange(1.0, 300.0))
    assert conformal_quantile(scores, 0.95) == 285.0


def test_interval_is_that_of_the_beta_binomial_distribution(stats: Any) -> None:
    case = Coverage(calibrated=299, tested=600, inside=570, coverage=0.95)
    low, high = case.interval(bins=1)
    law = stats.betabinom(600, 285, 15)
    assert law.cdf(low * 600 - 1) < 0.005 <= law.cdf(low * 600)
    assert law.cdf(high * 600 - 1) < 0.995 <= law.cdf(high * 600)
    assert case.expected == pytest.approx(0.95)
    assert case.realised == pytest.approx(0.95)
    assert case.holds(bins=1)


def test_realised_coverages_of_a_simulation_are_in_the_interval_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    low, high = Coverage(299, 600, 0, 0.95).interval(bins=1, confidence=0.9)
    inside = [
        (rng.exponential(size=600) <= conformal_quantile(rng.exponential(size=299), 0.95)).mean() for _ in range(2000)
    ]
    assert 0.88 <= np.mean([low <= each <= high for each in inside]) <= 0.94


def test_low_quantiles_are_those_of_the_published_table() -> None:
    assert Coverage(1000, 1, 1, 0.95).low_quantile() == pytest.approx(0.938, abs=1e-3)
    assert Coverage(1000, 1, 1, 0.99).low_quantile() == pytest.approx(0.984, abs=1e-3)


def test_pooled_coverage_has_the_error_of_all_bins(stats: Any) -> None:
    bins = [Coverage(299, 600, 570, 0.95), Coverage(299, 600, 576, 0.95)]
    realised, error, (expected, nominal) = pooled(bins)
    assert realised == pytest.approx(0.955)
    assert (expected, nominal) == (pytest.approx(0.95), 0.95)
    assert error == pytest.approx(np.sqrt(2 * stats.betabinom(600, 285, 15).var()) / 1200)


def test_no_accepted_of_20000_is_below_the_rate_that_is_claimed() -> None:
    low, high = rate_interval(0, 20_000)
    assert low == 0.0
    assert 1.4e-4 < high < 1.5e-4


def test_interval_of_a_rate_agrees_with_scipy(stats: Any) -> None:
    exact = stats.binomtest(7, 300).proportion_ci(0.95, method="exact")
    assert rate_interval(7, 300) == pytest.approx((exact.low, exact.high))
    assert rate_interval(0, 0) == (0.0, 1.0)


def test_interval_of_a_median_contains_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    found = [median_interval(rng.normal(size=101)) for _ in range(200)]
    assert 0.93 <= np.mean([low <= 0.0 <= high for _, low, high in found]) <= 1.0
