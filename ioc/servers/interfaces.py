"""The broadcast addresses of this host's networks, which Python's standard library does not tell."""

import socket
import struct
import sys
from contextlib import suppress

_GET_FLAGS = 0x8913  # SIOCGIFFLAGS, netdevice(7)
_GET_ADDRESS = 0x8915  # SIOCGIFADDR
_GET_BROADCAST = 0x8919  # SIOCGIFBRDADDR
_UP_AND_BROADCAST = 0x1 | 0x2
_EVERYWHERE = "255.255.255.255"

#: The broadcast address of the loopback network: all servers of this host hear it, where 127.0.0.1 reaches one of them.
LOOPBACK_BROADCAST = "127.255.255.255"


def broadcast_addresses() -> tuple[str, ...]:
    """The IPv4 broadcast address of each network that is up; off Linux the one of all networks."""
    if sys.platform != "linux":
        return (_EVERYWHERE,)
    return tuple(dict.fromkeys(broadcast for _, broadcast in _networks()))


def broadcast_of(address: str) -> str | None:
    """The broadcast address that belongs to an IPv4 address of this host; None where there is none, or not on Linux."""
    return dict(_networks()).get(address) if sys.platform == "linux" else None


def _networks() -> list[tuple[str, str]]:
    """Our address and the broadcast address of each network that is up."""
    found: list[tuple[str, str]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # an interface without an IPv4 address has no broadcast address
                flags = struct.unpack_from("H", _ask(sock, _GET_FLAGS, name), 16)[0]
                if flags & _UP_AND_BROADCAST == _UP_AND_BROADCAST:
                    address, broadcast = (_ask(sock, what, name)[20:24] for what in (_GET_ADDRESS, _GET_BROADCAST))
                    found.append((socket.inet_ntoa(address), socket.inet_ntoa(broadcast)))
    return found


def _ask(sock: socket.socket, request: int, interface: str) -> bytes:
    import fcntl  # not there on Windows

    return fcntl.ioctl(sock.fileno(), request, struct.pack("256s", interface.encode()[:15]))
