"""Walls are found to 0.2 mm from rates of losses and lost beams, with honest errors where steps are coarse."""

import numpy as np
import pytest

from gnomon.procedures.aperture import ApertureData, ApertureOutcome, ApertureParameters, analyse, xi_of_rate
from gnomon.procedures.errors import ProcedureError
from gnomon.propagator import quantum_loss_rate

#: Emittance [m], beta [m] and damping time [s] of the planes of a light source.
PLANES = {"x": (7.6e-9, 15.0, 0.015), "y": (7.6e-11, 10.0, 0.015)}
GAIN = 1.005


def size(plane: str) -> float:
    emittance, beta, _ = PLANES[plane]
    return 1e3 * float(np.sqrt(emittance * beta))


def scanned(plane: str, low: float, high: float, steps: list[float], seed: int = 1) -> ApertureData:
    """Steps of a bump between walls at `low` and `high` [mm]; the monitor has a gain error and 1 um noise."""
    emittance, beta, damping = PLANES[plane]
    random = np.random.default_rng(seed)
    times, rows, reading, lost = np.arange(6.0), [], [], []
    for x in steps:
        clear = 1e-3 * max(0.0, min(high - x, x - low))
        rate = quantum_loss_rate(clear**2 / beta, emittance, damping) + 3.5e-5
        current = 200.0 * np.exp(-rate * times) if np.isfinite(rate) else np.zeros(6)
        lost.append(float(current[-1] < 2.0))
        reading.append(np.nan if lost[-1] else GAIN * x + 1e-3 * random.standard_normal())
        rows.append(np.where(current > 1e-3, current + 1e-3 * random.standard_normal(6), 0.0))
    return ApertureData(
        place="M", plane=plane, steerers=("A",), per_mm=[1.0], displacement_mm=[1.01 * x for x in steps],
        reading_mm=reading, lost=lost, sample_step=np.repeat(np.arange(len(steps)), 6),
        sample_time_s=np.tile(times, len(steps)), current_ma=np.concatenate(rows), ends=("range", "lost"),
    )  # fmt: skip


def found(data: ApertureData, wrong: float = 1.2) -> ApertureOutcome:
    _, _, damping = PLANES[data.plane]
    return analyse(data, ApertureParameters(beam_size_mm=wrong * size(data.plane), damping_time_s=damping))


def limit(plane: str, wall: float) -> float:
    """Reading at which the lifetime is 0.1 h."""
    return GAIN * (wall - np.sqrt(2.0 * xi_of_rate(1.0 / 360.0, PLANES[plane][2])) * size(plane))


@pytest.mark.parametrize(
    ("plane", "wall", "steps"),
    [
        ("y", 3.0, [0, 1, 2, 2.5, 3, 2.75, 2.875, 2.8125, 2.84, 2.86]),
        ("x", 8.0, [0, 2, 4, 6, 8, 7, 6.5, 6.25, 6.75]),
    ],
)
def test_fine_steps_give_the_wall_and_the_size_of_the_beam(plane: str, wall: float, steps: list[float]) -> None:
    outcome = found(scanned(plane, -20.0, wall, steps))
    assert abs(outcome.wall_mm[1] - GAIN * wall) < 0.05
    assert abs(outcome.at_lifetime_mm[1] - limit(plane, wall)) < 0.01
    assert outcome.beam_size_mm[1] == pytest.approx(size(plane), rel=0.03)
    assert outcome.wall_error_mm[1] < 0.2
    assert np.isnan(outcome.wall_mm[0])
    assert np.isnan(outcome.full_mm)


@pytest.mark.parametrize("step", [pytest.param(0.2, marks=pytest.mark.slow(1)), 0.5, 1.0])
def test_coarse_steps_give_the_wall_within_the_stated_error(step: float) -> None:
    pulls = []
    for seed in range(40):
        wall = 3.0 + step * np.random.default_rng(seed).random()
        outcome = found(scanned("y", -20.0, wall, list(np.arange(0.0, 5.0, step)), seed))
        pulls.append((outcome.wall_mm[1] - GAIN * wall) / outcome.wall_error_mm[1])
    assert np.sqrt(np.mean(np.square(pulls))) < 1.3


def test_both_walls_give_the_full_width_and_its_middle() -> None:
    steps = [0, 1, 2, 2.5, 2.8, 2.9, 3, -1, -1.5, -1.8, -1.9, -2]
    outcome = found(scanned("y", -2.0, 3.0, [float(x) for x in steps]))
    assert outcome.full_mm == pytest.approx(GAIN * 5.0, abs=0.2)
    assert outcome.centre_mm == pytest.approx(GAIN * 0.5, abs=0.1)
    assert (outcome.reached_mm[0], outcome.lost_mm[1]) == pytest.approx((GAIN * -1.9, GAIN * 2.9), abs=0.15)


def test_a_wall_that_was_not_reached_is_not_guessed() -> None:
    outcome = found(scanned("y", -20.0, 20.0, [0.0, 1.0, 2.0, -1.0]))
    assert np.isnan(outcome.wall_mm).all()
    assert np.isnan(outcome.at_lifetime_mm).all()
    np.testing.assert_allclose(outcome.reached_mm, [-GAIN, 2 * GAIN], atol=0.01)


def test_without_the_rate_before_the_bump_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(ProcedureError, match="without a bump"):
        found(scanned("y", -20.0, 3.0, [1.0, 2.0]))
