"""Does another PV Access server already answer our names? Asked before we serve them, in half a second at most."""

import itertools
import random
import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address

from gnomon.ioc.servers.address_lists import resolve
from gnomon.ioc.servers.pva.search_messages import answers, search_datagrams

BROADCAST_PORT = 5076
_AGAIN_S = 0.25  # datagrams get lost: ask again for what is not found, less often each time


def find_pva_servers(
    names: Sequence[str], addresses: Sequence[str], port: int = BROADCAST_PORT, timeout_s: float = 0.5
) -> dict[str, str]:
    """Find those of `names` that a server answers, as name -> "host:port" of the server; empty if none does.

    `addresses` are "host" or "host:port" (see `gnomon.ioc.servers.address_lists`), `port` counts where none is given.
    Blocks for `timeout_s` at most, less when all are found: call it in a thread. It finds what listens; one that starts
    in the same moment may be missed. A host without a route or an address can hold no server and is passed over.
    """
    targets = [t for address in addresses if (t := resolve(address, port)) is not None]
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
        for number in itertools.count():
            _ask(sock, names, set(found), targets, sequence, backwards=number % 2 == 1)
            listened_s = min(_AGAIN_S * 2**number, timeout_s)
            _listen(sock, selector, names, found, sequence, until=start + listened_s)
            if len(found) == len(set(names)) or listened_s == timeout_s:
                break
    return found


def _ask(
    sock: socket.socket,
    names: Sequence[str],
    known: set[str],
    targets: Sequence[tuple[str, int]],
    sequence: int,
    *,
    backwards: bool,
) -> None:
    """Ask every target; `backwards` begins with the last names, which a server that is overrun loses at first."""
    reply_port = sock.getsockname()[1]
    for host, port in targets:
        unicast = not (ip_address(host).is_multicast or host.endswith(".255"))
        datagrams = list(search_datagrams(names, sequence, reply_port, unicast, known))
        for datagram in reversed(datagrams) if backwards else datagrams:
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
