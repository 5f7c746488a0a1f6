"""Faults of connections, over both protocols: channels that go or come late, access that ends, puts that never do.

They never touch what ends them: `dt:fault`, the PVs that show the active faults, and the list of PVs.
"""

from fnmatch import fnmatchcase
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from gnomon.fault_injection.kinds.repeated import RepeatedFault
from gnomon.fault_injection.request import MAX_DELAY_S, FaultRequest, Number, Pattern


class ConnectionFault(FaultRequest):
    """A fault of the connections to PVs: of devices, of single PVs, or of everything if it names neither."""

    group: ClassVar[str] = "connections"

    device: Pattern | None = Field(
        default=None, description="pattern of device names: all their PVs; without device and pv, everything"
    )
    pv: Pattern | None = Field(
        default=None, description="pattern of PV names, with or without prefix, in place of devices: `*:set`"
    )

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        if self.device is not None and self.pv is not None:
            raise ValueError("give device or pv, or neither for everything")
        return self

    @property
    def of_everything(self) -> bool:
        """True if it is about all PVs."""
        return self.device is None and self.pv is None

    def matches_pv(self, name: str, prefix: str, device: str) -> bool:
        """Return whether a PV is the fault's business, by its name or by its device."""
        if self.device is not None:
            return bool(device) and fnmatchcase(device, self.device)
        pattern = self.pv
        return pattern is None or fnmatchcase(name, pattern) or fnmatchcase(name.removeprefix(prefix), pattern)

    def where(self) -> str:
        """Name the pattern, for texts."""
        return self.pv or self.device or "everything"

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"{self.kind} {self.where()}"  # type: ignore[attr-defined]


class Outage(RepeatedFault, ConnectionFault):
    """A fault of connections that lasts, once or again and again: its occasions are outages."""

    counted: ClassVar[str] = "outage"


class ConnectionLost(Outage):
    """Disconnect PVs, and let no client find them until it is over.

    Clients are told that single PVs, or those of devices, are gone, as when a server deletes channels. With everything,
    their circuits are closed, as when a server ends; clients search again, and are called when it is back.
    """

    kind: Literal["connection_lost"] = "connection_lost"

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"connection_lost {self.where()}{self.again()}"


class ConnectionSlow(ConnectionFault):
    """Answer searches late, or make channels late. `count` and `probability` are about names that are asked for."""

    kind: Literal["connection_slow"] = "connection_slow"
    counted: ClassVar[str] = "connection"

    delay_s: Number = Field(gt=0, le=MAX_DELAY_S, description="time by which it is late [s]")
    step: Literal["search", "channel"] = Field(
        default="search", description="`search`: the answer to a search is late; `channel`: the channel that is made"
    )

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"connection_slow {self.where()}: {self.step} {self.delay_s:g} s late"


class ConnectionDenied(Outage):
    """Deny access, as when access security changes: clients keep their channels and are told their new rights.

    Puts are refused; with `allow=none` reading too, over Channel Access, where monitors go on with a fresh value later.
    """

    kind: Literal["connection_denied"] = "connection_denied"

    allow: Literal["read", "none"] = Field(default="read", description="what is still allowed: `read` or `none`")

    def effect(self) -> str:
        """See `FaultRequest`."""
        left = "" if self.allow == "read" else ", reading too"
        return f"connection_denied {self.where()}{left}{self.again()}"


class ConnectionPutHangs(ConnectionFault):
    """Never complete puts: a client that waits runs into its time limit. `count` and `probability` are about puts."""

    kind: Literal["connection_put_hangs"] = "connection_put_hangs"
    counted: ClassVar[str] = "put"

    accepted: bool = Field(
        default=True, description="true: the value is taken, and acts; false: nothing happens to it, and nothing moves"
    )

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"connection_put_hangs {self.where()}, {'accepted' if self.accepted else 'not accepted'}"


#: The kinds of this module.
KINDS: tuple[type[ConnectionFault], ...] = (ConnectionLost, ConnectionSlow, ConnectionDenied, ConnectionPutHangs)
