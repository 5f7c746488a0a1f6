"""The state of a replay on disk: what was written, and what to put back, before each write and after each phase.

A replay that ends in any way, `kill -9` included, leaves a file from which another process goes on or puts back. The
state is a fold over the events of the replay (`after`), which are those of its audit.
"""

import fcntl
import hashlib
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gnomon.recorder.bounds import Reading
from gnomon.recorder.gating.cusum import Cusum
from gnomon.recorder.recorder_errors import ReplayError
from gnomon.recorder.replay_steps import Step

#: Largest file that is read [bytes].
MAX_BYTES = 200_000_000


class Phase(StrEnum):
    """The phase of one write: about to be sent, sent, seen in the readback, measured with the beam, put back."""

    INTENDED = "intended"
    SENT = "sent"
    VERIFIED = "verified"
    MEASURED = "measured"
    RESTORING = "restoring"
    RESTORED = "restored"
    LEFT = "left"


class Status(StrEnum):
    """The status of a replay: those that are `open` need to be resumed or rolled back."""

    RUNNING = "running"
    ROLLING_BACK = "rolling_back"
    FROZEN = "frozen"
    LEFT = "left"
    DONE = "done"
    STOPPED = "stopped"  # before anything was written
    ROLLED_BACK = "rolled_back"

    @property
    def open(self) -> bool:
        """True if values may have to be put back."""
        return self in (Status.RUNNING, Status.ROLLING_BACK, Status.FROZEN)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")


class StoredReading(_Part):
    """A reading of the beam; see `Reading`."""

    orbit: tuple[tuple[float, float], ...]
    tune: tuple[float, ...]
    time_ns: int
    current_ma: float
    lifetime_h: float

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """Keep a reading."""
        return cls(
            orbit=tuple((float(x), float(y)) for x, y in reading.orbit),
            tune=tuple(float(each) for each in reading.tune),
            time_ns=reading.time_ns,
            current_ma=reading.current_ma,
            lifetime_h=reading.lifetime_h,
        )

    def reading(self) -> Reading:
        """Return it as it was measured."""
        orbit = np.array(self.orbit, dtype=float).reshape(-1, 2)
        return Reading(orbit, np.array(self.tune, dtype=float), self.time_ns, self.current_ma, self.lifetime_h)


class StoredBand(_Part):
    """The part of a band with which a measurement is compared: x at all monitors, y at all, both tunes."""

    expected: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    measured: tuple[bool, ...]
    coverage: float


class StoredSums(_Part):
    """The cumulative sums of small misses, on both sides; see `Cusum`."""

    high: tuple[float, ...] = ()
    low: tuple[float, ...] = ()

    @classmethod
    def of(cls, cusum: Cusum) -> Self:
        """Keep sums."""
        return cls(high=tuple(map(float, cusum.high)), low=tuple(map(float, cusum.low)))

    def cusum(self) -> Cusum:
        """Return them as they were."""
        return Cusum(np.array(self.high, dtype=float), np.array(self.low, dtype=float))


class WrittenPart(_Part):
    """One write. `step` is the part of the plan's step `number` that it makes; `before` is the value to put back."""

    number: int = Field(ge=0)
    step: Step
    shown: float
    before: float
    phase: Phase
    reading: StoredReading | None = Field(default=None, description="the beam before this write")
    band: StoredBand | None = Field(default=None, description="the band that was predicted")


class ReplayState(_Part):
    """The state of a replay; the authority to write is kept with it."""

    schema_: Literal["gnomon.replay_state/1"] = Field(default="gnomon.replay_state/1", alias="schema")
    id: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]+$", max_length=60)]
    recording: str
    name: str
    machine: str
    prefix: str
    author: str = ""
    reviewer: str = ""
    token_id: str = ""
    granted_ns: int = 0
    granted_s: float = 0.0
    expires_ns: int = 0
    calibration_id: str = ""
    limits_digest: str = ""
    status: Status = Status.RUNNING
    reason: str = ""
    done: int = 0
    sums: StoredSums = StoredSums()
    written: tuple[WrittenPart, ...] = ()

    @property
    def pending(self) -> tuple[WrittenPart, ...]:
        """Writes that may stand on the machine, in their order."""
        return tuple(each for each in self.written if each.phase not in (Phase.RESTORED, Phase.LEFT))


def after(state: ReplayState, event: str, facts: Mapping[str, Any]) -> ReplayState:
    """Calculate the state after an event of the audit. Events that change nothing leave it as it is."""
    match event:
        case "write":
            kept = {name: facts.get(name) for name in ("number", "step", "shown", "reading", "band")}
            part = WrittenPart.model_validate(kept | {"before": facts["put_back"], "phase": Phase.INTENDED})
            return state.model_copy(update={"written": (*state.written, part)})
        case "sent" | "verified" | "measured":
            sums = {"sums": StoredSums.model_validate(facts["sums"])} if "sums" in facts else {}
            return _with_phase(state, len(state.written) - 1, Phase(event), **sums)
        case "step":
            return state.model_copy(update={"done": facts["done"]})
        case "not_sent":
            return state.model_copy(update={"written": state.written[:-1]})
        case "failed":
            return state.model_copy(update={"status": Status.ROLLING_BACK, "reason": facts["reason"]})
        case "restore" | "restored" | "left":
            phase = {"restore": Phase.RESTORING, "restored": Phase.RESTORED, "left": Phase.LEFT}[event]
            where = [
                index
                for index, each in enumerate(state.written)
                if (each.step.pv, each.step.start, each.step.target) == (facts["pv"], facts["from"], facts["to"])
                and each.phase not in (Phase.RESTORED, Phase.LEFT)
            ]
            return _with_phase(state, where[-1], phase) if where else state
        case "frozen":
            return state.model_copy(update={"status": Status.FROZEN, "reason": facts["reason"]})
        case "end":
            return state.model_copy(update={"status": Status(facts["status"])})
    return state


def _with_phase(state: ReplayState, index: int, phase: Phase, **others: object) -> ReplayState:
    written = list(state.written)
    written[index] = written[index].model_copy(update={"phase": phase})
    return state.model_copy(update={"written": tuple(written), **others})


class StateFile:
    """The file of a state, written whole and atomically; a lock shows that a process works on it.

    `digest` beside the content shows that it was edited or damaged; it keeps nobody out who wants to.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises ReplayError if another process has it."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ReplayError(f"{path}: {error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise ReplayError(f"{path}: another process is at work on this replay") from error

    def save(self, state: ReplayState) -> None:
        """Write the state; it is durable when this returns. Raises ReplayError."""
        content = state.model_dump_json(by_alias=True)
        text = f"{_digest(content)}\n{content}\n"
        beside = self.path.with_suffix(".new")
        try:
            with beside.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise ReplayError(f"{self.path}: the state of the replay cannot be written: {error}") from error

    def load(self) -> ReplayState:
        """Read the state. Raises ReplayError."""
        return load_state(self.path)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._lock)


def load_state(path: Path) -> ReplayState:
    """Read a state without its lock. Raises ReplayError if it is missing, damaged or edited."""
    try:
        with path.open(encoding="utf-8") as file:
            digest, _, content = file.read(MAX_BYTES).partition("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ReplayError(f"{path}: the state of the replay cannot be read: {error}") from error
    content = content.removesuffix("\n")
    if digest != _digest(content):
        raise ReplayError(
            f"{path}: this state was damaged or edited; put the values back by hand, with the help of the audit log"
        )
    try:
        return ReplayState.model_validate_json(content)
    except ValidationError as error:
        raise ReplayError(f"{path}: not the state of a replay: {error}") from error


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()
