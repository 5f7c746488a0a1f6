"""The machine as replay sees it: PVs that are read and written, and fail in distinguishable ways."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

#: Alarm severity INVALID of EPICS: the value is meaningless.
INVALID = 3


@dataclass(frozen=True, slots=True)
class PvState:
    """A PV's value with its alarm severity (0 none, 1 minor, 2 major, 3 invalid), and its time stamp.

    `stamp_ns` is the time that the machine gave it, nanoseconds since 1970; 0 if it gave none.
    """

    value: float
    severity: int
    stamp_ns: int = field(default=0, compare=False)


class MachineClient(Protocol):
    """PVs of a machine. Every call ends within its timeout; none is made from two threads at once."""

    def connect(self, pvs: Iterable[str], timeout_s: float) -> tuple[str, ...]:
        """Connect to the PVs that will be used; return those that did not answer."""
        ...

    def get(self, pv: str, timeout_s: float) -> PvState:
        """Read a PV from the machine, not from memory. Raises MachineError."""
        ...

    def get_all(self, pvs: Iterable[str], timeout_s: float) -> Mapping[str, PvState]:
        """Read many PVs from the machine at once. Raises MachineError for the first that cannot be read."""
        ...

    def put(self, pv: str, value: float, timeout_s: float) -> None:
        """Write a PV and wait until the machine has completed it. Raises MachineError; it may then have acted."""
        ...

    def limits(self, pv: str, timeout_s: float) -> tuple[float, float]:
        """Read the drive limits (low, high) from the machine; equal ones mean none. Raises MachineError."""
        ...

    def unit(self, pv: str, timeout_s: float) -> str:
        """Read the unit that the machine states for a PV; empty if none. Raises MachineError."""
        ...
