"""Requests and answers about running servers, as JSON has them; numbers that are not finite are null."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, FiniteFloat

from gnomon.services.service_documents import Name, Request

#: Maximum number of settings in one command, and of PVs in one answer.
MAX_SETTINGS, MAX_READINGS = 10_000, 5_000
#: Maximum number of commands in one answer.
MAX_COMMANDS = 500

OutcomeName = Literal["applied", "delayed", "modified", "abandoned", "rejected", "failed"]
SnapshotName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^/]+$")]
Number = Annotated[int, Field(ge=0, le=2**53)]


class ServerDescription(BaseModel):
    """A server that runs on this computer, or a fork of one."""

    prefix: str
    machine: str
    role: str = Field(description="twin, shadow or machine")
    process: int
    fork: str = Field(description="name of the fork; empty for the server's own twin")
    ca_address: str
    pva_address: str
    version: str
    started_ns: int


class ServerList(BaseModel):
    """The servers that run on this computer for the user of the services, the oldest first."""

    servers: list[ServerDescription]


class ReadingAnswer(BaseModel):
    """A PV's value with unit, alarm and time. `value` is a number, a text, a list, or columns by name."""

    name: str
    value: Any
    unit: str
    index: int | None = Field(default=None, description="number of the state, for a PV with states")
    states: list[str] | None = None
    severity: str
    alarm: str
    time: str
    time_ns: int


class ReadingList(BaseModel):
    """PVs in the order of the names that were asked for."""

    prefix: str
    readings: list[ReadingAnswer]


class ServerState(BaseModel):
    """A server at a glance: what needs attention (empty when all is well), and figures by source."""

    prefix: str
    machine: str | None = None
    process: int | None = None
    fork: str | None = None
    attention: list[str]
    readings: dict[str, ReadingAnswer]


class NewSetting(Request):
    """A setpoint and its new value: a number in the PV's unit, or the name of a state; give one of the two."""

    pv: Name
    value: FiniteFloat | None = None
    state: Annotated[str, Field(max_length=100)] | None = None


class NewSettings(Request):
    """Settings that are made as one command: all of them, or none."""

    settings: list[NewSetting] = Field(min_length=1, max_length=MAX_SETTINGS)
    note: Annotated[str, Field(max_length=1000)] = Field(default="", description="kept with the command")


class MadeSetting(BaseModel):
    """A PV before and after a command."""

    old: ReadingAnswer
    new: ReadingAnswer


class MadeSettings(BaseModel):
    """A command that was carried out; its result is out. `attention` says why there is no beam, if there is none."""

    sequence: int
    lattice: str
    settings: list[MadeSetting]
    attention: str


class ForkAnswer(BaseModel):
    """A fork of a running twin."""

    name: str
    prefix: str
    origin: str
    began: str
    made_ns: int
    made_by: str
    lattice_id: str
    commands: int
    pvs: int
    journal: str


class ForkList(BaseModel):
    """The forks of a server."""

    forks: list[ForkAnswer]


class NewFork(Request):
    """A copy of a running twin; with its present lattice unless `nominal`, a snapshot or a lattice is given."""

    name: Annotated[str, Field(min_length=1, max_length=50)]
    prefix: Annotated[str, Field(max_length=50)] | None = Field(default=None, description="default: the name and `:`")
    nominal: bool = False
    snapshot: Annotated[str, Field(max_length=100)] | None = None
    lattice: Annotated[str, Field(max_length=100)] | None = Field(default=None, description="id of an earlier lattice")


class RecordedChange(BaseModel):
    """One property of a command: `old`, `new`, `done` in `unit`, and the stored setting behind it."""

    pv: str
    device: str
    property: str
    unit: str
    old: float | None
    new: float | None = Field(description="requested; null: the client did not send a finite number")
    done: float | None = Field(description="applied; null: nothing was applied")
    setting: str
    setting_old: float | None
    setting_done: float | None


class RecordedOutcome(BaseModel):
    """One outcome of a command; the last one counts."""

    outcome: OutcomeName
    wall_ns: int
    lattice_after: str
    reason: str
    effects: list[RecordedChange]


class RecordedCommand(BaseModel):
    """A recorded command with its outcomes."""

    sequence: int
    run: int
    machine: str
    prefix: str
    time: str
    wall_ns: int
    user: str
    host: str
    protocol: str
    note: str
    lattice_before: str
    changes: list[RecordedChange]
    outcome: OutcomeName | None = Field(description="last outcome; null: not known")
    outcomes: list[RecordedOutcome]


