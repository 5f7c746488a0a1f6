"""Documents of jobs: procedures that run in processes of their own, their state, and the events of their progress."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from gnomon.services.service_documents import Name, Request

#: States of a job; the last four are ends.
State = Literal["starting", "running", "cancelling", "done", "failed", "stopped", "lost"]
ENDED: frozenset[State] = frozenset({"done", "failed", "stopped", "lost"})


class JobRequest(Request):
    """A procedure to carry out: at which server, and its options."""

    prefix: str | None = Field(
        default=None, max_length=60, description="prefix of the server's PVs; null: the only server on this computer"
    )
    machine: Name | None = Field(
        default=None, description="machine, where the server does not tell it: a name, or a file on the services' side"
    )
    options: dict[str, Any] = Field(default={}, description="options of the procedure; its schema is with its name")


class SummaryLine(BaseModel):
    """A line about an outcome."""

    name: str
    value: str
    unit: str = ""


class Job(BaseModel):
    """A procedure that was started, and its state.

    `lost` is a job that ran when the services ended; its process puts the machine back by itself.
    """

    id: str
    procedure: str
    title: str = ""
    prefix: str
    machine: str = ""
    options: dict[str, Any] = Field(default={}, description="as they were given")
    state: State = "starting"
    phase: str = Field(default="", description="preparing, measuring, computing, applying, putting back")
    rows: int = Field(default=0, description="rows measured")
    rows_expected: int = 0
    progress: float = Field(default=0.0, ge=0.0, le=1.0)
    message: str = Field(default="", description="the reason of the end, or what is being done")
    results: list[str] = Field(default=[], description="names of stored runs, the last one last")
    summary: list[SummaryLine] = Field(default=[], description="about the last result")
    started: str = Field(description="UTC, ISO 8601")
    ended: str = ""

    @property
    def is_ended(self) -> bool:
        """True once nothing changes any more."""
        return self.state in ENDED


class Jobs(BaseModel):
    """Jobs, the newest first; older ones are dropped."""

    jobs: list[Job]
    max_jobs: int


class ProcedureInfo(BaseModel):
    """A procedure that can be started, with the JSON schema of its options."""

    name: str
    title: str
    kind: Literal["measurement", "analysis", "correction", "script"]
    script: str = Field(default="", description="file of a user script")
    options: dict[str, Any] = Field(description="JSON schema of the options")


class BrokenScript(BaseModel):
    """A user script that cannot be used, and the reason with its line."""

    script: str
    reason: str


class Procedures(BaseModel):
    """All procedures, and user scripts that cannot be used."""

    procedures: list[ProcedureInfo]
    broken: list[BrokenScript] = []
