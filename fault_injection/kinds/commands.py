"""Faults of commands: the dispatcher asks for them between the journal and the lattice."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from gnomon.fault_injection.request import MAX_DELAY_S, Count, FaultRequest, Message, Number, Pattern


class CommandFault(FaultRequest):
    """A fault that acts on commands with a setting that it matches."""

    group: ClassVar[str] = "commands"

    device: Pattern = Field(description="pattern of device names: `Q1P*`, `HS4P?D1R`, `*`")
    property: Pattern = Field(default="*", description="pattern of property names: `current`, `k1`, `*`")

    def matches(self, device: str, property: str) -> bool:
        """Return whether a setting of this property is the fault's business."""
        return fnmatchcase(device, self.device) and fnmatchcase(property, self.property)

    def where(self) -> str:
        """Name the patterns, for texts."""
        return self.device if self.property == "*" else f"{self.device} {self.property}"

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"{self.kind} {self.where()}"  # type: ignore[attr-defined]


class Abandon(CommandFault):
    """Lose the command on its way: the put completes with success, and nothing acts; the readback keeps its value."""

    kind: Literal["abandon"] = "abandon"


class Acknowledge(CommandFault):
    """Acknowledge without acting: the put completes and the readback shows what was asked; the magnet does not move.

    The readback of the property keeps that value until the property is set again.
    """

    kind: Literal["acknowledge"] = "acknowledge"


class Unacknowledged(CommandFault):
    """Act without acknowledging: the command acts, and its put never completes; a client runs into its time limit."""

    kind: Literal["unacknowledged"] = "unacknowledged"


class Refuse(CommandFault):
    """Refuse the command with an error, as a device in local mode does; nothing moves, the setpoint neither."""

    kind: Literal["refuse"] = "refuse"
    message: Message = Field(
        default="the device does not accept the value",
        description="reason that the client is told, after the PV's name",
    )


class Delay(CommandFault):
    """Delay the command, by a fixed time or one drawn for each command; the put completes when it has acted."""

    kind: Literal["delay"] = "delay"
    distribution: Literal["fixed", "uniform", "exponential", "normal"] = Field(
        default="fixed",
        description="`fixed`: by delay_s; `uniform`: between min_s and max_s; `exponential`: mean delay_s; `normal`: "
        "mean delay_s, standard deviation sigma_s; the last two cut at min_s and max_s",
    )
    delay_s: Number | None = Field(default=None, gt=0, le=MAX_DELAY_S, description="the delay, or its mean [s]")
    sigma_s: Number | None = Field(default=None, gt=0, le=MAX_DELAY_S, description="its standard deviation [s]")
    min_s: Number | None = Field(default=None, ge=0, le=MAX_DELAY_S, description="the shortest one [s]; by default, 0")
    max_s: Number | None = Field(
        default=None, gt=0, le=MAX_DELAY_S, description="the longest one [s]; by default, 3600"
    )

    @model_validator(mode="after")
    def _belongs_to_the_distribution(self) -> Self:
        needed, allowed = {
            "fixed": ({"delay_s"}, {"delay_s"}),
            "uniform": ({"max_s"}, {"min_s", "max_s"}),
            "exponential": ({"delay_s"}, {"delay_s", "min_s", "max_s"}),
            "normal": ({"delay_s", "sigma_s"}, {"delay_s", "sigma_s", "min_s", "max_s"}),
        }[self.distribution]
        given = {name for name in ("delay_s", "sigma_s", "min_s", "max_s") if getattr(self, name) is not None}
        if given - allowed:
            raise ValueError(f"a {self.distribution} delay does not take {', '.join(sorted(given - allowed))}")
        if needed - given:
            raise ValueError(f"a {self.distribution} delay needs {', '.join(sorted(needed - given))}")
        if not self.low_s < self.high_s:
            raise ValueError(f"min_s is {self.low_s:g} s: it must be less than max_s, which is {self.high_s:g} s")
        if self.distribution in ("exponential", "normal") and not self.low_s <= (self.delay_s or 0.0) <= self.high_s:
            raise ValueError(f"the mean, {self.delay_s:g} s, must lie between {self.low_s:g} and {self.high_s:g} s")
        return self

    @property
    def low_s(self) -> float:
        """The shortest delay [s]."""
        return self.min_s or 0.0

    @property
    def high_s(self) -> float:
        """The longest delay [s]."""
        return MAX_DELAY_S if self.max_s is None else self.max_s

    def effect(self) -> str:
        """See `FaultRequest`."""
        match self.distribution:
            case "fixed":
                how = f"{self.delay_s:g} s"
            case "uniform":
                how = f"{self.low_s:g} to {self.high_s:g} s"
            case "exponential":
                how = f"{self.delay_s:g} s on average"
            case "normal":
                how = f"{self.delay_s:g} +- {self.sigma_s:g} s"
        return f"delay {self.where()} by {how}"


class ModifyingFault(CommandFault):
    """A fault that changes the values of the settings that it matches."""

    def modified(self, value: float) -> float:
        """Modify a value, in and out in engineering units; the lattice still refuses one outside its limits."""
        raise NotImplementedError


