"""One step of a gated replay as it is shown and reported: prediction, band, limits' margin, measurement."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.recorder.bounds import Band, Kind, Reading, values_of
from gnomon.recorder.gating import Code
from gnomon.recorder.replaying.gated_steps import StepView

__all__ = ["Plane", "StepRecord", "record_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """The orbit in one plane at all monitors [mm], or the tunes: before, expected, bounds, and after; NaN if dead."""

    name: str
    unit: str
    before: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    after: Floats | None = None

    @property
    def change(self) -> float:
        """The largest expected change."""
        return _largest(self.expected - self.before)

    @property
    def half_width(self) -> float:
        """The largest half width of the band."""
        return _largest(0.5 * (self.upper - self.lower))

    @property
    def miss(self) -> float:
        """The largest difference between the measured and the expected value; NaN before it is measured."""
        return math.nan if self.after is None else _largest(self.after - self.expected)


@dataclass(frozen=True, slots=True, eq=False)
class StepRecord:
    """A step, and what became of it. `share` is the deviation in half widths of the band, NaN before measuring."""

    number: int
    steps: int
    sequence: int
    pv: str
    unit: str
    start: float
    target: float
    margin: float
    tier: int
    coverage: float
    planes: tuple[Plane, ...]
    reasons: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()
    measured: bool = False
    share: float = math.nan
    current_ma: float = math.nan
    lifetime_h: float = math.nan
    time_ns: int = 0

    @property
    def verdict(self) -> str:
        """The verdict in one word."""
        if self.reasons:
            return "stopped" if self.measured else "refused"
        return "as predicted" if self.measured else "accepted"


def record_of(view: StepView, leave_out: Collection[Code] = ()) -> StepRecord:
    """Make the record of a step; a dry run leaves out reasons, such as the missing token."""
    step, band = view.command.step, view.verdict.band
    decided = tuple(reason for reason in view.verdict.reasons if reason.code not in leave_out)
    reasons = decided if view.outcome is None else view.outcome.reasons
    shown = view.before if view.after is None else view.after
    return StepRecord(
        number=view.number,
        steps=view.steps,
        sequence=step.sequence,
        pv=step.pv,
        unit=step.unit,
        start=step.start,
        target=step.target,
        margin=view.verdict.margin,
        tier=0 if band is None else band.tier,
        coverage=math.nan if band is None else band.coverage,
        planes=() if band is None else _planes(band, view.before, view.after),
        reasons=tuple(reason.text for reason in reasons),
        not_checked=view.verdict.not_checked,
        measured=view.after is not None,
        share=math.nan if view.outcome is None else view.outcome.share,
        current_ma=shown.current_ma,
        lifetime_h=shown.lifetime_h,
        time_ns=shown.time_ns,
    )


def _planes(band: Band, before: Reading, after: Reading | None) -> tuple[Plane, ...]:
    first = values_of(band, before)
    last = None if after is None else values_of(band, after)
    planes = []
    for name, kind, unit in (("x", Kind.ORBIT_X, "mm"), ("y", Kind.ORBIT_Y, "mm"), ("tune", Kind.TUNE, "")):
        where = band.indices(kind)
        planes.append(
            Plane(
                name,
                unit,
                first[where],
                band.expected[where],
                band.lower[where],
                band.upper[where],
                None if last is None else last[where],
            )
        )
    return tuple(planes)


def _largest(values: Floats) -> float:
    known = np.abs(values[~np.isnan(values)])
    return float(np.max(known, initial=0.0))
