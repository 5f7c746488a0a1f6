"""Readings of a machine, in whichever layout and convention its PVs have them."""

from dataclasses import replace

import numpy as np
import pytest

from gnomon.db import sources
from gnomon.db.naming import Naming
from gnomon.db.pvs import Kind, PvSpec
from gnomon.db.sources import Planes, Source
from gnomon.db.templates import Placed, PvTemplate, expand
from gnomon.ioc.outputs.readings import Readings, revolution_frequency
from gnomon.ioc.outputs.reference_orbit import ReferenceOrbit
from gnomon.ioc.shadow.link import Update
from gnomon.ioc.shadow.machine_readings import MachineReadings
from gnomon.ioc.shadow.residuals import Noise, compare
from gnomon.ioc.shadow.watched_pvs import ReadingSource, choose_watched_pvs
from unit.ioc.rig import RING, beam

PREDICTED = Readings(RING.nominal, beam(RING.nominal), 1, ReferenceOrbit.zero(1))  # tunes 3.25 and 2.4
TURNS_HZ = revolution_frequency(RING.nominal)


def update(channel: int, value: object) -> Update:
    return Update(channel, value, 0, 1, first=False)


def measured_tunes(source: Planes, *values: float) -> list[float]:
    measured = MachineReadings({0: ReadingSource(source.x, -1, 1.0), 1: ReadingSource(source.y, -1, 1.0)}, 1)
    measured.updated([update(i, value) for i, value in enumerate(values)])
    fresh = np.ones((1, 2), dtype=bool), np.ones(2, dtype=bool)
    noise = Noise(np.ones(1), 1e-4)
    tunes: list[float] = compare(measured.snapshot(), fresh, PREDICTED, noise).tunes.tolist()
    return tunes


@pytest.mark.parametrize(
    ("source", "layout"),
    [
        (sources.MONITOR_POSITIONS, [1, 2, 3, -1, -2, -3]),
        (sources.MONITOR_POSITIONS_INTERLEAVED, [1, -1, 2, -2, 3, -3]),
    ],
)
def test_positions_are_read_in_the_layout_of_their_source(source: Source, layout: list[float]) -> None:
    measured = MachineReadings({0: ReadingSource(source, -1, 1e9)}, 3)
    measured.updated([update(0, np.array(layout) * 1e6)])
    expected = np.array([[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]]) * 1e-3
    np.testing.assert_allclose(measured.snapshot().positions, expected, rtol=1e-15)


@pytest.mark.parametrize("source", [sources.TUNE, sources.TUNE_FRACTION])
@pytest.mark.parametrize("whole", [0.0, 1.0])
def test_a_tune_is_compared_with_or_without_its_integer_part(source: Planes, whole: float) -> None:
    found = measured_tunes(source, 3.0 * whole + 0.251, 2.0 * whole + 0.398)
    assert found == pytest.approx([1e-3, -2e-3], abs=1e-12)


def test_a_tune_whose_integer_part_is_another_is_off_by_it() -> None:
    assert measured_tunes(sources.TUNE, 4.25, 2.4) == pytest.approx([1.0, 0.0], abs=1e-12)


def test_a_fraction_is_compared_across_a_whole_number() -> None:
    predicted = replace(PREDICTED, beam=beam(RING.nominal, tune=np.array([3.001, 2.4])))
    measured = MachineReadings(
        {0: ReadingSource(sources.TUNE_FREQUENCY.x, -1, 1.0), 1: ReadingSource(sources.TUNE_FREQUENCY.y, -1, 1.0)}, 1
    )
    measured.updated([update(0, 0.999 * TURNS_HZ), update(1, 0.4 * TURNS_HZ)])
    fresh = np.ones((1, 2), dtype=bool), np.ones(2, dtype=bool)
    found = compare(measured.snapshot(), fresh, predicted, Noise(np.ones(1), 1e-4)).tunes
    assert found.tolist() == pytest.approx([-2e-3, 0.0], abs=1e-12)


def test_a_readback_with_an_offset_is_not_followed_as_a_setpoint() -> None:
    def voltage(**more: float) -> tuple[PvSpec, ...]:
        template = PvTemplate(pv="V", source="readback", device="rf", property="voltage", description="", **more)
        return expand((Placed(template, "", Naming()),), RING, "T:")

    assert voltage()[0].kind is Kind.FLOAT
    assert choose_watched_pvs(voltage(), RING, "T:", "M:").names == ("M:V",)
    assert choose_watched_pvs(voltage(offset=-1.0), RING, "T:", "M:").names == ()
