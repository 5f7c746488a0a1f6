"""Addresses at which the EPICS libraries search: a server on this computer is found without EPICS variables."""

import os
from collections.abc import Mapping, MutableMapping
from os import PathLike
from pathlib import Path

from gnomon.clients.errors import NoServerError
from gnomon.clients.server_choice import choose_server

__all__ = ["reach_server"]

#: Of each protocol: the list of addresses, what else says where to search, and the port of addresses without one.
_PROTOCOLS = (
    ("EPICS_CA_ADDR_LIST", "EPICS_CA_NAME_SERVERS", "EPICS_CA_AUTO_ADDR_LIST", "EPICS_CA_SERVER_PORT"),
    ("EPICS_PVA_ADDR_LIST", "EPICS_PVA_NAME_SERVERS", "EPICS_PVA_AUTO_ADDR_LIST", "EPICS_PVA_BROADCAST_PORT"),
)
#: The lists that this module made, not the user: they may grow.
_made: dict[str, str] = {}


def reach_server(
    machine: str | PathLike[str], prefix: str | None, environ: MutableMapping[str, str] | None = None
) -> str:
    """Make EPICS libraries find the server of this computer that has the prefix, and return the prefix.

    Where the user has said where to search, nothing is changed. The libraries read the lists when they search for their
    first PV: make the devices of all rings before. Without `prefix` the machine's only server is meant. Raises
    NoServerError.
    """
    environ = os.environ if environ is None else environ
    try:
        target = choose_server(prefix, machine=Path(machine).stem, environ=environ)
    except NoServerError:
        if prefix is None:
            raise
        return prefix
    for names in _PROTOCOLS:
        _extend(environ, target.environment, *names)
    return target.prefix


def _extend(
    environ: MutableMapping[str, str], told: Mapping[str, str], list_: str, servers: str, auto: str, port: str
) -> None:
    """Add the addresses of a server to a list of our own, with ports: libca may have read its own already."""
    before = environ.get(list_, "")
    if before != _made.get(list_, "") or environ.get(servers) or not told.get(list_):
        return
    with_port = (each if ":" in each else f"{each}:{told[port]}" for each in told[list_].split() if port in told)
    environ[list_] = _made[list_] = " ".join(dict.fromkeys([*before.split(), *(with_port)]))
    environ.setdefault(auto, "NO")
