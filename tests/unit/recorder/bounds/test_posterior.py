"""The square-root update against the closed formula with inverse matrices, and its edges."""

import numpy as np

from gnomon.recorder.bounds.posterior import Posterior, update


def _problem() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    jacobian = random.standard_normal((7, 5))
    jacobian[:, 3] = 0.0
    return np.array([1.0, 2.0, 0.5, 3.0, 1.5]), jacobian, random.standard_normal(7), random.uniform(0.1, 0.5, 7)


def test_mean_and_covariance_are_those_of_the_normal_equations() -> None:
    widths, jacobian, residual, deviations = _problem()
    weights = np.diag(deviations**-2.0)
    covariance = np.linalg.inv(jacobian.T @ weights @ jacobian + np.diag(widths**-2.0))
    found = update(Posterior.prior(widths), jacobian, residual, deviations)
    np.testing.assert_allclose(found.mean, covariance @ jacobian.T @ weights @ residual, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.deviations(), np.sqrt(np.diag(covariance)), rtol=1e-9)
    probe = np.random.default_rng(2).standard_normal((4, 5))
    np.testing.assert_allclose(found.variances(probe), np.diag(probe @ covariance @ probe.T), rtol=1e-9)


def test_two_updates_are_one_with_all_readings() -> None:
    widths, jacobian, residual, deviations = _problem()
    whole = update(Posterior.prior(widths), jacobian, residual, deviations)
    first = update(Posterior.prior(widths), jacobian[:3], residual[:3], deviations[:3])
    second = update(first, jacobian[3:], residual[3:] - jacobian[3:] @ first.mean, deviations[3:])
    np.testing.assert_allclose(second.mean, whole.mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(second.deviations(), whole.deviations(), rtol=1e-9)


def test_a_parameter_that_no_reading_depends_on_keeps_its_prior() -> None:
    widths, jacobian, residual, deviations = _problem()
    found = update(Posterior.prior(widths), jacobian, residual, deviations)
    assert 3 not in found.active
    assert found.mean[3] == 0.0
    assert found.deviations()[3] == 3.0


def test_readings_that_are_missing_count_for_nothing() -> None:
    widths, jacobian, residual, deviations = _problem()
    residual[2] = np.nan
    kept = np.arange(7) != 2
    found = update(Posterior.prior(widths), jacobian, residual, deviations)
    expected = update(Posterior.prior(widths), jacobian[kept], residual[kept], deviations[kept])
    np.testing.assert_allclose(found.mean, expected.mean)


def test_parameters_that_readings_cannot_tell_apart_stay_certain_in_their_sum_alone() -> None:
    found = update(Posterior.prior(np.ones(2)), np.ones((50, 2)), np.full(50, 2.0), np.full(50, 1e-6))
    assert found.variances(np.array([[1.0, 1.0]]))[0] < 1e-12
    assert 0.9 < found.variances(np.array([[1.0, -1.0]]))[0] / 2.0 < 1.1


def test_draws_have_the_posteriors_covariance() -> None:
    widths, jacobian, residual, deviations = _problem()
    found = update(Posterior.prior(widths), jacobian, residual, deviations)
    drawn = found.draw(np.random.default_rng(3), 20_000)
    np.testing.assert_allclose(drawn.std(axis=0), found.deviations(), rtol=0.03)
    np.testing.assert_allclose(drawn.mean(axis=0), found.mean, atol=0.05 * found.deviations().max())
