"""Targets of faults of connections: refused, with similar names, if this server has nothing of the kind."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from gnomon.fault_injection import ConnectionFault, ConnectionPutHangs, FaultRequest
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.text import shorten


class ServedNames(Protocol):
    """Names of PVs that faults of connections can be about; see `InjectedConnections`."""

    prefix: str

    @property
    def names(self) -> Mapping[str, str]:
        """The names, with their devices."""
        ...

    @property
    def always_there(self) -> Sequence[str]:
        """The names that are never disturbed."""
        ...

    def named(self, request: ConnectionFault) -> frozenset[str]:
        """Return the names that a fault is about."""
        ...


def disturbs_nothing(request: FaultRequest, connections: ServedNames) -> str:
    """Give the reason if a fault of connections is about no PV, with near names; else empty."""
    if not isinstance(request, ConnectionFault) or connections.named(request):
        return ""
    names, prefix = connections.names, connections.prefix
    what = "PV that can be written" if isinstance(request, ConnectionPutHangs) else "PV"
    if request.device is not None:
        devices = list(dict.fromkeys(filter(None, names.values())))
        if any(fnmatchcase(device, request.device) for device in devices):
            return f"no device that matches {shorten(request.device)} has a {what}"
        hint = near_names_hint(request.device, devices)
        bare = (name.removeprefix(prefix) for name in names)
        if not hint and any(fnmatchcase(name, f"{request.device}:*") for name in bare):
            hint = f"; PVs begin with it: give pv={request.device}:*"
        return f"no device with PVs matches {shorten(request.device)}{hint}"
    pattern = request.pv or ""
    for name in connections.always_there:
        if fnmatchcase(name, pattern) or fnmatchcase(name.removeprefix(prefix), pattern):
            return f"{name} is never disturbed, so that faults can be listed and cleared"
    return f"no {what} matches {shorten(pattern)}{near_names_hint(prefix + pattern.removeprefix(prefix), names)}"
