"""Where clients search for names: addresses and ports, from the environment and from where we serve."""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal

from gnomon.ioc.interfaces import broadcast_addresses

Protocol = Literal["CA", "PVA"]

#: The environment variable with the UDP port on which servers hear searches.
_PORT = {"CA": "EPICS_CA_SERVER_PORT", "PVA": "EPICS_PVA_BROADCAST_PORT"}


def search_addresses(
    protocol: Protocol, interfaces: Sequence[str], environ: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Where a client would search, and the addresses that we are about to serve on: "host" or "host:port", each once.

    EPICS_<protocol>_ADDR_LIST counts, and unless ..._AUTO_ADDR_LIST is NO every network's broadcast address.
    """
    environ = os.environ if environ is None else environ
    entries = environ.get(f"EPICS_{protocol}_ADDR_LIST", "").split()
    listed = [entry.partition(",")[0].partition("@")[0] for entry in entries]
    automatic = environ.get(f"EPICS_{protocol}_AUTO_ADDR_LIST", "").strip().upper() not in ("NO", "0")
    ours = ["127.0.0.1" if interface in ("0.0.0.0", "::", "") else interface for interface in interfaces]
    return tuple(dict.fromkeys([*listed, *(broadcast_addresses() if automatic else ()), *(ours or ["127.0.0.1"])]))


def search_port(protocol: Protocol, port: int, environ: Mapping[str, str] | None = None) -> int:
    """The UDP port on which servers hear searches: the protocol's environment variable, or `port`."""
    text = (os.environ if environ is None else environ).get(_PORT[protocol], "").strip()
    return int(text) if text.isdecimal() and 0 < int(text) < 65536 else port


def target(address: str, port: int) -> tuple[str, int] | None:
    """Host and port of an address, `port` where it gives none; None where it cannot be reached from an IPv4 socket."""
    host, colon, given = address.partition(":")
    if colon and given.isdecimal():
        port = int(given)
    elif colon:
        return None
    with suppress(OSError):
        return socket.gethostbyname(host), port
    return None
