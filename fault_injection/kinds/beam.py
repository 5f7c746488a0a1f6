"""Faults of the stored beam: it is lost, in part or whole, it lives shorter, or its orbit jumps."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from gnomon.fault_injection.kinds.repeated import MIN_EVERY_S, RepeatedFault
from gnomon.fault_injection.request import MAX_COUNT, MAX_TIME_S, Count, Number, Pattern

#: Largest kick of a fault [mrad].
MAX_KICK_MRAD = 10.0


class BeamFault(RepeatedFault):
    """A fault of the beam, of which a server has one."""

    group: ClassVar[str] = "beam"

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"{self.kind}{self.details()}{self.again()}"  # type: ignore[attr-defined]

    def details(self) -> str:
        """Describe what it does, after its name."""
        return ""


class BeamLoss(BeamFault):
    """Lose a part of the current at once. It comes back with the next top-up, or when 1 is put to `dt:inject`.

    It happens once unless `count` says otherwise, then every second unless `every_s` says otherwise. With a
    probability, there is a chance of it each time.
    """

    kind: Literal["beam_loss"] = "beam_loss"
    momentary: ClassVar[bool] = True

    fraction: Number = Field(gt=0, lt=1, description="part of the present current that is lost")
    every_s: Number = Field(
        default=1.0, ge=MIN_EVERY_S, le=MAX_TIME_S, description="time from one loss, or chance of one, to the next [s]"
    )
    count: Count | None = Field(default=1, ge=1, le=MAX_COUNT, description="number of losses")

    def details(self) -> str:
        """See `BeamFault`."""
        return f" of {100 * self.fraction:g} %"


class BeamDump(BeamFault):
    """Dump the beam, as an interlock does. While the fault lasts none can be stored.

    On a machine the beam stays away after that, too, until 1 is put to `dt:inject`. On a twin, which needs no
    injection, the nominal current is back when the fault is over.
    """

    kind: Literal["beam_dump"] = "beam_dump"


class BeamLifetime(BeamFault):
    """Let the lifetime drop: the current falls faster, and the PVs of the lifetime show it."""

    kind: Literal["beam_lifetime"] = "beam_lifetime"

    factor: Number = Field(gt=0, lt=1, description="factor on the lifetime: 0.1 for a tenth")

    def details(self) -> str:
        """See `BeamFault`."""
        return f" times {self.factor:g}"


class BeamJump(BeamFault):
    """Let the orbit jump by a kick that stays: of a magnet that has moved, or a field that has changed.

    No setpoint and no readback shows it. The magnet is one of those that the pattern matches; of several, one is drawn.
    """

    kind: Literal["beam_jump"] = "beam_jump"

    device: Pattern = Field(
        default="*", description="pattern of names of quadrupoles and steerers, as magnets: one of them kicks the beam"
    )
    kick_mrad: Number = Field(ge=-MAX_KICK_MRAD, le=MAX_KICK_MRAD, description="angle of the kick [mrad]")
    plane: Literal["x", "y"] = Field(default="x", description="plane of the kick")

    @model_validator(mode="after")
    def _kicks(self) -> Self:
        if self.kick_mrad == 0.0:
            raise ValueError("kick_mrad is 0: give the angle of the kick")
        return self

    def details(self) -> str:
        """See `BeamFault`."""
        return f" of {self.kick_mrad:g} mrad in {self.plane} at {self.device}"


class BeamNoOrbit(BeamFault):
    """Let there be no closed orbit: no beam is stored and all its readings are INVALID, as of a model that finds none.

    What follows is what follows a dump.
    """

    kind: Literal["beam_no_orbit"] = "beam_no_orbit"


#: The kinds of this module.
KINDS: tuple[type[BeamFault], ...] = (BeamDump, BeamLoss, BeamLifetime, BeamJump, BeamNoOrbit)
