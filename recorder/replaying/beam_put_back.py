"""The check of a roll-back: when settings are back, the beam must be where it was before they were written."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnomon.recorder.bounds import Reading
from gnomon.recorder.recorder_errors import FrozenError, MissedError
from gnomon.recorder.replay_steps import Step
from gnomon.recorder.replaying.beam_meter import Meter
from gnomon.recorder.replaying.replay_state import WrittenPart
from gnomon.recorder.verifying import Clock

__all__ = ["BeamPutBack"]


@dataclass(slots=True)
class _Kept:
    """The beam before a write, and the half width of its band."""

    step: Step
    before: Reading
    half: NDArray[np.float64]


@dataclass
class BeamPutBack:
    """`PutBackCheck` by the beam. `rate` gives a PV's largest rate [unit/s].

    After a step was taken back, each monitor and tune must be within `stop_band` half widths of the step's band of what
    it was before. A wrong polarity or a stuck magnet passes: what did not come does not go, either. Without a beam,
    settings alone are compared, and `remarks` says so. `patience_s` bounds the time for which a PV that answers may not
    follow.
    """

    meter: Meter
    rate: Callable[[str], float]
    stop_band: float
    clock: Clock
    patience_s: float = 60.0
    remarks: list[str] = field(default_factory=list)
    _kept: list[_Kept] = field(default_factory=list)
    _sent_s: dict[str, float] = field(default_factory=dict)

    def remember(self, step: Step, before: Reading, half: NDArray[np.float64]) -> None:
        """Keep the beam before a write, and the half width of its band, in the order of a reading."""
        self._kept.append(_Kept(step, before, half))

    def recall(self, written: Sequence[WrittenPart]) -> None:
        """Take over what an earlier process has written."""
        for part in written:
            if part.reading is not None and part.band is not None:
                half = 0.5 * (np.array(part.band.upper) - np.array(part.band.lower))
                self.remember(part.step, part.reading.reading(), half)

    def wait_for_rate(self, step: Step) -> None:
        """Wait until the rate permits a step."""
        rate = self.rate(step.pv)
        if step.pv in self._sent_s and rate > 0.0:
            due = self._sent_s[step.pv] + abs(step.target - step.start) / rate * (1.0 + 1e-9)
            while (rest := due - self.clock.monotonic()) > 0.0:
                self.clock.sleep(min(rest, 1.0))

    def sent(self, pv: str) -> None:
        """Count a rate from now on."""
        self._sent_s[pv] = self.clock.monotonic()

    def pace(self, step: Step) -> None:
        """See `PutBackCheck`."""
        self.wait_for_rate(step)
        self.sent(step.pv)

    def put_back(self, step: Step) -> None:
        """See `PutBackCheck`."""
        where = [n for n, kept in enumerate(self._kept) if kept.step == step]
        if not where:
            self.remarks.append(f"{step.pv}: put back without a look at the beam: nothing was measured before")
            return
        kept = self._kept[where[-1]]
        try:
            after = self.meter.measure()
        except MissedError as error:
            self.remarks.append(f"{step.pv}: put back without a look at the beam: {error}")
        else:
            beside = _beside(kept.before, after, kept.half)
            if not beside <= self.stop_band:
                raise FrozenError(
                    f"{step.pv} is back at {step.start:.9g} {step.unit}, but the beam is not where it was before: "
                    f"{beside:.2g} half widths of its band away ({self.stop_band:g} are allowed)"
                )
        del self._kept[where[-1]]


def _beside(before: Reading, after: Reading, half: NDArray[np.float64]) -> float:
    """Find the largest difference of two readings in half widths of a band; what either does not show is left out."""
    values = [np.concatenate((each.orbit[:, 0], each.orbit[:, 1], each.tune)) for each in (before, after)]
    difference = np.abs(values[1] - values[0])
    half = half[: difference.size]
    if half.size < difference.size:
        return math.inf
    shown = np.isfinite(difference) & np.isfinite(half) & (half > 0.0)
    return float(np.max(difference[shown] / half[shown], initial=0.0))
