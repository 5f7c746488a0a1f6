"""Keys that all faults have, for when, for how long and how often they act; and the reading of a request."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from gnomon.fault_injection.conditions import parse_condition
from gnomon.lattice import GnomonError
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.text import NotANumberError, parse_number, shorten

#: Longest time in a fault [s]: a day. A client that puts with wait gives up long before.
MAX_TIME_S = 86400.0
#: Longest delay of a fault [s].
MAX_DELAY_S = 3600.0
#: Longest pattern of names, and longest condition [characters].
MAX_PATTERN = 200
MAX_COUNT = 10**9


class FaultError(GnomonError):
    """An invalid fault: the text has the key, its value and the allowed values."""


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{value} is not a number")
    return parse_number(value) if isinstance(value, str) else value


#: Numbers may be texts, since command lines send them so.
Number = Annotated[float, BeforeValidator(_number)]
Count = Annotated[int, BeforeValidator(_number)]


def _pattern(value: str) -> str:
    if not value.isprintable() or len(value) > MAX_PATTERN:
        raise ValueError(f"a pattern has at most {MAX_PATTERN} characters, without control characters")
    return value


#: A shell pattern of names, in which case counts.
Pattern = Annotated[str, Field(min_length=1), AfterValidator(_pattern)]


def _message(value: str) -> str:
    if not value.isprintable():
        raise ValueError("without control characters")
    return value


#: A text that people are shown.
Message = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN), AfterValidator(_message)]


class FaultRequest(BaseModel):
    """A fault as a client requests it. Each kind is a model of its own, which adds its keys to these."""

    # Built when a request of that kind is read first: the models of all kinds take a twentieth of a server's start.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    #: The group of kinds that it belongs to.
    group: ClassVar[str]
    #: What the counts of a kind are about: "command" or "reading".
    counted: ClassVar[str] = "command"
    #: True if what it does to one use lasts; it then stays in the list for as long (`Injector.lasts`, `finished`).
    lasting: ClassVar[bool] = False

    after_s: Number | None = Field(default=None, ge=0, le=MAX_TIME_S, description="begin after this time [s]")
    at: str | None = Field(
        default=None, description="begin at this time, as `2026-11-27T14:30:00+01:00`; without an offset, local time"
    )
    after_commands: Count | None = Field(
        default=None, ge=1, le=MAX_COUNT,
        description="begin after this number of commands: those that it would act on; for other kinds than faults of "
        "commands, all",
    )  # fmt: skip
    condition: str | None = Field(
        default=None, min_length=1, max_length=MAX_PATTERN,
        description="act only while this holds: comparisons of PVs with numbers, as `MDIZ3T5G:current < 250 "
        "and dt:queue < 2`",
    )  # fmt: skip
    probability: Number = Field(
        default=1.0,
        gt=0,
        le=1,
        description="probability to act, drawn for each command, reading, or what the kind counts",
    )
    for_s: Number | None = Field(
        default=None,
        gt=0,
        le=MAX_TIME_S,
        description="end after this time [s]; by default, it stays until it is cleared",
    )
    count: Count | None = Field(
        default=None, ge=1, le=MAX_COUNT,
        description="number of times to act: of commands, readings, or what the kind counts; by default, all",
    )  # fmt: skip

    @field_validator("at")
    @classmethod
    def _is_a_time(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                datetime.fromisoformat(value).astimezone().timestamp()
            except (ValueError, OverflowError, OSError) as error:  # the latter for years that no clock has
                raise ValueError("it must be a time like 2026-11-27T14:30:00+01:00") from error
        return value

    @field_validator("condition")
    @classmethod
    def _can_be_tested(cls, value: str | None) -> str | None:
        if value is not None:
            parse_condition(value)
        return value

    @model_validator(mode="after")
    def _timings_agree(self) -> Self:
        begins = [name for name in ("after_s", "at", "after_commands") if getattr(self, name) is not None]
        if len(begins) > 1:
            raise ValueError(f"give one of {' and '.join(begins)}: each says when the fault begins")
        return self

    def effect(self) -> str:
        """Describe in a line what the fault does to what, `delay Q1P* by 0.5 s`."""
        raise NotImplementedError

    def describe(self) -> str:
        """Describe the fault in a line: what it does to what, and when."""
        when = (
            "" if self.after_s is None else f"after {self.after_s:g} s",
            "" if self.at is None else f"at {self.at}",
            f"after {self.after_commands} command{'s' if self.after_commands != 1 else ''}"
            if self.after_commands
            else "",
            "" if self.condition is None else f"while {self.condition}",
            "" if self.probability == 1.0 else f"with probability {self.probability:g}",
            "" if self.for_s is None else f"for {self.for_s:g} s",
        )
        return ", ".join([self.effect(), *filter(None, when)])


def explain(error: ValidationError, model: type[FaultRequest]) -> str:
    """List all errors in one line: key, reason, and the value given."""
    complaints = []
    for detail in error.errors(include_url=False):
        place = ".".join(map(str, detail["loc"]))
        reason = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            known = list(model.model_fields)
            place = place[:MAX_PATTERN]
            reason = f"unknown key{near_names_hint(place, known, 1)}; known keys: {', '.join(known)}"
        elif place and detail["type"] != "missing":
            given = detail["input"]
            reason = f"{reason}, not {shorten(given) if isinstance(given, str) else repr(given)}"
        complaints.append(f"{place}: {reason}" if place else reason)
    return "; ".join(complaints)


def read(model: type[FaultRequest], keys: Mapping[str, Any]) -> FaultRequest:
    """Read the keys of a fault of a known kind. Raises FaultError with every complaint."""
    try:
        return model.model_validate(dict(keys))
    except ValidationError as error:
        raise FaultError(f"invalid fault: {explain(error, model)}") from error


__all__ = ["Count", "FaultError", "FaultRequest", "Message", "NotANumberError", "Number", "Pattern", "explain", "read"]
