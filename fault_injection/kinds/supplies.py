"""Faults of power supplies: the current is not what was set, or the readback is not the current.

They act between the setpoint, which stays as it was asked for, and the field that the beam sees.
"""

from fnmatch import fnmatchcase
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from gnomon.fault_injection.kinds.repeated import RepeatedFault
from gnomon.fault_injection.request import MAX_DELAY_S, MAX_TIME_S, Number, Pattern

#: Largest current in a fault [A].
MAX_CURRENT_A = 1e5


class SupplyFault(RepeatedFault):
    """A fault of power supplies, by their names."""

    group: ClassVar[str] = "supplies"

    device: Pattern = Field(description="pattern of names of power supplies: `Q1P*`, `HS4P1D1R`, `*`")

    def matches(self, supply: str) -> bool:
        """Return whether a supply is the fault's business."""
        return fnmatchcase(supply, self.device)

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"{self.kind} {self.device}{self.details()}{self.again()}"  # type: ignore[attr-defined]

    def details(self) -> str:
        """Describe what it does, after the name of its target."""
        return ""


class SupplyTrip(SupplyFault):
    """Trip: current, readback and field fall to 0, and the setpoint stays.

    With `reset=cleared` the supply is off until the fault is cleared or over; then it goes back to its setpoint, on a
    machine with its ramp. With `reset=setpoint` an operator can reset it: it takes the next value that is put to its
    setpoint, also the same one.
    """

    kind: Literal["supply_trip"] = "supply_trip"

    decay_s: Number = Field(
        default=0.3, ge=0, le=MAX_DELAY_S, description="time constant with which the current falls; 0: at once [s]"
    )
    reset: Literal["cleared", "setpoint"] = Field(
        default="cleared",
        description="what switches it on again: `cleared`: the end of the fault; `setpoint`: that, or the next put to "
        "its setpoint",
    )

    def details(self) -> str:
        """See `SupplyFault`."""
        return " until its setpoint is put again" if self.reset == "setpoint" else ""


class SupplyLimitCycle(SupplyFault):
    """Let the regulation hunt: current, readback and field swing about the setpoint, in a sine."""

    kind: Literal["supply_limit_cycle"] = "supply_limit_cycle"

    amplitude_a: Number = Field(gt=0, le=MAX_CURRENT_A, description="amplitude of the swing [A]")
    period_s: Number = Field(default=4.0, ge=0.5, le=MAX_DELAY_S, description="its period [s]")

    def details(self) -> str:
        """See `SupplyFault`."""
        return f" by {self.amplitude_a:g} A in {self.period_s:g} s"


class SupplyRipple(SupplyFault):
    """Add a ripple to the field. The readback, which is averaged, does not show it.

    The beam is looked at ten times a second, so that a fast ripple looks like noise.
    """

    kind: Literal["supply_ripple"] = "supply_ripple"

    amplitude_a: Number = Field(gt=0, le=MAX_CURRENT_A, description="amplitude of the ripple [A]")
    frequency_hz: Number = Field(default=300.0, gt=0, le=1e6, description="its frequency [Hz]")

    def details(self) -> str:
        """See `SupplyFault`."""
        return f" of {self.amplitude_a:g} A at {self.frequency_hz:g} Hz"


class SupplyReadback(SupplyFault):
    """Let readback and setpoint differ: the readback is scale * current + offset.

    With `field=setpoint` the current is right and its measurement wrong; with `field=readback` the readback is right,
    and the supply gives what it shows.
    """

    kind: Literal["supply_readback"] = "supply_readback"

    scale: Number = Field(default=1.0, ge=-100, le=100, description="factor on the current")
    offset_a: Number = Field(default=0.0, ge=-MAX_CURRENT_A, le=MAX_CURRENT_A, description="added after the factor [A]")
    field: Literal["setpoint", "readback"] = Field(default="setpoint", description="what the field follows")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.scale == 1.0 and self.offset_a == 0.0:
            raise ValueError("give scale or offset_a: how far the readback is off")
        return self

    def details(self) -> str:
        """See `SupplyFault`."""
        scale = "" if self.scale == 1.0 else f" times {self.scale:g}"
        offset = "" if self.offset_a == 0.0 else f" off by {self.offset_a:g} A"
        return f"{scale}{offset}" + (", and the field with it" if self.field == "readback" else "")


class SupplySlow(SupplyFault):
    """Ramp too slowly, readback and field alike; on a machine, the slower of this ramp and its own counts."""

    kind: Literal["supply_slow"] = "supply_slow"

    ramp_s: Number = Field(gt=0, le=MAX_TIME_S, description="time in which it ramps over the range of its current [s]")

    def details(self) -> str:
        """See `SupplyFault`."""
        return f": {self.ramp_s:g} s over its range"


class SupplyHysteresis(SupplyFault):
    """Let the iron's hysteresis grow: the field depends on where the current came from, and no readback shows it.

    The error is 0 after the standard cycle, and reaches the width half way up a ramp over the whole range. On a twin
    magnets count as cycled when the first fault of supplies begins.
    """

    kind: Literal["supply_hysteresis"] = "supply_hysteresis"

    width: Number = Field(
        gt=0, le=0.1, description="width that the loop over the whole range grows by, relative to the range"
    )
    grow_s: Number = Field(
        default=60.0, ge=0, le=MAX_TIME_S, description="time in which it grows to that; 0: at once [s]"
    )

    def details(self) -> str:
        """See `SupplyFault`."""
        return f" grows to {self.width:g} in {self.grow_s:g} s"


#: The kinds of this module.
KINDS: tuple[type[SupplyFault], ...] = (
    SupplyTrip, SupplyLimitCycle, SupplyRipple, SupplyReadback, SupplySlow, SupplyHysteresis,
)  # fmt: skip
