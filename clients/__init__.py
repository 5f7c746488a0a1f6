"""Clients of a running gnomon: find it, read, write and watch its PVs over either protocol, script it from Python.

`devices` makes devices for Bluesky. Importing this package imports no EPICS library; `gnomon.clients.epics_client`
imports the one that is used.
"""

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gnomon.clients.bluesky_devices import Protocol, RingDevices, ServerKind

__all__ = ["devices"]


def devices(
    machine: str | PathLike[str] = "bessy2",
    *,
    prefix: str | None = None,
    protocol: "Protocol" = "ca",
    pvs: str | PathLike[str] | None = None,
    kind: "ServerKind | None" = None,
    name: str = "",
) -> "RingDevices":
    """Make devices of a ring for Bluesky (ophyd-async): a shipped machine by its name, or a machine document's file.

    Without `prefix`, the server of that machine that runs on this computer is used. `protocol` is "ca" or "pva"; `pvs`
    another PV document than the machine's own. A `twin` has a reading for each setting, a `machine` reads in its own
    time: which `kind` it is is found out unless it is given. With `name`, all devices have it before their names.
    Raises ClientError without Bluesky (`pip install 'gnomon[bluesky]'`), DocumentError, and NoServerError when a server
    is looked for and not found.
    """
    from gnomon.clients.extras import needs_bluesky

    with needs_bluesky("gnomon.clients.devices"):
        from gnomon.clients import bluesky_devices
    return bluesky_devices.make_devices(machine, prefix=prefix, protocol=protocol, pvs=pvs, kind=kind, name=name)
