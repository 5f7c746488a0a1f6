"""Bounded least squares finds scipy's optimum, keeps every limit, and leaves weak directions still."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from gnomon.procedures.bounded import solve
from gnomon.procedures.errors import ProcedureError


def problem(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.standard_normal((30, 8)), random.standard_normal(30)


@pytest.mark.parametrize("seed", range(5))
def test_the_optimum_within_limits_is_scipys(seed: int) -> None:
    matrix, wanted = problem(seed)
    low, high = np.full(8, -0.05), np.full(8, 0.05)
    found = solve(matrix, wanted, low, high, strength=1e-9)
    best = lsq_linear(matrix, wanted, (low, high), method="bvls")
    np.testing.assert_allclose(found.changes, best.x, atol=1e-8)
    assert (np.abs(found.changes) <= 0.05).all()
    np.testing.assert_array_equal(found.at_limit, best.active_mask != 0)


def test_a_direction_without_effect_stays_still_with_and_without_limits() -> None:
    matrix, wanted = problem(1)
    matrix = np.column_stack((matrix, matrix[:, 0]))  # two knobs of the same effect
    for limit in (10.0, 0.05):
        found = solve(matrix, wanted, np.full(9, -limit), np.full(9, limit), strength=1e-6)
        assert found.changes[0] == pytest.approx(found.changes[8], abs=1e-4)
        assert found.used == 8


def test_a_knob_without_room_does_not_move() -> None:
    matrix, wanted = problem(2)
    low, high = np.full(8, -1.0), np.full(8, 1.0)
    low[3] = high[3] = 0.0
    assert solve(matrix, wanted, low, high).changes[3] == 0.0


def test_more_of_tikhonovs_strength_means_smaller_changes() -> None:
    matrix, wanted = problem(3)
    wide = np.full(8, 10.0)
    sizes = [
        np.linalg.norm(solve(matrix, wanted, -wide, wide, method="tikhonov", strength=s).changes)
        for s in (0.01, 0.3, 1)
    ]
    assert sizes[0] > sizes[1] > sizes[2] > 0.0


def test_the_covariance_is_that_of_repeated_solutions() -> None:
    matrix, _ = problem(4)
    random, wide = np.random.default_rng(4), np.full(8, 1e6)
    found = [solve(matrix, random.standard_normal(30), -wide, wide) for _ in range(2000)]
    scatter = np.std([each.changes for each in found], axis=0)
    np.testing.assert_allclose(np.sqrt(np.diag(found[0].covariance)), scatter, rtol=0.08)


def test_nothing_to_correct_and_a_setting_beyond_its_limits_are_refused() -> None:
    matrix, wanted = problem(5)
    with pytest.raises(ProcedureError, match="no reading is left"):
        solve(matrix, np.full(30, np.nan), np.full(8, -1.0), np.full(8, 1.0))
    with pytest.raises(ProcedureError, match="outside its limits already"):
        solve(matrix, wanted, np.full(8, 0.5), np.full(8, 1.0))
    with pytest.raises(ProcedureError, match="no setting moves any reading"):
        solve(np.zeros((30, 8)), wanted, np.full(8, -1.0), np.full(8, 1.0))
