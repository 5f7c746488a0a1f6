"""A recording: a named, immutable excerpt of a journal with the state that it starts from, and its approvals.

The id of a recording is the SHA-256 of its content in canonical JSON: sorted keys, no spaces, shortest numbers. A
recording whose content does not have its id is refused, so it cannot be changed without getting another id. The JSON
schema of a file is committed in `recorder/schemas`; a change of the models raises the numbers in the names of schemas.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gnomon.db.store import canonical_json, digest_of
from gnomon.recorder.entries import Key

SCHEMA_FILE = Path(__file__).parent.parent / "schemas" / "recording.json"

#: Largest number of steps, of settings that differ from nominal, and of monitors.
MAX_PARTS = 100_000

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=60)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=2000)]
Word = Annotated[str, Field(max_length=200)]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$", description="ISO 8601, UTC")]


class Part(BaseModel):
    """A part of a document: unknown keys, infinities and NaN are refused, and nothing can be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StartSetting(Part):
    """A stored setting that was not nominal when the recording began."""

    device: Word
    setting: Word
    value: float
    unit: Word


class MonitorPosition(Part):
    """The beam at a monitor."""

    monitor: Word
    x: float = Field(description="mm")
    y: float = Field(description="mm")


class StartState(Part):
    """The state that a recording starts from. With the machine document, `settings` give the whole lattice."""

    lattice_id: Word
    optics: Word = Field(description="name of the optics; empty if the machine has one")
    settings: Annotated[tuple[StartSetting, ...], Field(max_length=MAX_PARTS)]
    tunes: tuple[float, float] | None = Field(description="by the model, with the integer part; null without a beam")
    orbit: Annotated[tuple[MonitorPosition, ...], Field(max_length=MAX_PARTS)] = Field(
        description="by the model; empty without a beam"
    )
    reference: Annotated[tuple[MonitorPosition, ...], Field(max_length=MAX_PARTS)] = Field(
        description="reference orbit, from which limits of the orbit count; empty: the orbit at the start"
    )

    @property
    def stored(self) -> dict[Key, float]:
        """Settings by (device, setting)."""
        return {(part.device, part.setting): part.value for part in self.settings}


class RecordedChange(Part):
    """One property that a step changes: `old`, `new` in `unit`, and the stored setting behind it.

    `pv` is the name, without prefix, through which it was changed; empty if it was not a PV of this machine.
    """

    pv: Word
    device: Word
    property: Word
    unit: Word
    old: float
    new: float
    setting: Word
    setting_old: float
    setting_new: float


class RecordedStep(Part):
    """One command as it acted: `sequence` is its number in the journal, `wall_ns` the time [ns since 1970]."""

    sequence: int = Field(ge=1)
    wall_ns: int = Field(ge=0)
    changes: Annotated[tuple[RecordedChange, ...], Field(min_length=1, max_length=MAX_PARTS)]
    note: Text
    who: Word = Field(description="user@host as stated by the client")


class UsualRange(Part):
    """The values that a stored setting had in the month before, by the journal: `commands` changed it."""

    device: Word
    setting: Word
    low: float
    high: float
    commands: int = Field(ge=1)


class RecordingContent(Part):
    """All of a recording but its id. The author is whoever made this version of it, as stated by their computer."""

    schema_: Literal["gnomon.recording/1"] = Field(default="gnomon.recording/1", alias="schema")
    name: Name
    purpose: Annotated[str, Field(min_length=1, max_length=2000)]
    author: Annotated[str, Field(min_length=1, max_length=200)]
    made: Moment
    parent: Sha256 | Literal[""] = Field(description="id of the recording that this one was edited from")
    machine: Word
    digest: Word = Field(description="digest of the machine document")
    prefix: Word = Field(description="prefix of the server that was recorded")
    calibration_id: Word = Field(description="id of the calibration that the server had; empty if none")
    start: StartState
    usual: Annotated[tuple[UsualRange, ...], Field(max_length=MAX_PARTS)] = Field(
        description="of the settings that the steps change"
    )
    steps: Annotated[tuple[RecordedStep, ...], Field(min_length=1, max_length=MAX_PARTS)]

    def content_id(self) -> str:
        """Calculate the id, 64 hex digits."""
        return digest_of(canonical_json(self.model_dump(by_alias=True, mode="json", exclude={"id"})))


class Recording(RecordingContent):
    """A recording. A content that does not belong to the id is refused."""

    id: Sha256 = Field(description="SHA-256 of the canonical JSON of everything else")

    @model_validator(mode="after")
    def _check_id(self) -> Self:
        if (found := self.content_id()) != self.id:
            raise ValueError(f"the content has the id {found[:12]}, not {self.id[:12]}: it has been changed")
        return self


class Approval(Part):
    """The signature of a reviewer, Ed25519, under a recording for one machine; `recording` is its id.

    `limits` is the digest of the limits file with which it may be replayed; empty if the reviewer had none.
    """

    schema_: Literal["gnomon.approval/1"] = Field(default="gnomon.approval/1", alias="schema")
    recording: Sha256
    machine: Word
    limits: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    reviewer: Annotated[str, Field(min_length=1, max_length=200)]
    time: Moment
    public_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$", description="base64 of 32 bytes")]
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$", description="base64 of 64 bytes")]

    def signed_bytes(self) -> bytes:
        """Return what the signature is under: everything else, in canonical JSON; an empty `limits` is left out."""
        left_out = {"signature"} if self.limits else {"signature", "limits"}
        return signed_bytes(self.model_dump(by_alias=True, mode="json", exclude=left_out))


class RecordingFile(Part):
    """A recording with its approvals, as it is exported."""

    schema_: Literal["gnomon.recording_file/1"] = Field(default="gnomon.recording_file/1", alias="schema")
    recording: Recording
    approvals: Annotated[tuple[Approval, ...], Field(max_length=100)] = ()


def seal(content: RecordingContent) -> Recording:
    """Give a content its id, and so make it a recording."""
    return Recording.model_validate(content.model_dump(by_alias=True) | {"id": content.content_id()})


def signed_bytes(fields: dict[str, Any]) -> bytes:
    """Return the bytes that are signed for the fields of an approval without its signature."""
    return canonical_json(fields).encode()


def json_schema() -> str:
    """Generate the JSON schema of a file, as in `SCHEMA_FILE`."""
    return json.dumps(RecordingFile.model_json_schema(by_alias=True, mode="validation"), indent=2) + "\n"
