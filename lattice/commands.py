"""The words that every folder shares: a command, the changes that it asks for, and what became of it."""

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Client:
    """User who asked, as claimed over the network: neither protocol proves it.

    `connection` tells the connections of one user and host apart while they last; it is not recorded.
    """

    user: str
    host: str
    protocol: str  # "ca", "pva" or "internal"
    connection: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One device property to be set to one value, in engineering units, through the PV that was written."""

    pv: str
    device: str
    property: str
    value: float


@dataclass(frozen=True, slots=True)
class Command:
    """One requested setpoint change: all of its settings become true together, or none does."""

    sequence: int
    settings: tuple[Setting, ...]
    client: Client
    wall_ns: int
    monotonic_ns: int
    note: str = ""  # "undo 12", "restore --to 40", "" for a plain put


class Outcome(StrEnum):
    """Outcome of a command."""

    APPLIED = "applied"
    DELAYED = "delayed"
    MODIFIED = "modified"
    ABANDONED = "abandoned"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Change:
    """One property before and after a command.

    `old`, `new` are in engineering units of `property`; `done` is the value that it really has after the outcome
    (a fault may have modified it; None while nothing has been applied). `physics_old`, `physics_new` map each element
    parameter that it drives ("Q1M1D1R.k1") to its strength. `setting` names the stored setting behind the property,
    with its value before (`setting_old`) and after (`setting_done`).
    """

    pv: str
    device: str
    property: str
    unit: str
    old: float
    new: float
    done: float | None
    setting: str
    setting_old: float
    setting_done: float | None
    physics_old: dict[str, float] = field(default_factory=dict)
    physics_new: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """Journal's record of a command when it is accepted: the asked changes and the lattice around it."""

    command: Command
    changes: tuple[Change, ...]
    lattice_before: str


@dataclass(frozen=True, slots=True)
class Settled:
    """Journal's record of what became of a command; the last one of a sequence number counts."""

    sequence: int
    outcome: Outcome
    lattice_after: str
    wall_ns: int
    changes: tuple[Change, ...] = ()  # with `done` filled in
    reason: str = ""
