"""Instruments of an imperfect machine: monitors with errors and noise, and a tune meter."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection.dynamics import MonitorNoise
from gnomon.lattice import MonitorErrors

Floats = NDArray[np.float64]

#: Standard normal numbers (n,) for the reading with a number, in the lane of an instrument.
Normals = Callable[[str, int, int], Floats]


@dataclass(frozen=True, slots=True)
class TuneMeter:
    """A tune measurement: it is made every `period_s`, with a standard deviation of `noise`, in steps of `resolution`.

    Below `min_current_ma` it sees no beam.
    """

    period_s: float = 0.0
    noise: float = 0.0
    resolution: float = 0.0
    min_current_ma: float = 0.0


class Instruments:
    """Instruments of one machine, as `Readings` asks them. The noise of a measurement depends on its number alone.

    `dead` (n,) are monitors that read 0 and are known to be dead; `current_ma` tells the stored current, `clock_s` the
    time.
    """

    def __init__(
        self,
        errors: MonitorErrors,
        noise: MonitorNoise,
        dead: NDArray[np.bool_],
        tune_meter: TuneMeter,
        normals: Normals,
        *,
        current_ma: Callable[[], float],
        clock_s: Callable[[], float],
    ) -> None:
        self.dead = dead
        self._errors = errors
        self._noise = noise
        self._tune_meter = tune_meter
        self._normals = normals
        self._current_ma = current_ma
        self._clock_s = clock_s
        self._tune: Floats = np.full(2, np.nan)
        self._tune_number = 0
        self._tune_s = -np.inf

    def positions(self, x: Floats, y: Floats, count: int) -> tuple[Floats, Floats]:
        """Measure positions (n,) [m] once more: the readings with this number."""
        x, y = self._errors.readings(x, y)
        noise = self._noise.at(self._clock_s(), self._normals("monitors", count, 2 * len(x)).reshape(-1, 2))
        return np.where(self.dead, 0.0, x + noise[:, 0]), np.where(self.dead, 0.0, y + noise[:, 1])

    def tunes(self, tunes: Floats) -> Floats:
        """Measure the tunes (2,), or show the last measurement until the next one is due; NaN with too little beam."""
        meter, now_s = self._tune_meter, self._clock_s()
        if self._current_ma() < meter.min_current_ma:
            self._tune_s = -np.inf
            return np.full(2, np.nan)
        if not 0.0 <= now_s - self._tune_s < meter.period_s:
            self._tune_number += 1
            measured = tunes + meter.noise * self._normals("tunes", self._tune_number, 2)
            steps = meter.resolution or 1.0
            self._tune = np.rint(measured / steps) * steps if meter.resolution else measured
            self._tune_s = now_s
        return self._tune
