"""Faults of commands: as clients request them, and as they are active."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gnomon.lattice import GnomonError, Setting
from gnomon.lattice.text import parse_number

#: Longest delay of a fault [s]: a client that puts with wait gives up long before.
MAX_DELAY_S = 3600.0

#: Longest pattern of names [characters].
MAX_PATTERN = 200


class FaultError(GnomonError):
    """An invalid fault: the text has the key, its value and the allowed values."""


class Action(StrEnum):
    """The action of a fault on a command that it matches."""

    ABANDON = "abandon"
    DELAY = "delay"
    MODIFY = "modify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. It matches a setting by its device and property (shell patterns, case counts).

    `delay_s` [s] belongs to delay. A modify gives `value` if there is one, otherwise `scale` * value + `offset`, in the
    engineering unit of the property. `remaining` counts the commands that it will still act on, None for all. `id` is
    0 until the injector has the fault.
    """

    action: Action
    device: str
    property: str = "*"
    delay_s: float = 0.0
    scale: float = 1.0
    offset: float = 0.0
    value: float | None = None
    remaining: int | None = None
    id: int = 0
    created_by: str = ""
    created_ns: int = 0

    @classmethod
    def from_request(
        cls, request: Mapping[str, Any], *, created_by: str = "", clock_ns: Callable[[], int] = time.time_ns
    ) -> Self:
        """Read a client's request. Raises FaultError for unknown keys, wrong types and pointless combinations."""
        try:
            asked = FaultRequest.model_validate(dict(request))
        except ValidationError as error:
            raise FaultError(f"invalid fault: {_explain(error)}") from error
        return cls(
            action=asked.action,
            device=asked.device,
            property=asked.property,
            delay_s=asked.delay_s or 0.0,
            scale=1.0 if asked.scale is None else asked.scale,
            offset=asked.offset or 0.0,
            value=asked.value,
            remaining=asked.count,
            created_by=created_by,
            created_ns=clock_ns(),
        )

    def matches(self, setting: Setting) -> bool:
        """True if this fault acts on a command with this setting."""
        return fnmatchcase(setting.device, self.device) and fnmatchcase(setting.property, self.property)

    def modified(self, value: float) -> float:
        """Modify a value, in and out in engineering units; the lattice still refuses one outside its limits."""
        return self.scale * value + self.offset if self.value is None else self.value

    def describe(self) -> str:
        """Describe the fault for the journal and the status PV, for example `fault 3: abandon Q1P*`."""
        where = self.device if self.property == "*" else f"{self.device} {self.property}"
        match self.action:
            case Action.ABANDON:
                what = ""
            case Action.DELAY:
                what = f" by {self.delay_s:g} s"
            case Action.MODIFY if self.value is not None:
                what = f" to {self.value:g}"
            case Action.MODIFY:
                factor = "" if self.scale == 1.0 else f"{self.scale:g} * "
                sign = "-" if self.offset < 0 else "+"
                what = f" to {factor}value" + (f" {sign} {abs(self.offset):g}" if self.offset else "")
        return f"fault {self.id}: {self.action} {where}{what}"

    def to_json(self) -> dict[str, Any]:
        """List the fields that the fault's action uses, ready for json.dumps."""
        shown: dict[str, Any] = {"id": self.id, "action": self.action.value}
        shown |= {"device": self.device, "property": self.property}
        if self.action is Action.DELAY:
            shown["delay_s"] = self.delay_s
        elif self.value is not None:
            shown["value"] = self.value
        elif self.action is Action.MODIFY:
            shown |= {"scale": self.scale, "offset": self.offset}
        return shown | {
            "remaining": self.remaining,
            "created_by": self.created_by,
            "created_ns": self.created_ns,
            "text": self.describe(),
        }


class FaultRequest(BaseModel):
    """A fault as a client requests it. Numbers may be texts, since command lines send them so."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    action: Action = Field(description="abandon, delay or modify")
    device: str = Field(min_length=1, description="pattern of device names: Q1P*, HS4P?D1R, *")
    property: str = Field(default="*", min_length=1, description="pattern of property names: current, k1, *")
    delay_s: float | None = Field(default=None, gt=0, le=MAX_DELAY_S, description="delay: time of the delay [s]")
    scale: float | None = Field(default=None, description="modify: factor on the value")
    offset: float | None = Field(default=None, description="modify: offset after the factor [unit of the property]")
    value: float | None = Field(default=None, description="modify: new value [unit of the property]")
    count: int | None = Field(default=None, ge=1, description="number of commands to act on; by default, all")

    @field_validator("device", "property")
    @classmethod
    def _patterns_can_be_shown(cls, value: str) -> str:
        if not value.isprintable() or len(value) > MAX_PATTERN:
            raise ValueError(f"a pattern has at most {MAX_PATTERN} characters, without control characters")
        return value

    @field_validator("delay_s", "scale", "offset", "value", "count", mode="before")
    @classmethod
    def _booleans_are_not_numbers(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(f"{value} is not a number")
        return parse_number(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _parameters_belong_to_the_action(self) -> Self:
        given = {name for name in ("delay_s", "scale", "offset", "value") if getattr(self, name) is not None}
        allowed = {
            Action.ABANDON: set[str](),
            Action.DELAY: {"delay_s"},
            Action.MODIFY: {"scale", "offset", "value"},
        }[self.action]
        if given - allowed:
            raise ValueError(f"{self.action} does not take {', '.join(sorted(given - allowed))}")
        if allowed and not given:
            raise ValueError(f"{self.action} needs {' or '.join(sorted(allowed))}")
        if "value" in given and len(given) > 1:
            raise ValueError("give either value, or scale and offset")
        return self


def _explain(error: ValidationError) -> str:
    """List all errors in one line: key, reason, and the value given."""
    complaints = []
    for detail in error.errors(include_url=False):
        place = ".".join(map(str, detail["loc"]))
        reason = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            reason = f"unknown key; known keys: {', '.join(FaultRequest.model_fields)}"
        elif place and detail["type"] != "missing":
            reason = f"{reason}, not {detail['input']!r}"
        complaints.append(f"{place}: {reason}" if place else reason)
    return "; ".join(complaints)
