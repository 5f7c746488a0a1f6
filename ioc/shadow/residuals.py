"""Measured minus predicted, and how much of it is more than noise. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.db import sources
from gnomon.db.sources import Source
from gnomon.ioc.outputs.readings import Readings, revolution_frequency
from gnomon.ioc.shadow.machine_readings import ReadingsSnapshot

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Noise:
    """Standard deviations of readings: of each monitor [m], in beam order, and of the tunes [1]."""

    monitors: Floats
    tune: float


@dataclass(frozen=True)
class Residuals:
    """Measured minus predicted: positions (monitors, 2) [m] and tunes (2,) [1], NaN where nothing is fresh."""

    positions: Floats
    tunes: Floats
    noise: Noise
    names: Sequence[str]

    def by_source(self) -> Mapping[Source, Any]:
        """Return what is published, by source; a source that has nothing fresh behind it is not there."""
        result: dict[Source, Any] = {}
        for plane in range(2):
            if np.isfinite(self.tunes[plane]):
                result[sources.RESIDUAL_TUNE[plane]] = self.tunes[plane]
                result[sources.RESIDUAL_TUNE_Z[plane]] = self.tunes[plane] / self.noise.tune
            values = self.positions[:, plane]
            fresh = np.flatnonzero(np.isfinite(values))
            if not fresh.size:
                continue
            z = values / self.noise.monitors
            largest = fresh[np.argmax(abs(values[fresh]))]
            result |= {
                sources.RESIDUAL[plane]: values,
                sources.RESIDUAL_RMS[plane]: float(np.sqrt(np.mean(values[fresh] ** 2))),
                sources.RESIDUAL_LARGEST[plane]: values[largest],
                sources.RESIDUAL_WHERE[plane]: self.names[largest],
                sources.RESIDUAL_Z[plane]: z,
                sources.RESIDUAL_Z_LARGEST[plane]: z[fresh[np.argmax(abs(z[fresh]))]],
            }
        return result


def compare(measured: ReadingsSnapshot, fresh: tuple[Flags, Flags], predicted: Readings, noise: Noise) -> Residuals:
    """Differences of the fresh readings from those that the model predicts."""
    expected = np.column_stack([predicted.x, predicted.y])
    positions = np.where(fresh[0], measured.positions - expected, np.nan)
    tunes = np.where(fresh[1], _tunes(measured, predicted), np.nan)
    return Residuals(positions, tunes, noise, predicted.names)


def _tunes(measured: ReadingsSnapshot, predicted: Readings) -> Floats:
    """Differences of the tunes. Where only the fractional part is measured, the nearest tune with that part counts.

    Facilities differ in which of the two a PV of a tune shows: one of at least 1 has its integer part, whatever our
    PV document says. Of a tune that is a fraction in our document the integer part does not count.
    """
    tune = np.asarray(predicted.beam.tune, dtype=float)
    found = measured.tunes
    if measured.tune_source is sources.TUNE_FREQUENCY:
        found = found / revolution_frequency(predicted.lattice)
    difference: Floats = found - tune
    whole = (measured.tune_source is sources.TUNE) & (found >= 1.0)
    return np.where(whole, difference, difference - np.round(difference))
