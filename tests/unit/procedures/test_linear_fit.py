"""Slopes and polynomials are numpy's, and their errors are the scatter of repeated fits."""

import numpy as np
import pytest

from gnomon.procedures.linear_fit import fit_polynomials, fit_slopes


def test_stated_errors_are_the_scatter_of_repeated_measurements() -> None:
    random = np.random.default_rng(1)
    settings = np.repeat([-1.0, 0.0, 1.0], 3)[:, None]
    readings = settings @ np.full((1, 4000), 2.0) + 0.1 * random.standard_normal((9, 4000))
    fit = fit_slopes(settings, np.zeros(9), readings)
    assert fit.slopes.mean() == pytest.approx(2.0, abs=2e-3)
    assert np.std(fit.slopes) == pytest.approx(0.1 / np.sqrt(6), rel=0.05)
    assert np.sqrt((fit.errors**2).mean()) == pytest.approx(0.1 / np.sqrt(6), rel=0.05)


def test_a_setting_that_moves_in_two_groups_is_as_precise_as_all_its_rows() -> None:
    settings = np.tile([-1.0, 1.0], 4)[:, None]
    groups = np.repeat([0.0, 1.0], 4)
    readings = 3.0 * settings + np.repeat([0.0, 7.0], 4)[:, None]
    fit = fit_slopes(settings, groups, readings + 0.01 * np.random.default_rng(2).standard_normal((8, 1)))
    assert fit.slopes[0, 0] == pytest.approx(3.0, abs=0.02)
    assert fit.errors[0, 0] == pytest.approx(fit.noise[0] / np.sqrt(8))


def test_two_settings_alone_take_the_noise_that_is_stated() -> None:
    fit = fit_slopes(np.array([[-1.0], [1.0]]), np.zeros(2), np.array([[-2.0], [2.0]]), noise=0.1)
    assert fit.slopes[0, 0] == pytest.approx(2.0)
    assert fit.errors[0, 0] == pytest.approx(0.1 / np.sqrt(2))
    assert np.isnan(fit_slopes(np.array([[-1.0], [1.0]]), np.zeros(2), np.array([[-2.0], [2.0]])).errors).all()


def test_readings_that_are_missing_in_some_rows_use_the_others() -> None:
    settings = np.linspace(-1.0, 1.0, 8)[:, None]
    readings = np.column_stack((2.0 * settings, -settings))
    readings[2, 0] = np.nan
    np.testing.assert_allclose(fit_slopes(settings, np.zeros(8), readings).slopes.ravel(), [2.0, -1.0])


def test_a_knob_that_never_moves_has_no_slope() -> None:
    settings = np.column_stack((np.linspace(-1, 1, 5), np.zeros(5)))
    fit = fit_slopes(settings, np.zeros(5), settings[:, :1])
    assert np.isnan(fit.slopes[0, 1])
    assert np.isnan(fit.errors[0, 1])


def test_polynomials_are_numpys_and_their_errors_too() -> None:
    random = np.random.default_rng(3)
    at = np.linspace(-2e-3, 3e-3, 12)
    readings = 5.0 + 300.0 * at[:, None] ** 2 + 1e-4 * random.standard_normal((12, 3))
    found, errors, noise = fit_polynomials(at, readings, 2)
    for column in range(3):
        fitted, covariance = np.polyfit(at, readings[:, column], 2, cov=True)
        np.testing.assert_allclose(found[:, column], fitted[::-1], rtol=1e-6)
        np.testing.assert_allclose(errors[:, column], np.sqrt(np.diag(covariance))[::-1], rtol=1e-6)
        np.testing.assert_allclose(
            noise[column], np.sqrt(((readings[:, column] - np.polyval(fitted, at)) ** 2).sum() / 9)
        )


def test_a_reading_with_too_few_rows_is_nan() -> None:
    readings = np.full((4, 2), 1.0)
    readings[1:, 1] = np.nan
    found, _, _ = fit_polynomials(np.arange(4.0), readings, 1)
    np.testing.assert_allclose(found[:, 0], [1.0, 0.0], atol=1e-12)
    assert np.isnan(found[:, 1]).all()
