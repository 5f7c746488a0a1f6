"""Does another Channel Access server already answer our names? Asked before we serve them, in half a second at most."""

import asyncio
import itertools
import random
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

from gnomon.ioc.servers.address_lists import resolve

HEADER = struct.Struct(">HHHHII")
VERSION, SEARCH = 0, 6
PROTOCOL_VERSION = 13
DONT_REPLY = 5
DATAGRAM = 1400
_AGAIN_S = 0.25  # datagrams get lost: ask again for what is not found, less often each time


async def find_ca_servers(
    names: Sequence[str], addresses: Sequence[str], port: int, timeout_s: float = 0.5
) -> dict[str, str]:
    """Find those of `names` that a server answers, as name -> "host:port" of the server; empty if none does.

    `addresses` are "host" or "host:port", `port` counts where none is given. Takes `timeout_s` at most, less when all
    are found. A host that cannot be reached can hold no server for us and is passed over.
    """
    targets = [t for address in addresses if (t := resolve(address, port)) is not None]
    if not names or not targets:
        return {}
    found: dict[str, str] = {}
    base = random.getrandbits(30)
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.bind(("", 0))
    began = loop.time()
    try:
        for number in itertools.count():
            datagrams = search_datagrams(names, base, set(found))
            # A server that is overrun loses the last ones: they are the first the next time.
            for datagram in reversed(datagrams) if number % 2 else datagrams:
                for where in targets:
                    with suppress(OSError):
                        sock.sendto(datagram, where)
            listened_s = min(_AGAIN_S * 2**number, timeout_s)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(began + listened_s):
                    while len(found) < len(set(names)):
                        datagram, sender = await loop.sock_recvfrom(sock, 65535)
                        for cid, server_port in answers(datagram):
                            if 0 <= cid - base < len(names):
                                found.setdefault(names[cid - base], f"{sender[0]}:{server_port}")
            if len(found) == len(set(names)) or listened_s == timeout_s:
                break
    finally:
        sock.close()
    return found


def search_datagrams(names: Sequence[str], base: int, known: set[str]) -> list[bytes]:
    """Searches for all names but those known, as many a datagram as fit; name number n is asked for as `base` + n."""
    head = HEADER.pack(VERSION, 0, 0, PROTOCOL_VERSION, 0, 0)
    datagrams, current = [], head
    for number, name in enumerate(names):
        if name in known:
            continue
        payload = name.encode() + b"\0"
        payload += b"\0" * (-len(payload) % 8)
        cid = base + number
        message = HEADER.pack(SEARCH, len(payload), DONT_REPLY, PROTOCOL_VERSION, cid, cid) + payload
        if len(current) + len(message) > DATAGRAM:
            datagrams.append(current)
            current = head
        current += message
    return [*datagrams, current] if len(current) > len(head) else datagrams


def answers(datagram: bytes) -> list[tuple[int, int]]:
    """(identity, TCP port) of each search reply in a datagram; what is malformed is passed over."""
    found = []
    start = 0
    while start + HEADER.size <= len(datagram):
        command, size, port, _, _, cid = HEADER.unpack_from(datagram, start)
        if command == SEARCH:
            found.append((cid, port))
        start += HEADER.size + size
    return found
