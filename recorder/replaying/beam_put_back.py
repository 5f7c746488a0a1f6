"""The check of a roll-back: when settings are back, the beam must be where it was before they were written."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnomon.recorder.bounds import Reading, rows_of
from gnomon.recorder.recorder_errors import FrozenError, MissedError
from gnomon.recorder.replay_steps import Step
from gnomon.recorder.replaying.beam_meter import Meter
from gnomon.recorder.replaying.replay_state import WrittenPart
from gnomon.recorder.verifying import Clock

__all__ = ["BeamPutBack"]

#: Part of all readings that may be doubted: with more, it is the beam that has missed.
SUSPECT = 0.05


@dataclass(slots=True)
class _Kept:
    """The beam before a write, and the half width of its band; `back` once the write was taken back."""

    step: Step
    before: Reading
    half: NDArray[np.float64]
    back: bool = False


@dataclass
class BeamPutBack:
    """`PutBackCheck` by the beam. `rate` gives a PV's largest rate [unit/s].

    After a step was taken back, each monitor and tune must be within `stop_band` half widths of the step's band of what
    it was before. A wrong polarity or a stuck magnet passes: what did not come does not go, either. While steps are
    back that were made before others that are not, nothing is compared. A few monitors that alone have missed when the
    replay stopped are not believed (`suspect`). Without a beam, settings alone are compared; `remarks` says so.
    `settle_s` is the time that the beam takes after the readback of a PV has arrived, as on the way there.
    `patience_s` bounds the time for which a PV that answers may not follow.
    """

    meter: Meter
    rate: Callable[[str], float]
    stop_band: float
    clock: Clock
    settle_s: Callable[[str], float]
    patience_s: float = 60.0
    remarks: list[str] = field(default_factory=list)
    _kept: list[_Kept] = field(default_factory=list)
    _suspect: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    _sent_s: dict[str, float] = field(default_factory=dict)

    def remember(self, step: Step, before: Reading, half: NDArray[np.float64]) -> None:
        """Keep the beam before a write, and the half width of its band, which begins in the order of a reading."""
        self._kept.append(_Kept(step, before, half[: before.orbit.size + before.tune.size]))

    def recall(self, written: Sequence[WrittenPart]) -> None:
        """Take over what an earlier process has written."""
        for part in written:
            if part.reading is not None and part.band is not None:
                half = 0.5 * (np.array(part.band.upper) - np.array(part.band.lower))
                self.remember(part.step, part.reading.reading(), half)

    def doubt(self, missed: NDArray[np.bool_]) -> None:
        """Leave out what has missed its band, in the order of a reading, if it is a small part of all."""
        if 0 < missed.sum() <= SUSPECT * missed.size:
            self._suspect = missed
            self.remarks.append(f"{missed.sum()} readings that alone have missed were not compared on the way back")

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

    def put_back(self, steps: Sequence[Step]) -> None:
        """See `PutBackCheck`."""
        mine = [kept for step in steps if (kept := self._latest(step)) is not None]
        if not any(kept.step == step for kept in self._kept for step in steps):
            self.remarks.append(f"{steps[-1].pv}: put back without a look at the beam: nothing was measured before")
            return
        for kept in mine:
            kept.back = True
        try:
            self._compare(steps[-1])
        except FrozenError:
            raise
        except MissedError as error:
            self.remarks.append(f"{steps[-1].pv}: put back without a look at the beam: {error}")
        except BaseException:
            for kept in mine:
                kept.back = False  # it is tried again
            raise

    def _latest(self, step: Step) -> _Kept | None:
        return next((kept for kept in reversed(self._kept) if kept.step == step and not kept.back), None)

    def _compare(self, step: Step) -> None:
        first = next(number for number, kept in enumerate(self._kept) if kept.back)
        if not all(kept.back for kept in self._kept[first:]):
            return
        after = self.meter.measure(max(self.settle_s(kept.step.pv) for kept in self._kept[first:]))
        half = np.maximum.reduce([kept.half for kept in self._kept[first:]])
        beside = _beside(self._kept[first].before, after, np.where(self._doubted(half.size), np.inf, half))
        if not beside <= self.stop_band:
            raise FrozenError(
                f"{step.pv} is back at {step.start:.9g} {step.unit}, but the beam is not where it was before: "
                f"{beside:.2g} half widths of its band away ({self.stop_band:g} are allowed)"
            )

    def _doubted(self, size: int) -> NDArray[np.bool_]:
        return self._suspect if self._suspect.size == size else np.zeros(size, dtype=bool)


def _beside(before: Reading, after: Reading, half: NDArray[np.float64]) -> float:
    """Find the largest difference of two readings in half widths of a band; what either does not show is left out."""
    difference = np.abs(rows_of(after) - rows_of(before))
    half = half[: difference.size]
    if half.size < difference.size:
        return math.inf
    shown = np.isfinite(difference) & np.isfinite(half) & (half > 0.0)
    return float(np.max(difference[shown] / half[shown], initial=0.0))
