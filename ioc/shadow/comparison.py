"""Comparison of the machine's readings with the model's: not while either is still on its way.

A reading is compared `settle_s` after it came, so that setpoints which belong to it have come as well. It counts if its
time stamp is later than the machine's last change by `settle_s`, and the model's outputs contain that change.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gnomon.db import sources
from gnomon.db.sources import Source
from gnomon.ioc.base.config import ShadowConfig
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.ioc.shadow.bound_watch import BoundWatch
from gnomon.ioc.shadow.follower import Follower
from gnomon.ioc.shadow.link import Update
from gnomon.ioc.shadow.machine_readings import NEVER, MachineReadings, ReadingsSnapshot
from gnomon.ioc.shadow.residuals import Noise, compare
from gnomon.ioc.shadow.shown_bands import reading_of
from gnomon.lattice import Lattice

#: All that is published here; what has nothing fresh behind it is INVALID.
RESIDUALS = (
    *sources.RESIDUAL,
    *sources.RESIDUAL_RMS,
    *sources.RESIDUAL_LARGEST,
    *sources.RESIDUAL_WHERE,
    *sources.RESIDUAL_Z,
    *sources.RESIDUAL_Z_LARGEST,
    *sources.RESIDUAL_TUNE,
    *sources.RESIDUAL_TUNE_Z,
)


class Comparison:
    """Publisher of the residuals. `reason` says why there are none.

    `bounds`, if there are any, get the readings that belong to the machine's settings, and these.
    """

    def __init__(
        self,
        settings: ShadowConfig,
        measured: MachineReadings,
        noise: Noise,
        state: ModelState,
        outputs: Outputs,
        wall_ns: Callable[[], int] = time.time_ns,
        bounds: BoundWatch | None = None,
        lattice: Callable[[], Lattice] | None = None,
    ) -> None:
        self._bounds = bounds
        self._lattice = lattice
        self._stale_ns = round(settings.stale_s * 1e9)
        self._settle_s = settings.settle_s
        self._measured = measured
        self._noise = noise
        self._state = state
        self._outputs = outputs
        self._wall_ns = wall_ns
        self._candidate: ReadingsSnapshot | None = None
        self._more = False
        self._timer: asyncio.TimerHandle | None = None
        self._follower: Follower | None = None
        self._shown_ns = NEVER
        self._fresh: list[bool] = []
        self.reason = "no reading has come so far"

    def close(self) -> None:
        """Stop comparing; the residuals become INVALID."""
        if self._timer is not None:
            self._timer.cancel()
        self._none("")
        if self._bounds is not None:
            self._bounds.close()
        self._outputs.invalidate((sources.RESIDUAL_FRESH, sources.MACHINE_AGE))

    def updated(self, updates: Sequence[Update]) -> None:
        """Take what the link heard; what is not a reading is passed over."""
        if self._measured.updated(updates):
            self._more = True
            self._begin()

    def lost(self, channels: Sequence[int]) -> None:
        """Forget the readings of PVs that are out of reach, and do not make a comparison that needs them."""
        self._measured.lost(channels)
        if self._candidate is not None:
            self._candidate = self._measured.snapshot()

    def look(self, follower: Follower) -> None:
        """Publish what is fresh, and end what has become old."""
        self._follower = follower
        if self._bounds is not None and self._lattice is not None:
            self._bounds.look(self._lattice() if follower.caught_up else None)
        now_ns = self._wall_ns()
        present = self._measured.snapshot()
        fresh, fresh_tunes = present.fresh(now_ns, self._stale_ns)
        both: list[bool] = np.logical_and(fresh[:, 0], fresh[:, 1]).tolist()
        values: dict[Source, Any] = {}
        if both != self._fresh:
            self._fresh = both
            values[sources.RESIDUAL_FRESH] = np.array(both, dtype=float)
        if present.newest_ns == NEVER:
            self._outputs.invalidate((sources.MACHINE_AGE,))
        else:
            values[sources.MACHINE_AGE] = (now_ns - present.newest_ns) * 1e-9
        self._outputs.show_many(values)
        if not fresh.any() and not fresh_tunes.any():
            self._none("no reading of the machine is fresh")
        elif now_ns - self._shown_ns > self._stale_ns:
            self._none(self.reason or "no reading since the machine's last change")

    def _begin(self) -> None:
        if self._candidate is None:
            self._candidate, self._more = self._measured.snapshot(), False
            self._timer = asyncio.get_running_loop().call_later(self._settle_s, self._compare)

    def _compare(self) -> None:
        candidate, self._candidate = self._candidate, None
        if candidate is not None:
            self._publish(candidate)
        if self._more:
            self._begin()

    def _publish(self, candidate: ReadingsSnapshot) -> None:
        follower, predicted = self._follower, self._state.readings
        if follower is None or not follower.caught_up:
            return
        fresh = candidate.fresh(self._wall_ns(), self._stale_ns)
        since_ns = follower.changed_ns + round(self._settle_s * 1e9)
        times = (*candidate.position_ns[fresh[0]], *candidate.tune_ns[fresh[1]])
        belongs = bool(times) and follower.settled and min(times) >= since_ns
        if belongs and self._bounds is not None and self._lattice is not None:
            lattice = self._lattice()
            self._bounds.read(lattice, reading_of(candidate, fresh, lattice))
        if predicted is None:
            self._none("the model has no beam")
        elif not times:
            self._none("no reading of the machine is fresh")
        elif belongs:
            values = compare(candidate, fresh, predicted, self._noise).by_source()
            self._outputs.show_many(values, time_ns=candidate.newest_ns)
            self._outputs.invalidate([source for source in RESIDUALS if source not in values])
            self._shown_ns, self.reason = self._wall_ns(), ""

    def _none(self, reason: str) -> None:
        self.reason = reason
        self._shown_ns = NEVER
        self._outputs.invalidate(RESIDUALS)
