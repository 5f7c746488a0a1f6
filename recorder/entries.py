"""The entries of a journal as they are read back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gnomon.lattice import Client, Outcome

#: (device, stored setting), such as ("Q1M1D1R", "k1_trim").
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """One start of a server, at `wall_ns`. `baseline` holds the settings that were not nominal then."""

    run: int
    boot_id: str
    machine: str
    digest: str
    prefix: str
    wall_ns: int
    lattice_id: str
    baseline: Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class StoredChange:
    """A `Change` as stored in the journal; a client's value that is not a number is None."""

    pv: str
    device: str
    property: str
    unit: str
    old: float | None
    new: float | None
    done: float | None
    setting: str
    setting_old: float | None
    setting_done: float | None
    physics_old: dict[str, float] = field(default_factory=dict)
    physics_new: dict[str, float] = field(default_factory=dict)


def key_of(change: StoredChange) -> Key:
    """Return the key of the stored setting behind a change."""
    return (change.device, change.setting)


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """An outcome of a command. `order` counts the outcomes of all commands; `effects` are the changed values."""

    order: int
    outcome: Outcome
    wall_ns: int
    lattice_after: str
    reason: str
    effects: tuple[StoredChange, ...]


class Effect(NamedTuple):
    """One setting that changed; a light view of `StoredOutcome.effects` for whole journals."""

    sequence: int
    run: int
    key: Key
    unit: str
    old: float | None
    done: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A command with its requested changes and all of its outcomes, in order."""

    sequence: int
    run: int
    wall_ns: int
    monotonic_ns: int
    client: Client
    note: str
    lattice_before: str
    changes: tuple[StoredChange, ...]
    outcomes: tuple[StoredOutcome, ...]

    @property
    def outcome(self) -> Outcome | None:
        """The last outcome; None if the server ended before, or still works on the command."""
        return self.outcomes[-1].outcome if self.outcomes else None

    @property
    def reason(self) -> str:
        """The reason of the last outcome, or empty."""
        return self.outcomes[-1].reason if self.outcomes else ""

    @property
    def applied(self) -> StoredOutcome | None:
        """The last outcome that changed a setting; None if the command was refused or lost, or is still waiting."""
        for outcome in reversed(self.outcomes):
            if outcome.outcome in (Outcome.ABANDONED, Outcome.REJECTED):
                return None
            if any(effect.setting_done is not None for effect in outcome.effects):
                return outcome
        return None
