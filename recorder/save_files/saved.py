"""What all such files have in common."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Value:
    """One setpoint: the PV's name, and its value in the PV's own unit."""

    pv: str
    value: float


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of itself: the snapshot's name, why it was made, by whom, and when [ns since 1970]."""

    name: str
    comment: str
    user: str
    time_ns: int

    @property
    def local(self) -> datetime:
        """When, in local time, to the microsecond."""
        return datetime.fromtimestamp(self.time_ns // 1000 / 1e6)

    @property
    def line(self) -> str:
        """The comment as one line."""
        return " ".join(self.comment.split())


@dataclass(slots=True)
class Saved:
    """What was read: texts of scalar values by PV, and PVs that the file itself does not offer, with the reason."""

    comment: str = ""
    values: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def spelled(value: float) -> str:
    """A number that reads back to the last bit."""
    return repr(float(value))
