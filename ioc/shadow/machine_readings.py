"""Readings of the machine's monitors: the newest reading of each, and whether it is fresh."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.db import sources
from gnomon.db.sources import Planes
from gnomon.ioc.shadow.link import INVALID, Update
from gnomon.ioc.shadow.watched_pvs import ALL_POSITIONS, TUNES, ReadingSource

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: No time at all: what has never been read.
NEVER = -(2**62)


@dataclass(frozen=True)
class ReadingsSnapshot:
    """Readings at one moment: positions (monitors, 2) [m], tunes (2,) as `tune_source` says [1 or Hz], if any are read.

    `position_ns` and `tune_ns` are the machine's time stamps; what was INVALID or is out of reach has none (NEVER).
    """

    positions: Floats
    position_ns: Times
    tunes: Floats
    tune_ns: Times
    tune_source: Planes | None

    @property
    def newest_ns(self) -> int:
        """Time stamp of the newest reading."""
        return int(max(self.position_ns.max(initial=NEVER), self.tune_ns.max(initial=NEVER)))

    def fresh(self, now_ns: int, stale_ns: int) -> tuple[Flags, Flags]:
        """Masks of the positions and of the tunes that are not older than `stale_ns`, nor as far ahead of our clock."""
        return abs(now_ns - self.position_ns) <= stale_ns, abs(now_ns - self.tune_ns) <= stale_ns


class MachineReadings:
    """Collector of readings; `readings` gives the subject of each channel."""

    def __init__(self, readings: Mapping[int, ReadingSource], monitors: int) -> None:
        self._readings = readings
        self._positions = np.full((monitors, 2), np.nan)
        self._position_ns = np.full((monitors, 2), NEVER, dtype=np.int64)
        self._tunes = np.full(2, np.nan)
        self._tune_ns = np.full(2, NEVER, dtype=np.int64)
        read = {reading.source for reading in readings.values()}
        self._tune_source = next((planes for planes in TUNES if read.intersection(planes)), None)

    def updated(self, updates: Sequence[Update]) -> bool:
        """Take updates of the link; return True if any of them was a reading."""
        any_taken = False
        for update in updates:
            if (reading := self._readings.get(update.channel)) is not None:
                self._take(reading, update)
                any_taken = True
        return any_taken

    def lost(self, channels: Sequence[int]) -> None:
        """Forget the readings of PVs that are out of reach."""
        for channel in channels:
            if (reading := self._readings.get(channel)) is not None:
                self._places(reading)[1][...] = NEVER

    def snapshot(self) -> ReadingsSnapshot:
        """Return a copy of the present readings."""
        return ReadingsSnapshot(
            self._positions.copy(),
            self._position_ns.copy(),
            self._tunes.copy(),
            self._tune_ns.copy(),
            self._tune_source,
        )

    def _take(self, reading: ReadingSource, update: Update) -> None:
        values, times = self._places(reading)
        try:
            found = np.asarray(update.value, dtype=float).reshape(-1) / reading.scale
        except (TypeError, ValueError):  # a text is not a reading
            found = np.zeros(0)
        if update.severity >= INVALID or found.size != values.size:
            times[...] = NEVER
            return
        in_turn = reading.source is sources.MONITOR_POSITIONS_INTERLEAVED
        values[...] = found.reshape(values.shape, order="C" if in_turn else "F")
        times[...] = np.where(np.isfinite(values), update.time_ns, NEVER)

    def _places(self, reading: ReadingSource) -> tuple[Floats, Times]:
        """Return the parts of the arrays of values and times that a PV fills."""
        plane = int(reading.source.name.endswith(".y"))
        if reading.source in ALL_POSITIONS:
            return self._positions, self._position_ns
        if reading.source in sources.MONITOR:
            where = (reading.monitor, slice(plane, plane + 1))
            return self._positions[where], self._position_ns[where]
        where_tune = slice(plane, plane + 1)
        return self._tunes[where_tune], self._tune_ns[where_tune]
