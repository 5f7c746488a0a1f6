"""A predictor whose bounds can be computed by head."""

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from gnomon.lattice import Key
from gnomon.recorder.bounds import Band, Kind, Observable, Reading

OBSERVABLES = (
    Observable("orbit_x:BPM1", Kind.ORBIT_X, "mm", "BPM1"),
    Observable("orbit_y:BPM1", Kind.ORBIT_Y, "mm", "BPM1"),
    Observable("tune_x", Kind.TUNE, ""),
    Observable("tune_y", Kind.TUNE, ""),
)


class MillimetrePerAmpere:
    """`PredictsNext` for the small ring: x moves by 1 mm per A of CP, as the made-up beam does; widths are fixed.

    A change of other settings has no band that can be relied on.
    """

    calibration_id = "0123456789"

    def __init__(self, *_: Any) -> None:
        self.threads: set[str] = set()
        self.asked: list[dict[Key, float]] = []

    def band(
        self,
        settings: Mapping[Key, float],
        changes: Mapping[Key, float],
        reading: Reading,
        *,
        coverage: float,
        now_ns: int,
    ) -> Band:
        self.asked.append(dict(changes))
        key = ("CP", "current")
        moved = changes.get(key, settings[key]) - settings[key]
        distrust = () if set(changes) == {key} else ("no held-out commands of the kind k1",)
        return self._band(reading, moved, 0.1, coverage, distrust)

    def quiet_band(self, reading: Reading, *, coverage: float, now_ns: int) -> Band:
        return self._band(reading, 0.0, 0.01, coverage)

    def _band(
        self, reading: Reading, moved_mm: float, width: float, coverage: float, distrust: tuple[str, ...] = ()
    ) -> Band:
        self.threads.add(threading.current_thread().name)
        shown = np.concatenate((reading.orbit[:, 0], reading.orbit[:, 1], reading.tune))
        expected = shown + np.array([moved_mm, 0.0, 0.0, 0.0])
        return Band(
            OBSERVABLES, expected, expected - width, expected + width, np.full(4, width), np.isfinite(shown), coverage,
            1, self.calibration_id, distrust,
        )  # fmt: skip