class Recordings(BaseModel):
    """A page of commands, by number. `following` is the `last` (or, of the oldest, the `first`) of the next page."""

    commands: list[RecordedCommand]
    following: int | None = Field(description="null: there are no more")
    last: int = Field(description="number of the newest command of the journal")


class SettingsDifference(BaseModel):
    """A setting at two points; null: nominal, and the journal does not have the number."""

    device: str
    setting: str
    unit: str
    first: float | None
    second: float | None


class SettingsDifferences(BaseModel):
    """Settings that differ between two points of a journal."""

    differences: list[SettingsDifference]


class UndoRequest(Request):
    """Commands to undo: by their numbers, or the last ones that changed a setting; give one of the two."""

    commands: list[Annotated[int, Field(ge=1, le=2**53)]] = Field(default=[], max_length=1000)
    last: Annotated[int, Field(ge=1, le=1000)] | None = None
    force: bool = Field(default=False, description="undo even settings that have been changed again since")
    dry_run: bool = Field(default=True, description="say what would be set, and set nothing")


class RestoreRequest(Request):
    """The command to whose settings the server is to return; 0: before the first."""

    to: Number
    dry_run: bool = Field(default=True, description="say what would be set, and set nothing")


class PlannedSetting(BaseModel):
    """A setting to make, with its present value."""

    device: str
    setting: str
    unit: str
    now: float | None
    value: float | None


class WayBackAnswer(BaseModel):
    """Settings that take a server back, as one command, and whether it was sent. Empty settings: nothing differs."""

    prefix: str
    note: str
    settings: list[PlannedSetting]
    sent: bool
    sequence: int | None = None
    lattice: str | None = None


class SnapshotLine(BaseModel):
    """A snapshot without its settings."""

    name: str
    revision: int
    settings: int
    machine: str
    prefix: str
    lattice_id: str
    complete: bool
    source: str
    comment: str
    user: str
    host: str
    time_ns: int


class SnapshotList(BaseModel):
    """Snapshots by name; `total` counts all."""

    snapshots: list[SnapshotLine]
    total: int


class SnapshotEntry(BaseModel):
    """A setpoint in a snapshot: PV without prefix and value in its unit, and the setting behind it."""

    pv: str
    value: float | None
    unit: str
    device: str
    setting: str
    stored: float | None


class SnapshotAnswer(SnapshotLine):
    """A snapshot with its settings."""

    entries: list[SnapshotEntry]


class NewSnapshot(Request):
    """A name for the present settings of a running server; `replace` makes a new revision of an existing snapshot."""

    name: SnapshotName
    comment: Annotated[str, Field(max_length=1000)] = ""
    replace: bool = False


class SnapshotRestoreRequest(Request):
    """A restoration of a snapshot, of its newest revision by default."""

    revision: Annotated[int, Field(ge=1, le=2**53)] | None = None
    dry_run: bool = Field(default=True, description="say what would be set, and set nothing")


class SnapshotDifference(BaseModel):
    """A setpoint that differs between two snapshots; null: not in that one."""

    pv: str
    first: float | None
    second: float | None
    unit: str


class SnapshotDifferences(BaseModel):
    """Setpoints that differ between two snapshots."""

    differences: list[SnapshotDifference]


class FaultKind(BaseModel):
    """A kind of faults, and the JSON schema of its keys."""

    kind: str
    group: str
    effect: str
    keys: dict[str, Any]


class FaultKinds(BaseModel):
    """All kinds of faults that a server knows."""

    kinds: list[FaultKind]


class FaultAnswer(BaseModel):
    """A fault of a running server: its keys, and how far it is."""

    id: int
    kind: str
    text: str
    phase: str | None = Field(default=None, description="waiting or active")
    remaining: float | None = Field(default=None, description="number of times that it still acts; null: always")
    created_by: str | None = None
    created_ns: int | None = None
    keys: dict[str, Any]
    unrecorded: str | None = Field(default=None, description="reason why the journal does not have that it was cleared")


class FaultList(BaseModel):
    """Faults of a running server."""

    faults: list[FaultAnswer]


class NewFault(Request):
    """A fault: its kind, and keys of that kind (numbers, texts, true or false), as `GET /v1/faults/kinds` says."""

    kind: Name
    keys: dict[str, Any] = Field(default={}, description='for example {"device": "HS*", "delay_s": 2}')
