"""Steps of a scenario: each does one thing to the ring or to the application, waits, or expects something."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from gnomon.fault_injection import Count, Number, Pattern, parse_condition
from gnomon.lattice import Outcome
from gnomon.lattice.text import NotANumberError, parse_number

#: Longest time that a step may wait [s].
MAX_WAIT_S = 3600.0
#: Longest text that an application is expected to print [characters].
MAX_TEXT = 200


class Part(BaseModel):
    """A part of a scenario; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def given(self, *names: str) -> list[str]:
        """Return those of some keys that have a value."""
        return [name for name in names if getattr(self, name) is not None]


def _number_or_text(value: Any) -> Any:
    """Read a number where the text is one; a scenario's values are texts, as those of a command line are."""
    try:
        return parse_number(value) if isinstance(value, str) else value
    except NotANumberError:
        return value


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("without control characters, on one line")
    return text


def _regular(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"it is not a regular expression: {error}") from error
    return text


Value = Annotated[float | str, BeforeValidator(_number_or_text)]
Line = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(_one_line)]
Printed = Annotated[Line, AfterValidator(_regular)]
Label = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")]
Wait = Annotated[Number, Field(ge=0, le=MAX_WAIT_S)]
WITHIN = "time in which it must come true [s]"
FOR = "time for which it must stay true from then on [s]"


class Until(Part):
    """A wait for a condition on PVs; the scenario fails if it does not come true in time."""

    condition: Line = Field(description="comparisons of PVs with numbers: `HS4P1D1R:rdbk > 0.1 and dt:queue < 2`")
    within_s: Wait = Field(default=10.0, description=WITHIN)

    @field_validator("condition")
    @classmethod
    def _can_be_tested(cls, value: str) -> str:
        parse_condition(value)
        return value


class Finish(Part):
    """A wait for the end of the application."""

    within_s: Wait = Field(default=60.0, description="time from now in which it must end [s]; then it is ended")


class ExpectPv(Part):
    """An expectation on a PV: its value, its alarm severity, within a time."""

    pv: Line = Field(description="name of the PV, without prefix")
    value: Value | None = Field(default=None, description="number, text, or name of a state that it must have")
    unchanged: bool = Field(default=False, description="it must have the value that it had before the scenario")
    tolerance: Number = Field(default=0.0, ge=0, description="largest distance from `value` [unit of the PV]")
    above: Number | None = Field(default=None, description="it must be greater than this [unit of the PV]")
    below: Number | None = Field(default=None, description="it must be less than this [unit of the PV]")
    severity: Literal["NO_ALARM", "MINOR", "MAJOR", "INVALID"] | None = Field(
        default=None, description="alarm severity that it must have"
    )
    within_s: Wait = Field(default=0.0, description=WITHIN)
    for_s: Wait = Field(default=0.0, description=FOR)

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not (self.given("value", "above", "below", "severity") or self.unchanged):
            raise ValueError("give value, unchanged, above, below or severity: what is expected of the PV")
        if self.value is not None and self.unchanged:
            raise ValueError("give value or unchanged, not both")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError(f"above is {self.above:g}: it must be less than below, which is {self.below:g}")
        return self


class ExpectJournal(Part):
    """An expectation on the commands that the journal has of others than the scenario itself."""

    commands: Pattern = Field(default="*", description="pattern of PVs or devices; only commands to these count")
    client: Pattern = Field(default="*", description="pattern of `user@host`; only commands of these clients count")
    outcome: Outcome | None = Field(default=None, description="only commands with this last outcome count")
    since: Label | None = Field(default=None, description="name of a step: only later commands count")
    count: Count | None = Field(default=None, ge=0, description="number of commands; 0: none of this kind")
    at_least: Count | None = Field(default=None, ge=1, description="smallest number of commands")
    at_most: Count | None = Field(default=None, ge=0, description="largest number of commands")
    max_step: Number | None = Field(default=None, gt=0, description="largest change of a command [unit of the PV]")
    max_per_s: Count | None = Field(default=None, ge=1, description="largest number of commands in any second")
    order: tuple[Pattern, ...] | None = Field(
        default=None,
        min_length=2,
        max_length=50,
        description="patterns: commands to these must have come in this order",
    )
    within_s: Wait = Field(default=0.0, description=WITHIN)
    for_s: Wait = Field(default=0.0, description=FOR)

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not self.given("count", "at_least", "at_most", "max_step", "max_per_s", "order"):
            raise ValueError("give count, at_least, at_most, max_step, max_per_s or order: what is expected of them")
        if self.count is not None and self.given("at_least", "at_most"):
            raise ValueError("give count, or at_least and at_most")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least is {self.at_least}: it must not be greater than at_most, {self.at_most}")
        return self


