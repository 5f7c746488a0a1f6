"""One command as a JSON document, for exports and for programs that read the journal.

The JSON schema is committed beside this module; a change of the models raises the number in `SCHEMA`.
"""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from gnomon.lattice import Outcome
from gnomon.recorder.entries import Entry, Run, StoredChange

__all__ = [
    "SCHEMA",
    "SCHEMA_FILE",
    "ChangePart",
    "CommandDocument",
    "OutcomePart",
    "Part",
    "command_document",
    "iso_time",
    "json_schema",
]

SCHEMA: Literal["gnomon.command/1"] = "gnomon.command/1"
SCHEMA_FILE = Path(__file__).parent / "schemas" / "command.json"

_NOT_FINITE = ("nan", "inf", "-inf")


def _number_in(value: Any) -> Any:
    return float(value) if isinstance(value, str) and value in _NOT_FINITE else value


def _number_out(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


#: JSON cannot express NaN and infinities; a refused value may be one of them, so they are texts.
Number = Annotated[
    float,
    BeforeValidator(_number_in),
    PlainSerializer(_number_out),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": list(_NOT_FINITE)}]}),
]


class Part(BaseModel):
    """A part of a document; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ChangePart(Part):
    """One property: `old`, `new`, `done` in `unit`; the stored setting behind it; strengths it drives."""

    pv: str
    device: str
    property: str
    unit: str
    old: Number | None
    new: Number | None = Field(description="requested value; null: the client did not send a number")
    done: Number | None = Field(description="applied value; null: nothing was applied")
    setting: str
    setting_old: Number | None
    setting_done: Number | None
    physics_old: dict[str, Number]
    physics_new: dict[str, Number]


class OutcomePart(Part):
    """One outcome of the command; the last one of a command counts."""

    order: int = Field(ge=1, description="number of the outcome among those of all commands")
    outcome: Outcome
    wall_ns: int
    lattice_after: str
    reason: str
    effects: tuple[ChangePart, ...]


class CommandDocument(Part):
    """A command with everything that the journal holds about it."""

    schema_: Literal["gnomon.command/1"] = Field(default=SCHEMA, alias="schema")
    sequence: int = Field(ge=1)
    run: int = Field(ge=1)
    boot_id: str
    machine: str
    digest: str = Field(description="digest of the machine document")
    prefix: str
    time: str = Field(description="time of arrival: ISO 8601, UTC, to the microsecond")
    wall_ns: int
    monotonic_ns: int = Field(description="monotonic time of arrival; comparable within one boot_id")
    user: str = Field(description="user name as stated by the client")
    host: str = Field(description="host name as stated by the client")
    protocol: str
    note: str
    lattice_before: str
    changes: tuple[ChangePart, ...]
    outcome: Outcome | None = Field(description="last outcome; null: not known")
    outcomes: tuple[OutcomePart, ...]


def command_document(entry: Entry, run: Run) -> CommandDocument:
    """Convert an entry of the journal to a document."""
    return CommandDocument(
        schema=SCHEMA,
        sequence=entry.sequence,
        run=entry.run,
        boot_id=run.boot_id,
        machine=run.machine,
        digest=run.digest,
        prefix=run.prefix,
        time=iso_time(entry.wall_ns),
        wall_ns=entry.wall_ns,
        monotonic_ns=entry.monotonic_ns,
        user=entry.client.user,
        host=entry.client.host,
        protocol=entry.client.protocol,
        note=entry.note,
        lattice_before=entry.lattice_before,
        changes=_changes(entry.changes),
        outcome=entry.outcome,
        outcomes=tuple(
            OutcomePart(
                order=o.order,
                outcome=o.outcome,
                wall_ns=o.wall_ns,
                lattice_after=o.lattice_after,
                reason=o.reason,
                effects=_changes(o.effects),
            )
            for o in entry.outcomes
        ),
    )


def iso_time(wall_ns: int) -> str:
    """Format a wall time in UTC, to the microsecond; `wall_ns` has the nanoseconds."""
    seconds, rest = divmod(wall_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def json_schema() -> str:
    """Generate the JSON schema of a command document, as in `SCHEMA_FILE`."""
    return json.dumps(CommandDocument.model_json_schema(by_alias=True, mode="validation"), indent=2) + "\n"


def _changes(changes: tuple[StoredChange, ...]) -> tuple[ChangePart, ...]:
    return tuple(
        ChangePart(
            pv=c.pv,
            device=c.device,
            property=c.property,
            unit=c.unit,
            old=c.old,
            new=c.new,
            done=c.done,
            setting=c.setting,
            setting_old=c.setting_old,
            setting_done=c.setting_done,
            physics_old=c.physics_old,
            physics_new=c.physics_new,
        )
        for c in changes
    )
