"""A scenario as a document: what happened, what a good application does, and the steps that play it."""

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from gnomon.fault_injection import Count
from gnomon.fault_injection import schema as fault_schema
from gnomon.testing.scenarios.steps import Label, Line, Part, Step

MAX_STEPS = 200


def _paragraph(text: str) -> str:
    text = " ".join(text.split())
    if not text.isprintable():
        raise ValueError("without control characters")
    return text


def _program(text: str) -> str:
    file = next(iter(text.split()), "")
    if not file or PurePath(file).name != file:
        raise ValueError("the file's name alone, without a folder, then its arguments")
    return text


Paragraph = Annotated[str, Field(min_length=20, max_length=4000), AfterValidator(_paragraph)]
Program = Annotated[Line, AfterValidator(_program)]


class RingPart(Part):
    """The ring that a scenario is for."""

    machine: Line = Field(default="bessy2", description="name of a shipped machine, or file of a machine document")
    role: Literal["twin", "machine"] = Field(default="twin", description="role of the server")


class Examples(Part):
    """Programs in `examples/` that stand for the application; CI plays the scenario with them."""

    careful: Program = Field(description="one that passes: its file name, then its arguments")
    naive: Program | None = Field(default=None, description="one that fails")
    naive_fails: tuple[Label, ...] = Field(default=(), description="names of expectations that the naive one fails")


class Scenario(Part):
    """A failure that control rooms know, as steps, with what a good application does about it."""

    title: Line = Field(description="the failure in a few words")
    happened: Paragraph = Field(description="a paragraph on what happens in control rooms")
    good: Paragraph = Field(description="a paragraph on what a good application does")
    application: Line = Field(description="applications that it is for, as `orbit correction`")
    examples: Examples | None = None
    ring: RingPart = RingPart()
    seed: Count = Field(
        default=1, ge=0, lt=2**32, description="seed of all that is random, for a server that is started for it"
    )
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MAX_STEPS)

    @property
    def needs_application(self) -> bool:
        """True if the scenario starts an application."""
        return any(step.start for step in self.steps)

    @property
    def faults(self) -> tuple[str, ...]:
        """Kinds of faults that it adds, each once."""
        return tuple(dict.fromkeys(str(step.fault["kind"]) for step in self.steps if step.fault is not None))


def schema() -> dict[str, Any]:
    """Make the JSON schema of a scenario, faults included."""
    made = Scenario.model_json_schema()
    fault = fault_schema()
    made["$defs"] |= fault.pop("$defs")
    made["$defs"]["Step"]["properties"]["fault"] = fault
    return made
