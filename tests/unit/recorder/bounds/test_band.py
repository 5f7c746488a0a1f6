"""The types of a prediction: order of the observables, the score, and what is outside."""

import numpy as np
import pytest

from gnomon.recorder.bounds.band import Band, Kind, Observable, Reading, largest_error, values_of

PLACES = ("A", "B")
OBSERVABLES = (
    *(Observable(f"orbit_x:{p}", Kind.ORBIT_X, "mm", p) for p in PLACES),
    *(Observable(f"orbit_y:{p}", Kind.ORBIT_Y, "mm", p) for p in PLACES),
    Observable("tune_x", Kind.TUNE, ""),
    Observable("tune_y", Kind.TUNE, ""),
    Observable("coupling", Kind.COUPLING, ""),
)


def _band(measured: list[bool] | None = None) -> Band:
    expected, scale = np.zeros(7), np.full(7, 0.1)
    shown = np.array(measured or [True] * 6 + [False])
    return Band(OBSERVABLES, expected, expected - 0.3, expected + 0.3, scale, shown, 0.95, 1, "id")


def _reading(orbit: list[list[float]], tune: tuple[float, float] = (0.0, 0.0)) -> Reading:
    return Reading(np.array(orbit), np.array(tune), 0)


def test_a_reading_has_the_order_of_the_observables() -> None:
    values = values_of(_band(), _reading([[1, 2], [3, 4]], (5, 6)))
    np.testing.assert_equal(values, [1, 3, 2, 4, 5, 6, np.nan])


def test_a_reading_of_other_monitors_is_refused() -> None:
    with pytest.raises(ValueError, match="orbit readings and tunes"):
        values_of(_band(), _reading([[1, 2]]))


def test_the_score_is_the_largest_deviation_in_units_of_the_scale() -> None:
    assert largest_error(_band(), _reading([[0.1, 0], [0, -0.25]])) == pytest.approx(2.5)


def test_a_monitor_that_falls_silent_has_an_infinite_score_and_is_outside() -> None:
    silent = _reading([[np.nan, 0], [0, 0]])
    assert largest_error(_band(), silent) == np.inf
    assert _band().inside(silent).tolist() == [False, True, True, True, True, True, True]


def test_a_monitor_that_was_dead_before_counts_neither_way() -> None:
    band = _band([False] + [True] * 5 + [False])
    silent = _reading([[np.nan, 0.31], [0, 0]])
    assert largest_error(band, silent) == pytest.approx(3.1)
    assert band.inside(silent).tolist() == [True, True, False, True, True, True, True]


def test_observables_are_found_by_kind() -> None:
    assert _band().indices(Kind.TUNE, Kind.ORBIT_X).tolist() == [0, 1, 4, 5]
