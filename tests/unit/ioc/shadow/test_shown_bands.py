"""Values that are shown of a band and of a reading, and those that a band is made from."""

import numpy as np
import pytest

from gnomon.db import sources
from gnomon.db.sources import Planes
from gnomon.ioc.outputs.readings import revolution_frequency
from gnomon.ioc.shadow.machine_readings import ReadingsSnapshot
from gnomon.ioc.shadow.shown_bands import (
    band_values,
    changes_between,
    measured_values,
    outside,
    reading_of,
    settings_of,
)
from gnomon.recorder.bounds import Reading
from unit.ioc.rig import RING
from unit.ioc.shadow.fake_predictor import MillimetrePerAmpere

FRESH = (np.ones((1, 2), dtype=bool), np.ones(2, dtype=bool))
SHOWN = Reading(np.array([[1.0, -1.0]]), np.array([0.25, 0.4]), 5)


def snapshot(tunes: list[float], source: Planes) -> ReadingsSnapshot:
    times = np.full((1, 2), 5, dtype=np.int64)
    return ReadingsSnapshot(np.array([[1e-3, -1e-3]]), times, np.array(tunes), times[0], source)


@pytest.mark.parametrize("source", [sources.TUNE, sources.TUNE_FRACTION, sources.TUNE_FREQUENCY])
def test_tunes_are_fractions_however_they_are_read(source: Planes) -> None:
    unit = revolution_frequency(RING.nominal) if source is sources.TUNE_FREQUENCY else 1.0
    whole = 3.0 if source is sources.TUNE else 0.0
    found = reading_of(snapshot([(whole + 0.25) * unit, (whole + 0.4) * unit], source), FRESH, RING.nominal)
    assert found.tune == pytest.approx([0.25, 0.4])
    assert found.orbit == pytest.approx(np.array([[1.0, -1.0]]))
    assert found.time_ns == 5


def test_a_reading_that_is_not_fresh_is_not_shown() -> None:
    fresh = (np.array([[True, False]]), np.array([False, True]))
    found = reading_of(snapshot([0.25, 0.4], sources.TUNE_FRACTION), fresh, RING.nominal)
    assert measured_values(found).keys() == {sources.BOUND_MEASURED.x, sources.BOUND_TUNE_MEASURED.y}
    band = MillimetrePerAmpere().quiet_band(found, coverage=0.95, now_ns=0)
    shown = band_values(band, 1)
    assert sources.BOUND_LOWER.x in shown
    assert sources.BOUND_LOWER.y not in shown
    assert outside(band, found) == 0  # what was not measured before is not compared


def test_bounds_are_shown_in_metres_and_only_of_a_band_that_can_be_relied_on() -> None:
    predictor = MillimetrePerAmpere()
    band = predictor.quiet_band(SHOWN, coverage=0.95, now_ns=0)
    shown = band_values(band, 1)
    assert shown[sources.BOUND_UPPER.x] == pytest.approx([1.01e-3])
    assert shown[sources.BOUND_TUNE_LOWER.y] == pytest.approx(0.39)
    before = settings_of(RING.nominal)
    doubtful = predictor.band(before, {("QFP", "current"): 1.0}, SHOWN, coverage=0.95, now_ns=0)
    assert band_values(doubtful, 1) == {}
    assert outside(band, Reading(SHOWN.orbit + 1.0, np.array([0.25, np.nan]), 6)) == 3


def test_a_change_is_what_differs_in_the_settings_that_are_stored() -> None:
    after = RING.nominal.updated({("CP", "current"): 1.5})
    before = settings_of(RING.nominal)
    assert changes_between(before, settings_of(after)) == {("CP", "current"): 1.5}
    assert ("rf", "frequency") in before
