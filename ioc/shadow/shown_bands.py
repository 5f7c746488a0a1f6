"""Bands as the PVs of confidence bounds show them, and the settings and readings that they are made from. Pure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.db import sources
from gnomon.db.sources import Source
from gnomon.ioc.outputs.readings import revolution_frequency
from gnomon.ioc.shadow.machine_readings import ReadingsSnapshot
from gnomon.lattice import Key, Lattice
from gnomon.recorder.bounds import Band, Reading

Flags = NDArray[np.bool_]

#: All that has a value only where there is a band that can be relied on.
BAND = (
    *sources.BOUND_LOWER,
    *sources.BOUND_UPPER,
    *sources.BOUND_TUNE_LOWER,
    *sources.BOUND_TUNE_UPPER,
    sources.BOUND_OUTSIDE,
)
#: The readings that were compared with it.
MEASURED = (*sources.BOUND_MEASURED, *sources.BOUND_TUNE_MEASURED)


def settings_of(lattice: Lattice) -> dict[Key, float]:
    """All settings of a lattice, in the units of the machine document."""
    return {
        key: lattice[key]
        for key, spec in lattice.ring.properties.items()
        if spec.slot is not None and spec.setting == spec.property
    }


def changes_between(before: Mapping[Key, float], after: Mapping[Key, float]) -> dict[Key, float]:
    """The settings that differ, as they are after."""
    return {key: value for key, value in after.items() if value != before[key]}


def reading_of(measured: ReadingsSnapshot, fresh: tuple[Flags, Flags], lattice: Lattice) -> Reading:
    """Readings as bounds have them: positions in mm and fractional tunes, NaN for what is not fresh."""
    tunes = measured.tunes
    if measured.tune_source is sources.TUNE_FREQUENCY:
        tunes = tunes / revolution_frequency(lattice)
    return Reading(
        np.where(fresh[0], 1e3 * measured.positions, np.nan),
        np.where(fresh[1], np.mod(tunes, 1.0), np.nan),
        measured.newest_ns,
    )


def measured_values(reading: Reading) -> dict[Source, Any]:
    """Values to show of a reading, by source; those that it does not have are not there."""
    values: dict[Source, Any] = {}
    for plane in range(2):
        if np.isfinite(reading.orbit[:, plane]).any():
            values[sources.BOUND_MEASURED[plane]] = 1e-3 * reading.orbit[:, plane]
        if np.isfinite(reading.tune[plane]):
            values[sources.BOUND_TUNE_MEASURED[plane]] = float(reading.tune[plane])
    return values


def band_values(band: Band, monitors: int) -> dict[Source, Any]:
    """Values to show of a band, by source; bounds that are infinite are NaN, or not there where all of a plane are."""
    values: dict[Source, Any] = {}
    if not band.trusted:
        return values
    for ends, tune_ends, bounds in (
        (sources.BOUND_LOWER, sources.BOUND_TUNE_LOWER, band.lower),
        (sources.BOUND_UPPER, sources.BOUND_TUNE_UPPER, band.upper),
    ):
        finite = np.where(np.isfinite(bounds), bounds, np.nan)
        for plane in range(2):
            orbit, tune = finite[plane * monitors : (plane + 1) * monitors], finite[2 * monitors + plane]
            if np.isfinite(orbit).any():
                values[ends[plane]] = 1e-3 * orbit
            if np.isfinite(tune):
                values[tune_ends[plane]] = float(tune)
    return values


def outside(band: Band, reading: Reading) -> int:
    """Number of the readings that leave their bounds; one that is not shown any more counts."""
    return int(np.count_nonzero(~band.inside(reading)))