class ExpectApplication(Part):
    """An expectation on the application under test."""

    exit_code: Count | None = Field(default=None, ge=0, le=255, description="exit code that it must end with")
    fails: bool = Field(default=False, description="it must end with an exit code other than 0")
    printed: Printed | None = Field(
        default=None, description="regular expression that its output must contain; capitals do not count"
    )
    not_printed: Printed | None = Field(
        default=None, description="regular expression that its output must not contain; capitals do not count"
    )
    running: bool | None = Field(default=None, description="it must still run (true), or have ended (false)")
    took_less_than_s: Wait | None = Field(default=None, description="time from its start to its end [s]")

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not (self.given("exit_code", "printed", "not_printed", "running", "took_less_than_s") or self.fails):
            raise ValueError("give exit_code, fails, printed, not_printed, running or took_less_than_s")
        if self.exit_code is not None and self.fails:
            raise ValueError("give exit_code or fails, not both")
        return self

    @property
    def needs_end(self) -> bool:
        """True if it can hold only when the application has ended."""
        return self.fails or bool(self.given("exit_code", "took_less_than_s"))


ACTIONS = ("put", "fault", "clear", "wait_s", "until", "start", "finish", "stop")
EXPECTATIONS = ("expect_pv", "expect_journal", "expect_application")


class Step(Part):
    """One step: one action or one expectation, with a name for others to refer to, and a note for people."""

    name: Label | None = Field(default=None, description="name of the step, for `clear` and `since`")
    note: Line | None = Field(default=None, description="reason for the step, shown when it is played or fails")
    put: dict[str, Value] | None = Field(
        default=None, min_length=1, max_length=1000, description="values by PV, without prefix: settings as one command"
    )
    fault: dict[str, Any] | None = Field(default=None, description="fault to add: `kind`, and the keys of that kind")
    clear: Line | None = Field(default=None, description="name of the step whose fault to clear, or `all`")
    wait_s: Wait | None = Field(default=None, description="time to wait [s]")
    until: Until | None = None
    start: Literal["application"] | None = Field(default=None, description="start the application under test")
    finish: Finish | None = None
    stop: Literal["application"] | None = Field(
        default=None, description="stop the application as Ctrl-C does, and wait for its end"
    )
    expect_pv: ExpectPv | None = None
    expect_journal: ExpectJournal | None = None
    expect_application: ExpectApplication | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        given = self.given(*ACTIONS, *EXPECTATIONS)
        if len(given) != 1:
            found = f"it has {' and '.join(given)}" if given else "it has none"
            raise ValueError(f"a step has one of {', '.join((*ACTIONS, *EXPECTATIONS))}; {found}")
        return self

    @property
    def kind(self) -> str:
        """The key that says what the step does."""
        return self.given(*ACTIONS, *EXPECTATIONS)[0]

    @property
    def expects(self) -> bool:
        """True for an expectation."""
        return self.kind in EXPECTATIONS

    @property
    def longest_s(self) -> float:
        """Longest time that the step can take by what it says itself [s]."""
        each = self.until or self.finish or self.expect_pv or self.expect_journal
        waits = [self.wait_s or 0.0, *(getattr(each, key, 0.0) for key in ("within_s", "for_s"))]
        return sum(waits)

    def pvs(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the PVs that the step names, each with the keys under which it does."""
        for name in self.put or ():
            yield name, ("put", name)
        if self.until is not None:
            yield from ((name, ("until", "condition")) for name in parse_condition(self.until.condition).pvs)
        if self.expect_pv is not None:
            yield self.expect_pv.pv, ("expect_pv", "pv")
