"""Addresses and ports where clients search for names, from the environment and from where we serve."""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal

from gnomon.ioc.servers.interfaces import broadcast_addresses
from gnomon.lattice.text import is_port

Protocol = Literal["CA", "PVA"]

#: The environment variables with the UDP port on which a server hears searches; the first that is set counts.
_PORT = {
    "CA": ("EPICS_CAS_SERVER_PORT", "EPICS_CA_SERVER_PORT"),
    "PVA": ("EPICS_PVAS_BROADCAST_PORT", "EPICS_PVA_BROADCAST_PORT"),
}


def search_addresses(
    protocol: Protocol, interfaces: Sequence[str], environ: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """List where a client would search, and the addresses that we are about to serve on: "host" or "host:port".

    EPICS_<protocol>_ADDR_LIST counts, and unless ..._AUTO_ADDR_LIST is NO every network's broadcast address. We serve
    on `interfaces` unless EPICS_<protocol>S_INTF_ADDR_LIST says otherwise.
    """
    environ = os.environ if environ is None else environ
    interfaces = environ.get(f"EPICS_{protocol}S_INTF_ADDR_LIST", "").split() or interfaces
    entries = environ.get(f"EPICS_{protocol}_ADDR_LIST", "").split()
    listed = [entry.partition(",")[0].partition("@")[0] for entry in entries]
    automatic = environ.get(f"EPICS_{protocol}_AUTO_ADDR_LIST", "").strip().upper() not in ("NO", "0")
    ours = ["127.0.0.1" if interface in ("0.0.0.0", "::", "") else interface for interface in interfaces]
    return tuple(dict.fromkeys([*listed, *(broadcast_addresses() if automatic else ()), *(ours or ["127.0.0.1"])]))


def search_port(protocol: Protocol, port: int, environ: Mapping[str, str] | None = None) -> int:
    """The UDP port on which we, and servers like us, hear searches: from the environment, or `port`."""
    environ = os.environ if environ is None else environ
    text = next((environ[name].strip() for name in _PORT[protocol] if environ.get(name, "").strip()), "")
    return int(text) if is_port(text) else port


def resolve(address: str, port: int) -> tuple[str, int] | None:
    """Host and port of an address, `port` where it gives none; None where it cannot be reached from an IPv4 socket."""
    host, colon, given = address.partition(":")
    if colon and is_port(given):
        port = int(given)
    elif colon:
        return None
    with suppress(OSError, UnicodeError):  # a name that none can have is a UnicodeError
        return socket.gethostbyname(host), port
    return None
