"""Faults of readings: what clients are shown differs from what the model has, which nothing here touches."""

from fnmatch import fnmatchcase
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from gnomon.fault_injection.request import MAX_DELAY_S, MAX_TIME_S, Count, FaultRequest, Number, Pattern


class ReadingFault(FaultRequest):
    """A fault of readings: of devices, or of single PVs.

    A monitor by its device name has its positions disturbed before anything is made of them: arrays, tables and
    differences from the reference show it as its own PVs do.
    """

    group: ClassVar[str] = "readings"
    counted: ClassVar[str] = "reading"

    device: Pattern | None = Field(
        default=None, description="pattern of device names: monitors, or devices whose readbacks are meant"
    )
    property: Pattern = Field(
        default="*", description="pattern of property names: `x` and `y` of monitors, `current`, `*`"
    )
    pv: Pattern | None = Field(
        default=None, description="pattern of PV names, with or without prefix, in place of devices: `*:rdbk`"
    )

    @model_validator(mode="after")
    def _has_a_target(self) -> Self:
        if (self.device is None) == (self.pv is None):
            raise ValueError("give device or pv: which readings it is about")
        if self.pv is not None and self.property != "*":
            raise ValueError("property belongs to device, not to pv")
        return self

    def matches(self, device: str, property: str) -> bool:
        """Return whether a reading of this property is the fault's business, by device."""
        return self.device is not None and fnmatchcase(device, self.device) and fnmatchcase(property, self.property)

    def matches_pv(self, name: str, prefix: str) -> bool:
        """Return whether a PV is the fault's business, by name."""
        pattern = self.pv
        return pattern is not None and (fnmatchcase(name, pattern) or fnmatchcase(name.removeprefix(prefix), pattern))

    def where(self) -> str:
        """Name the patterns, for texts."""
        if self.pv is not None:
            return self.pv
        return f"{self.device}" if self.property == "*" else f"{self.device} {self.property}"

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"{self.kind} {self.where()}"  # type: ignore[attr-defined]


class Stuck(ReadingFault):
    """Keep the value that is shown when the fault begins; time stamps go on, so that it looks fresh."""

    kind: Literal["reading_stuck"] = "reading_stuck"


class Offset(ReadingFault):
    """Add a constant to the value."""

    kind: Literal["reading_offset"] = "reading_offset"
    offset: Number = Field(description="added [mm for monitors by device, else the unit of the PV]")

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"reading_offset {self.where()} by {self.offset:g}"


class Drift(ReadingFault):
    """Add an offset that grows with time, from 0 when the fault begins."""

    kind: Literal["reading_drift"] = "reading_drift"
    rate_per_s: Number = Field(description="growth in a second [mm for monitors by device, else the unit of the PV]")
    limit: Number | None = Field(default=None, gt=0, description="largest size of the offset; by default, none")

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"reading_drift {self.where()} by {self.rate_per_s:g} per s"


class Noise(ReadingFault):
    """Add white noise, drawn for each reading; with `for_s`, a burst of it."""

    kind: Literal["reading_noise"] = "reading_noise"
    rms: Number = Field(gt=0, description="its standard deviation [mm for monitors by device, else the unit of the PV]")

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"reading_noise {self.where()} of {self.rms:g} rms"


class Spikes(ReadingFault):
    """Add single spikes: each value has one with probability `share`, of either sign."""

    kind: Literal["reading_spikes"] = "reading_spikes"
    size: Number = Field(gt=0, description="size of a spike [mm for monitors by device, else the unit of the PV]")
    share: Number = Field(default=0.1, gt=0, le=1, description="share of the values that have one")

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"reading_spikes {self.where()} of {self.size:g}, {self.share:.3g} of the values"


class Swapped(ReadingFault):
    """Swap two monitors, as cables do that are in each other's sockets: each shows the other's position."""

    kind: Literal["reading_swapped"] = "reading_swapped"
    device: Pattern = Field(description="name of one monitor")
    other: Pattern = Field(description="name of the other monitor")

    @model_validator(mode="after")
    def _are_two_names(self) -> Self:
        for name in (self.device, self.other):
            if any(character in name for character in "*?["):
                raise ValueError(f"{name} is a pattern; reading_swapped needs the names of two monitors")
        if self.device == self.other:
            raise ValueError(f"{self.device} cannot be swapped with itself")
        return self

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"reading_swapped {self.device} and {self.other}" + ("" if self.property == "*" else f" {self.property}")


class InvertedReading(ReadingFault):
    """Invert the sign of the value."""

    kind: Literal["reading_polarity"] = "reading_polarity"


class Dead(ReadingFault):
    """Let the device be dead: INVALID, with the last value and its time stamp; in arrays the last position stays."""

    kind: Literal["reading_dead"] = "reading_dead"


class NotANumber(ReadingFault):
    """Show NaN, as software does that divides by a sum signal of 0; a scalar PV becomes INVALID with it."""

    kind: Literal["reading_nan"] = "reading_nan"


class WrongSeverity(ReadingFault):
    """Show a wrong alarm severity with a right value; in arrays a monitor has none."""

    kind: Literal["reading_severity"] = "reading_severity"
    severity: Literal["NO_ALARM", "MINOR", "MAJOR", "INVALID"] = Field(description="severity that is shown")

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"reading_severity {self.where()}: {self.severity}"


class Late(ReadingFault):
    """Show everything late: PVs with the time stamp of the reading, positions of monitors in arrays of a time ago."""

    kind: Literal["reading_late"] = "reading_late"
    delay_s: Number = Field(gt=0, le=MAX_DELAY_S, description="time by which it is late [s]")

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"reading_late {self.where()} by {self.delay_s:g} s"


class WrongTime(ReadingFault):
    """Show a wrong time stamp with a right value: off by a constant, or frozen when the fault begins."""

    kind: Literal["reading_time"] = "reading_time"
    offset_s: Number | None = Field(
        default=None, ge=-30 * MAX_TIME_S, le=30 * MAX_TIME_S, description="added to the time stamp [s]"
    )
    frozen: bool = Field(default=False, description="keep the time stamp that is shown when the fault begins")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.offset_s is None) == (not self.frozen):
            raise ValueError("give offset_s, or frozen=true")
        return self

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"reading_time {self.where()} {'frozen' if self.frozen else f'off by {self.offset_s:g} s'}"


class WrongLength(ReadingFault):
    """Show an array of another length: cut, or with zeros at its end."""

    kind: Literal["reading_length"] = "reading_length"
    pv: Pattern = Field(description="pattern of the names of array PVs, with or without prefix")
    length: Count = Field(ge=0, le=10**6, description="number of values that are shown")

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"reading_length {self.where()}: {self.length}"


#: The kinds of this module.
KINDS: tuple[type[ReadingFault], ...] = (
    Stuck, Offset, Drift, Noise, Spikes, Swapped, InvertedReading, Dead, NotANumber, WrongSeverity, Late, WrongTime,
    WrongLength,
)  # fmt: skip
#: Kinds that change values, and so positions of monitors in arrays too.
OF_VALUES = (Stuck, Offset, Drift, Noise, Spikes, Swapped, InvertedReading, Dead, NotANumber, Late)