class Modify(ModifyingFault):
    """Change the value: scale * value + offset, or another value; the setpoint shows what was asked."""

    kind: Literal["modify"] = "modify"
    scale: Number | None = Field(default=None, description="factor on the value")
    offset: Number | None = Field(default=None, description="added after the factor [unit of the property]")
    value: Number | None = Field(default=None, description="value instead of the asked one [unit of the property]")

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        if self.value is not None and (self.scale is not None or self.offset is not None):
            raise ValueError("give either value, or scale and offset")
        if self.value is None and self.scale is None and self.offset is None:
            raise ValueError("modify needs offset or scale or value")
        return self

    def modified(self, value: float) -> float:
        """See `ModifyingFault`."""
        if self.value is not None:
            return self.value
        return (1.0 if self.scale is None else self.scale) * value + (self.offset or 0.0)

    def effect(self) -> str:
        """See `FaultRequest`."""
        if self.value is not None:
            return f"modify {self.where()} to {self.value:g}"
        factor = "" if self.scale in (None, 1.0) else f"{self.scale:g} * "
        sign = "-" if (self.offset or 0.0) < 0 else "+"
        return f"modify {self.where()} to {factor}value" + (f" {sign} {abs(self.offset):g}" if self.offset else "")


class Polarity(ModifyingFault):
    """Invert the sign of the value, as leads do that were swapped in a repair."""

    kind: Literal["polarity"] = "polarity"

    def modified(self, value: float) -> float:
        """See `ModifyingFault`."""
        return -value

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"invert {self.where()}"


class Quantise(ModifyingFault):
    """Round the value to whole steps, as a converter with few bits does; halves go to the even step."""

    kind: Literal["quantise"] = "quantise"
    step: Number = Field(gt=0, description="size of a step [unit of the property]")

    def modified(self, value: float) -> float:
        """See `ModifyingFault`."""
        return round(value / self.step) * self.step

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"quantise {self.where()} in steps of {self.step:g}"


class Clip(ModifyingFault):
    """Limit the value to a range without a word, as a supply with a lowered limit does."""

    kind: Literal["clip"] = "clip"
    low: Number | None = Field(default=None, description="lower limit [unit of the property]")
    high: Number | None = Field(default=None, description="upper limit [unit of the property]")

    @model_validator(mode="after")
    def _has_limits(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("clip needs low or high")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low is {self.low:g}: it must not be greater than high, which is {self.high:g}")
        return self

    def modified(self, value: float) -> float:
        """See `ModifyingFault`."""
        value = value if self.low is None else max(value, self.low)
        return value if self.high is None else min(value, self.high)

    def effect(self) -> str:
        """See `FaultRequest`."""
        low = "" if self.low is None else f"{self.low:g}"
        return f"clip {self.where()} to {low}...{'' if self.high is None else f'{self.high:g}'}"


class Swap(CommandFault):
    """Swap two devices, as cables do that are in each other's sockets: what is set for one acts on the other."""

    kind: Literal["swap"] = "swap"
    device: Pattern = Field(description="name of one device")
    other: Pattern = Field(description="name of the other device")

    @model_validator(mode="after")
    def _are_two_names(self) -> Self:
        for name in (self.device, self.other):
            if any(character in name for character in "*?["):
                raise ValueError(f"{name} is a pattern; swap needs the names of two devices")
        if self.device == self.other:
            raise ValueError(f"{self.device} cannot be swapped with itself")
        return self

    def matches(self, device: str, property: str) -> bool:
        """See `CommandFault`."""
        return device in (self.device, self.other) and fnmatchcase(property, self.property)

    def swapped(self, device: str) -> str:
        """Return the other one of the two."""
        return self.other if device == self.device else self.device

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"swap {self.device} and {self.other}" + ("" if self.property == "*" else f" {self.property}")


class Duplicate(CommandFault):
    """Let the command act a second time, as a command of its own that takes its turn when its time has come."""

    kind: Literal["duplicate"] = "duplicate"
    delay_s: Number = Field(default=1.0, ge=0, le=MAX_DELAY_S, description="time until it acts again [s]")

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"duplicate {self.where()} after {self.delay_s:g} s"


class Reorder(CommandFault):
    """Let the command act after the next ones that the fault matches, or after `within_s` if they do not come."""

    kind: Literal["reorder"] = "reorder"
    depth: Count = Field(default=1, ge=1, le=1000, description="number of later commands that act first")
    within_s: Number = Field(
        default=1.0, gt=0, le=MAX_DELAY_S, description="time after which it acts at the latest [s]"
    )

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"reorder {self.where()} by {self.depth} within {self.within_s:g} s"


class PartialGroup(CommandFault):
    """Apply a part of the settings of a command: those that are lost are drawn for each command."""

    kind: Literal["partial_group"] = "partial_group"
    lost: Number = Field(default=0.5, gt=0, le=1, description="probability of each setting that it matches to be lost")

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"partial_group {self.where()}, {self.lost:.0%} lost"


class PartialSupply(CommandFault):
    """Let some magnets of a supply keep their field, as a coil with a short circuit does.

    The difference stands as a trim of those magnets until something sets them back, as undo does.
    """

    kind: Literal["partial_supply"] = "partial_supply"
    magnets: Pattern = Field(description="pattern of the magnets that keep their field")

    def behind(self, magnets: Sequence[str]) -> list[str]:
        """Return those magnets that keep their field."""
        return [name for name in magnets if fnmatchcase(name, self.magnets)]

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"partial_supply {self.where()} without {self.magnets}"


#: The kinds of this module.
KINDS: tuple[type[CommandFault], ...] = (
    Abandon, Delay, Modify, Polarity, Quantise, Clip, Swap, Duplicate, Reorder, PartialGroup, PartialSupply,
    Acknowledge, Unacknowledged, Refuse,
)  # fmt: skip
