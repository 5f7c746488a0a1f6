"""Messages to other programs, as JSON: commands, outcomes, faults, results, and the state of a server.

The JSON schema is committed in `services/schemas`. `key` is the same whenever a message is sent again; messages of one
key say the same.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from gnomon.recorder.command_document import CommandDocument, OutcomePart, command_document
from gnomon.recorder.journal_feed import JournalItem

if TYPE_CHECKING:
    from gnomon.procedures.documents import Run

__all__ = ["SCHEMA", "Message", "kind_of", "message_schema", "of_journal", "of_result"]

SCHEMA: Literal["gnomon.message/1"] = "gnomon.message/1"

#: Beginnings of notes of faults, in commands without settings.
_FAULT_NOTES = ("added fault ", "cleared fault ", "fault ")

Kind = Literal["commands", "outcomes", "faults", "results"]


class Head(BaseModel):
    """Fields of every message."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal["gnomon.message/1"] = Field(default=SCHEMA, alias="schema")
    key: str = Field(description="idempotency key: journal and number, or name of a result")
    prefix: str = Field(description="prefix of the PVs")
    text: str = Field(description="what happened, in one line for people")


class CommandMessage(Head):
    """A command as it came, before its outcome."""

    kind: Literal["command"] = "command"
    journal: str = Field(description="identity of the journal")
    command: CommandDocument


class FaultMessage(Head):
    """A fault that was injected or cleared, or has acted by itself: a command without settings."""

    kind: Literal["fault"] = "fault"
    journal: str
    command: CommandDocument


class OutcomeMessage(Head):
    """An outcome of a command; the last one of a command counts."""

    kind: Literal["outcome"] = "outcome"
    journal: str
    sequence: int = Field(ge=1, description="number of the command")
    machine: str
    user: str = Field(description="user name as stated by the client")
    host: str = Field(description="host name as stated by the client")
    outcome: OutcomePart


class SummaryLine(BaseModel):
    """A number of a result, as text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    value: str
    unit: str = ""


class ResultMessage(Head):
    """A measurement or correction that has ended, without its data."""

    kind: Literal["result"] = "result"
    name: str
    procedure: str
    status: str
    reason: str
    machine: str
    started: str
    ended: str
    summary: tuple[SummaryLine, ...]
    sha256: str = Field(description="of the result's file")


class StateReading(BaseModel):
    """A figure of the state. `value` is a number, a text, or a list; null where it is INVALID."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: Any
    unit: str
    severity: str


class StateMessage(Head):
    """The state of a server, retained by the broker: what needs attention, and figures by source."""

    kind: Literal["state"] = "state"
    runs: bool = Field(description="a server answers")
    time_ns: int = Field(description="time at which the state was read")
    attention: tuple[str, ...]
    readings: dict[str, StateReading]


Message = Annotated[
    CommandMessage | FaultMessage | OutcomeMessage | ResultMessage | StateMessage, Field(discriminator="kind")
]


def message_schema() -> dict[str, Any]:
    """Generate the JSON schema of a message."""
    made: TypeAdapter[Any] = TypeAdapter(Message)
    return made.json_schema(by_alias=True)


def kind_of(item: JournalItem) -> Kind:
    """Sort an item of a journal."""
    if item.outcome is not None:
        return "outcomes"
    return "faults" if not item.entry.changes and item.entry.note.startswith(_FAULT_NOTES) else "commands"


def of_journal(item: JournalItem, journal: str) -> CommandMessage | FaultMessage | OutcomeMessage:
    """Make the message of a command or of an outcome, in a journal of this identity."""
    key = f"{journal}:{item.entry.sequence}"
    whole = command_document(item.entry, item.run)
    if item.outcome is not None:
        outcome = next(each for each in whole.outcomes if each.order == item.outcome.order)
        return OutcomeMessage(
            key=f"{key}:{outcome.order}",
            prefix=item.run.prefix,
            text=f"{_text(whole)}: {outcome.outcome}" + (f": {outcome.reason}" if outcome.reason else ""),
            journal=journal,
            sequence=item.entry.sequence,
            machine=item.run.machine,
            user=whole.user,
            host=whole.host,
            outcome=outcome,
        )
    came = whole.model_copy(update={"outcomes": (), "outcome": None})
    make = FaultMessage if kind_of(item) == "faults" else CommandMessage
    return make(key=key, prefix=item.run.prefix, text=_text(whole), journal=journal, command=came)


def of_result(run: "Run", sha256: str) -> ResultMessage:
    """Make the message of a result, whose file has this digest."""
    from gnomon.procedures.summaries import summarise

    about = run.provenance
    return ResultMessage(
        key=f"{run.name}:{sha256[:16]}",
        prefix=about.prefix,
        text=f"{run.name}: {run.status}" + (f": {run.reason}" if run.reason else ""),
        name=run.name,
        procedure=run.procedure,
        status=run.status,
        reason=run.reason,
        machine=about.machine,
        started=about.started,
        ended=about.ended,
        summary=tuple(SummaryLine(name=line.name, value=line.value, unit=line.unit) for line in summarise(run)),
        sha256=sha256,
    )


def _text(command: CommandDocument) -> str:
    who = f"#{command.sequence} {command.user}@{command.host}"
    what = "; ".join(f"{c.pv} {_number(c.old)} -> {_number(c.new)} {c.unit}".rstrip() for c in command.changes[:3])
    more = f" and {len(command.changes) - 3} more" if len(command.changes) > 3 else ""
    return f"{who}: {'; '.join(filter(None, [command.note, what]))}{more}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.7g}"
