"""Does another PV Access server already answer our names? Asked before we serve them, in half a second at most."""

import os
import random
import selectors
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address

from gnomon.ioc.pva.interfaces import broadcast_addresses
from gnomon.ioc.pva.search import answers, search_datagrams

BROADCAST_PORT = 5076
_ROUNDS = 2  # datagrams get lost: ask again for what is not found


def find_pva_servers(
    names: Sequence[str], addresses: Sequence[str], port: int = BROADCAST_PORT, timeout_s: float = 0.5
) -> dict[str, str]:
    """Which of `names` a server answers, as name -> "host:port" of the server; empty if none does.

    `addresses` are "host" or "host:port" (see `search_addresses`), `port` counts where none is given. Blocks for
    `timeout_s` at most, less when all are found: call it in a thread. It finds what listens; one that starts in the
    same moment may be missed. A host without a route or an address can hold no server and is passed over.
    """
    targets = [target for address in addresses if (target := _target(address, port)) is not None]
    if not names or not targets:
        return {}
    sequence = random.getrandbits(31)
    found: dict[str, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, selectors.DefaultSelector() as selector:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setblocking(False)
        sock.bind(("", 0))
        selector.register(sock, selectors.EVENT_READ)
        start = time.monotonic()
        for number in range(_ROUNDS):
            _ask(sock, names, set(found), targets, sequence)
            _listen(sock, selector, names, found, sequence, until=start + timeout_s * (number + 1) / _ROUNDS)
            if len(found) == len(set(names)):
                break
    return found


def search_addresses(interfaces: Sequence[str], environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Where a client would search, and the addresses that we are about to serve on: "host" or "host:port", each once.

    EPICS_PVA_ADDR_LIST counts, and unless EPICS_PVA_AUTO_ADDR_LIST is NO every network's broadcast address.
    """
    environ = os.environ if environ is None else environ
    listed = [entry.partition(",")[0].partition("@")[0] for entry in environ.get("EPICS_PVA_ADDR_LIST", "").split()]
    automatic = environ.get("EPICS_PVA_AUTO_ADDR_LIST", "").strip().upper() not in ("NO", "0")
    ours = ["127.0.0.1" if interface in ("0.0.0.0", "::", "") else interface for interface in interfaces]
    return tuple(dict.fromkeys([*listed, *(broadcast_addresses() if automatic else ()), *(ours or ["127.0.0.1"])]))


def search_port(port: int = BROADCAST_PORT, environ: Mapping[str, str] | None = None) -> int:
    """The UDP port on which servers hear searches: EPICS_PVA_BROADCAST_PORT, or `port`."""
    text = (os.environ if environ is None else environ).get("EPICS_PVA_BROADCAST_PORT", "").strip()
    return int(text) if text.isdecimal() and 0 < int(text) < 65536 else port


def _target(address: str, port: int) -> tuple[str, int] | None:
    host, colon, given = address.partition(":")
    if colon and given.isdecimal():
        port = int(given)
    elif colon:
        return None  # IPv6: such servers hear nothing from an IPv4 socket
    with suppress(OSError):
        return socket.gethostbyname(host), port
    return None


def _ask(
    sock: socket.socket, names: Sequence[str], known: set[str], targets: Sequence[tuple[str, int]], sequence: int
) -> None:
    reply_port = sock.getsockname()[1]
    for host, port in targets:
        unicast = not (ip_address(host).is_multicast or host.endswith(".255"))
        for datagram in search_datagrams(names, sequence, reply_port, unicast, known):
            with suppress(OSError):  # no route, or the network is down: nobody there either
                sock.sendto(datagram, (host, port))


def _listen(
    sock: socket.socket,
    selector: selectors.BaseSelector,
    names: Sequence[str],
    found: dict[str, str],
    sequence: int,
    until: float,
) -> None:
    wanted = len(set(names))
    while len(found) < wanted and (left := until - time.monotonic()) > 0:
        if not selector.select(left):
            return
        datagram, sender = sock.recvfrom(65535)
        for answer in answers(datagram):
            if answer.sequence == sequence:
                for identity in answer.ids:
                    if identity < len(names):
                        found.setdefault(names[identity], f"{answer.host or sender[0]}:{answer.port}")
