"""Slow drifts: periods, sizes, and the day that they begin."""

import math

import numpy as np
import pytest

from gnomon.fault_injection.dynamics.drifts import HOUR_S, TIDES, Drifts

NOON = 1_800_014_400.0  # 2027-01-15 12:00 UTC


def test_nothing_drifts_without_a_size() -> None:
    assert Drifts().circumference(NOON) == 0.0
    assert Drifts().fields(0.0) == 0.0


def test_the_daily_cycle_is_largest_at_18_hours_and_smallest_at_6() -> None:
    hall = Drifts(temperature=5e-7)
    assert hall.circumference(NOON + 6 * HOUR_S) == pytest.approx(5e-7)
    assert hall.circumference(NOON - 6 * HOUR_S) == pytest.approx(-5e-7)
    assert hall.circumference(NOON) == pytest.approx(0.0, abs=1e-15)


def test_a_year_of_tides_has_the_lines_of_sun_and_moon() -> None:
    hours = np.arange(0.0, 24.0 * 369, 0.5)
    change = np.array([Drifts(tide=2e-8).circumference(NOON + hour * HOUR_S) for hour in hours])
    for period, height in TIDES:
        line = 2.0 * abs(np.mean(change * np.exp(2j * math.pi * hours / period)))
        assert line == pytest.approx(2e-8 * height, rel=0.02)
    assert np.abs(change).max() <= 2e-8 * sum(height for _, height in TIDES)


def test_magnets_warm_up_with_their_time_constant() -> None:
    warming = Drifts(warming=1e-4, warming_s=HOUR_S)
    assert warming.fields(0.0) == 1e-4
    assert warming.fields(HOUR_S) == pytest.approx(1e-4 / math.e)
    assert warming.fields(-5.0) == 1e-4
