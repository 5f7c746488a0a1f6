"""The conformal shell: its coverage in finite samples, how many commands it needs, bins, and its adaptation."""

import numpy as np
import pytest

from gnomon.recorder.bounds.conformal import Bin, ConformalShell, make_bins, needed, quantile


@pytest.mark.parametrize(("coverage", "commands"), [(0.95, 19), (0.99, 99), (0.5, 1)])
def test_a_band_needs_so_many_held_out_commands(coverage: float, commands: int) -> None:
    assert needed(coverage) == commands
    assert np.isfinite(quantile(np.arange(commands, dtype=float), coverage))
    assert np.isinf(quantile(np.arange(commands - 1, dtype=float), coverage))


def test_the_quantile_covers_new_scores_of_any_distribution_as_often_as_stated() -> None:
    random = np.random.default_rng(1)
    covered = []
    for _ in range(3000):
        scores = random.standard_cauchy(100)
        covered.append(scores[-1] <= quantile(np.sort(scores[:-1]), 0.95))
    assert abs(np.mean(covered) - 0.95) < 3.3 * np.sqrt(0.95 * 0.05 / 3000)


def test_commands_are_sorted_by_kind_and_into_equal_numbers_by_size() -> None:
    random = np.random.default_rng(2)
    kinds = ["k1"] * 30 + ["kick_x"] * 1000
    sizes, scores = random.uniform(1, 9, 1030), random.uniform(0, 1, 1030)
    bins = make_bins(kinds, sizes, scores, min_per_bin=400)
    assert [(b.kind, b.scores.size) for b in bins] == [("k1", 30), ("kick_x", 500), ("kick_x", 500)]
    assert bins[1].low == 0.0
    assert bins[1].high == bins[2].low == pytest.approx(5.0, abs=0.3)
    np.testing.assert_array_equal(bins[1].scores, np.sort(scores[30:][sizes[30:] < bins[1].high]))


def test_an_unknown_kind_and_too_large_a_step_have_no_bin_and_a_reason() -> None:
    shell = ConformalShell((Bin("k1", 0.0, 2.0, np.ones(99)), Bin("k1", 2.0, 4.0, np.ones(50))))
    assert shell.find("k1", 2.5)[0] == 1
    assert shell.find("b3", 1.0) == (-1, "no held-out commands of the kind b3")
    number, reason = shell.find("k1", 4.1)
    assert number == -1
    assert "split it" in reason
    assert shell.missing(0, 0.99) == 0
    assert shell.missing(1, 0.99) == 49


def test_misses_widen_and_hits_narrow_until_the_rate_is_the_asked_one() -> None:
    random = np.random.default_rng(3)
    shell = ConformalShell((Bin("k1", 0.0, 1.0, np.sort(np.abs(random.standard_normal(999)))),))
    start = shell.factor(0, 0.9)
    missed = []
    for _ in range(4000):  # the machine has drifted: deviations are half as large again as when it was calibrated
        missed.append(1.5 * abs(random.standard_normal()) > shell.factor(0, 0.9))
        shell = shell.adapted(0, 0.9, missed[-1])
    assert shell.factor(0, 0.9) > 1.2 * start
    assert abs(np.mean(missed[1000:]) - 0.1) < 0.02


def test_adaptation_is_of_one_bin_and_one_coverage() -> None:
    scores = np.sort(np.abs(np.random.default_rng(4).standard_normal(999)))
    shell = ConformalShell((Bin("k1", 0.0, 1.0, scores), Bin("b3", 0.0, 1.0, scores)))
    after = shell.adapted(0, 0.95, True)
    assert after.factor(0, 0.95) > shell.factor(0, 0.95)
    assert after.factor(0, 0.99) == shell.factor(0, 0.99)
    assert after.factor(1, 0.95) == shell.factor(1, 0.95)
    for _ in range(20):
        after = after.adapted(0, 0.95, True)
    assert np.isinf(after.factor(0, 0.95))
