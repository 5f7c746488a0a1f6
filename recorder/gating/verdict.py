"""Types of a decision: the command, the machine's state, who may write what, and the verdict with every reason.

The gate is not machine protection and must not be counted as such.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gnomon.lattice import Key
from gnomon.recorder.bounds import Band, Reading
from gnomon.recorder.gating.reasons import Code, Reason
from gnomon.recorder.replay_steps import Start, Step

__all__ = ["Approved", "ApprovedStep", "Authority", "GateCommand", "MachineState", "PvReading", "Verdict"]


@dataclass(frozen=True, slots=True)
class PvReading:
    """A PV as the machine shows it.

    `severity` is the alarm severity (0 none, 1 minor, 2 major, 3 invalid), `stamp_ns` the time stamp of the server
    (nanoseconds since 1970), `read_s` the time when we have read it, by our monotonic clock. `unit` is the unit that
    the server states, `low` and `high` its drive limits; equal ones mean none.
    """

    value: float
    severity: int
    stamp_ns: int
    connected: bool
    read_s: float
    unit: str = ""
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class MachineState:
    """The machine now: PVs by full name, all settings in units of the machine document, and what the beam shows.

    `now_ns` is the wall clock (nanoseconds since 1970), `monotonic_s` the monotonic clock, both read last.
    """

    pvs: Mapping[str, PvReading]
    settings: Mapping[Key, float]
    reading: Reading
    now_ns: int
    monotonic_s: float


@dataclass(frozen=True, slots=True, eq=False)
class GateCommand:
    """One write: a step of a PV, and what it does to settings, as (old, new) in units of the machine document.

    The first of `changes` is the setting of the step's own PV; `scale` is how many of the PV's unit make one of the
    document's. `family` is the device family that the calibration's bins know. `number` counts the approved steps
    from 0; a large step may be made in parts, which all have its number. `moves` are other PVs of the start state that
    have another value after it, such as those of a strength that a trim is a part of. `presets` is True for a PV that
    sets several settings to stored values; its own value is then not a setting.
    """

    step: Step
    changes: Mapping[Key, tuple[float, float]]
    family: str
    number: int = 0
    scale: float = 1.0
    moves: Mapping[str, float] = field(default_factory=dict)
    presets: bool = False

    @property
    def key(self) -> Key:
        """The setting of the step's own PV."""
        return next(iter(self.changes))


@dataclass(frozen=True, slots=True)
class ApprovedStep:
    """A step as the reviewer has approved it: PV with prefix, unit, old and new value in that unit."""

    pv: str
    unit: str
    start: float
    target: float


@dataclass(frozen=True, slots=True, eq=False)
class Approved:
    """The content that was approved: an excerpt of the recording, made from its verified content.

    `steps` is None for an approval of free commands, such as those of a measurement: then only limits and bounds
    decide, and `pvs` has the PVs that may be written. `starts` are the PVs that must have their value; a range is the
    width of a PV's limits. `reference` is the orbit to which limits are relative, and the tunes at the start.
    `calibration_id` is empty if the recording was reviewed without one.
    """

    id: str
    machine: str
    document_digest: str
    optics_digest: str
    steps: tuple[ApprovedStep, ...] | None
    starts: tuple[Start, ...]
    reference: Reading
    calibration_id: str = ""
    pvs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """The right to write: who has it, for what, and until when. Without a token nothing may be written: a dry run.

    `granted_ns` and `granted_s` are the wall clock and the monotonic clock when the token was taken, `expires_ns` the
    end of its half hour, `limits_digest` that of the limits file that the reviewer and the token name. `TokenDesk`
    makes it from a token.
    """

    approved: Approved
    token_id: str = ""
    author: str = ""
    reviewer: str = ""
    granted_ns: int = 0
    granted_s: float = 0.0
    expires_ns: int = 0
    limits_digest: str = ""

    @property
    def armed(self) -> bool:
        """True if a token was taken."""
        return bool(self.token_id)


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The result of the checks: accepted if there is no reason against the command; all reasons are kept.

    `bands` has one band for each state on the way: before the step, along the ramp, after it. `margin` is the smallest
    distance to a limit, in units of that limit: 1 far away, 0 at the limit, negative beyond it, NaN if no bound was
    computed. `not_checked` lists what the limits file leaves unchecked.
    """

    reasons: tuple[Reason, ...]
    bands: tuple[Band, ...] = ()
    margin: float = math.nan
    not_checked: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """True if there are no reasons against the command."""
        return not self.reasons

    @property
    def accepted_if_armed(self) -> bool:
        """True if the missing token is the only reason against the command: for dry runs."""
        return all(reason.code is Code.NOT_ARMED for reason in self.reasons)

    @property
    def band(self) -> Band | None:
        """The band after the step, with which the measurement is compared."""
        return self.bands[-1] if self.bands else None

    def __str__(self) -> str:
        return "accepted" if self.accepted else "; ".join(reason.text for reason in self.reasons)
