"""The situation in which a decision is made: all that the checks look at, and words that they share."""

import math
from dataclasses import dataclass, field

from gnomon.recorder.bounds import Predicts
from gnomon.recorder.gating.history import History
from gnomon.recorder.gating.limits import Limits
from gnomon.recorder.gating.limits_document import SettingLimits
from gnomon.recorder.gating.verdict import Approved, Authority, GateCommand, MachineState

__all__ = ["SHARE", "Situation", "is_number", "needed", "shown", "tolerance_of"]

#: A difference larger than this part of a step never counts as equal: a step that was not made must not look made.
SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """A command, the machine's state, and everything that decides about it."""

    command: GateCommand
    state: MachineState
    predictor: Predicts | None
    limits: Limits
    history: History
    authority: Authority
    row: SettingLimits | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "row", self.limits.row(self.command.step.pv))

    @property
    def size(self) -> float:
        """Size of the step, in the unit of the PV."""
        return abs(self.command.step.target - self.command.step.start)

    @property
    def tolerance(self) -> float:
        """The difference by which setpoint and readback of the step may miss its start."""
        share = self.limits.document.baseline.share
        return tolerance_of(share, self.command.step.range, self.size)


def needed(command: GateCommand, approved: Approved, history: History) -> dict[str, None]:
    """List the setpoints and readbacks that a decision about a command needs; other PVs of a state are readings."""
    step = command.step
    return dict.fromkeys((step.pv, step.readback, *(start.pv for start in approved.starts), *history.ranges))


def tolerance_of(share: float, width: float, size: float) -> float:
    """Calculate the difference that counts as equal for a range of `width` and a step of `size`, which may be 0."""
    return min(share * width, SHARE * size) if size > 0.0 else share * width


def is_number(value: object) -> bool:
    """True for a finite number that is not a truth value."""
    return isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value)


def shown(value: float, unit: str) -> str:
    """Write a value with its unit."""
    return f"{value:.9g} {unit}".rstrip()
