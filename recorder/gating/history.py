"""The history of a session at the gate: what was written, how far PVs have moved, how predictions came. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gnomon.recorder.gating.cusum import Cusum
from gnomon.recorder.gating.trust_region import TrustRegion
from gnomon.recorder.gating.verdict import Approved, GateCommand
from gnomon.recorder.replay_steps import Step

__all__ = ["History"]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Immutable; `sent` and `measured` return the next one.

    `number` is the approved step that comes next, or is being made in parts, and `reached` the value up to which it
    was made, in the unit of its PV; NaN at its beginning. `expected` has the PVs that our steps have moved, with the
    value that they should have now, `first` the value of each written PV before our first step of it, to which
    cumulated changes are relative, `ranges` the widths of their limits. `sizes` are those of our steps: the smallest of
    each setpoint, the largest of each readback, which has noise. `sent_s` is the monotonic time of the last
    command to each PV. `regions` are the trust regions of device families; a family without one has that of the
    limits file's start.
    """

    written: int = 0
    number: int = 0
    reached: float = math.nan
    expected: Mapping[str, float] = field(default_factory=dict)
    first: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, float] = field(default_factory=dict)
    sent_s: Mapping[str, float] = field(default_factory=dict)
    hits: int = 0
    misses: int = 0
    regions: Mapping[str, TrustRegion] = field(default_factory=dict)
    cusum: Cusum = field(default_factory=Cusum.empty)

    def sent(self, command: GateCommand, approved: Approved, monotonic_s: float) -> "History":
        """Return the history after a command was accepted and written, at a monotonic time."""
        step = command.step
        whole = approved.steps is None or step.target == approved.steps[command.number].target
        return replace(
            self,
            written=self.written + 1,
            number=command.number + 1 if whole else command.number,
            reached=math.nan if whole else step.target,
            expected={**self.expected, **command.moves, step.pv: step.target, step.readback: step.target},
            first={step.pv: step.start, **self.first},
            ranges={**self.ranges, step.pv: step.range, step.readback: step.range},
            sizes=_sizes(self.sizes, step),
            sent_s={**self.sent_s, step.pv: monotonic_s},
        )

    def measured(self, family: str, region: TrustRegion, cusum: Cusum, hit: bool) -> "History":
        """Return the history after the step was measured: the new region of its family, and the new sums."""
        return replace(
            self,
            hits=self.hits + hit,
            misses=self.misses + (not hit),
            regions={**self.regions, family: region},
            cusum=cusum,
        )


def _sizes(sizes: Mapping[str, float], step: Step) -> Mapping[str, float]:
    size = abs(step.target - step.start)
    if not size > 0.0:
        return sizes
    largest = max(size, sizes.get(step.readback, 0.0))
    return {**sizes, step.readback: largest, step.pv: min(size, sizes.get(step.pv, math.inf))}
