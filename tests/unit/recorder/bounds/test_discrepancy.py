"""The discrepancy: found again from residuals that have it, and how it grows."""

import numpy as np
import pytest

from gnomon.recorder.bounds.discrepancy import DAY_S, Discrepancy, Term, effect_sizes, fit_term


def test_relative_part_and_floor_are_found_again() -> None:
    random = np.random.default_rng(1)
    effects, noise = random.uniform(0.0, 1.0, 20_000), np.full(20_000, 0.01)
    known = np.full(20_000, 2e-4)
    deviation = np.sqrt(known + (0.1 * effects) ** 2 + (2.0 * noise) ** 2)
    term = fit_term(deviation * random.standard_normal(20_000), known, effects, noise)
    assert term.relative == pytest.approx(0.1, rel=0.05)
    assert term.floor == pytest.approx(2.0, rel=0.1)


def test_residuals_that_noise_explains_give_nearly_nothing() -> None:
    random = np.random.default_rng(2)
    known = np.full(20_000, 4e-4)
    term = fit_term(0.02 * random.standard_normal(20_000), known, np.ones(20_000), np.full(20_000, 0.01))
    assert term.relative < 4e-3
    assert term.floor < 0.4


def test_a_few_wild_residuals_do_not_take_the_fit() -> None:
    random = np.random.default_rng(3)
    residuals = 0.02 * random.standard_normal(2000)
    residuals[:10] = 50.0
    term = fit_term(residuals, np.full(2000, 4e-4), np.ones(2000), np.full(2000, 0.01))
    assert term.relative < 0.02


def test_nothing_measured_keeps_the_first_guess() -> None:
    assert fit_term(np.full(5, np.nan), np.ones(5), np.ones(5), np.ones(5)) == Term()


def test_the_discrepancy_grows_with_the_age_and_is_that_of_its_kind_and_group() -> None:
    found = Discrepancy({("k1", "orbit_y"): Term(0.5, 0.0)}, growth_per_day=1.0)
    effect, noise = np.array([2.0, 2.0, 0.1, 0.1]), np.zeros(6)
    new, old = (found.variances("k1", effect, noise, 2, age) for age in (0.0, DAY_S))
    assert new[2:4] == pytest.approx([1.0, 1.0])
    np.testing.assert_allclose(old, 4.0 * new)
    assert new[0] == pytest.approx((Term().relative * 2.0) ** 2)


def test_an_effect_that_is_uncertain_alone_has_a_size() -> None:
    sizes = effect_sizes(np.zeros(6), np.array([4.0, 4.0, 4.0, 4.0, 0.0, 0.0]), 2)
    np.testing.assert_allclose(sizes, [2.0, 2.0, 0.0, 0.0])
