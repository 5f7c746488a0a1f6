"""The sockets on which clients find and reach the server, from the settings of a PV Access server."""

import errno
import os
import socket
import stat
import struct
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import ip_address

from gnomon.ioc.servers.interfaces import broadcast_addresses
from gnomon.ioc.servers.pva.settings import PvaError
from gnomon.lattice.text import is_port

#: The group, on this computer only, through which servers that share a UDP port hand questions on to each other.
LOCAL_GROUP = "224.0.0.128"
_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Listening:
    """Addresses to listen on and to send beacons to; addresses as (host, port), of those ignored port 0 is any."""

    interfaces: tuple[tuple[str, int], ...]
    broadcast_port: int
    beacons: tuple[tuple[str, int], ...]
    ignored: tuple[tuple[str, int], ...]

    @property
    def everywhere(self) -> bool:
        """True if all addresses of this computer are served."""
        return any(ip_address(host).is_unspecified for host, _ in self.interfaces)


def listening(conf: Mapping[str, str]) -> Listening:
    """Read a complete configuration (see `settings.server_conf`). Raises PvaError for what is not an address."""
    port, broadcast_port = int(conf["EPICS_PVAS_SERVER_PORT"]), int(conf["EPICS_PVAS_BROADCAST_PORT"])
    beacons = _addresses(conf.get("EPICS_PVAS_BEACON_ADDR_LIST", ""), broadcast_port)
    if conf.get("EPICS_PVAS_AUTO_BEACON_ADDR_LIST", "YES").upper() not in ("NO", "0"):
        beacons = tuple(dict.fromkeys((*beacons, *((host, broadcast_port) for host in broadcast_addresses()))))
    return Listening(
        interfaces=_addresses(conf.get("EPICS_PVAS_INTF_ADDR_LIST", "") or "0.0.0.0", port),
        broadcast_port=broadcast_port,
        beacons=beacons,
        ignored=_addresses(conf.get("EPICS_PVAS_IGNORE_ADDR_LIST", ""), 0),
    )


def tcp_sockets(where: Listening) -> list[socket.socket]:
    """One listening socket an interface, all on one port: the one wanted, or a free one when it is taken.

    Raises OSError when an address is not one of this computer.
    """
    try:
        return _bound(where.interfaces)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    return _bound([(host, 0) for host, _ in where.interfaces])


def udp_socket(port: int) -> socket.socket:
    """The socket that hears searches on all IPv4 addresses, shared with other servers on this computer.

    Each datagram comes with the address that it was sent to (`asked_at`), by which interfaces are told apart.
    """
    with ExitStack() as stack:
        sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if port:
            _share(sock)
        sock.setsockopt(socket.IPPROTO_IP, _PKTINFO, 1)
        sock.bind(("", port))
        _share(sock)  # not before: of the free ports it would take one that another shares
        loopback = socket.inet_aton("127.0.0.1")
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(LOCAL_GROUP) + loopback)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        stack.pop_all()
        return sock


def asked_at(ancillary: Sequence[tuple[int, int, bytes]]) -> tuple[str, str]:
    """Our address that received a datagram, and the one it was sent to, which may be that of a group or of all."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _PKTINFO and len(data) >= _PACKET.size:
            _, ours, destination = _PACKET.unpack_from(data)
            return socket.inet_ntoa(ours), socket.inet_ntoa(destination)
    return "", ""


_PKTINFO = getattr(socket, "IP_PKTINFO", 8)  # ip(7)
_PACKET = struct.Struct("=i4s4s")
ANCILLARY_BYTES = socket.CMSG_SPACE(_PACKET.size)


def _share(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _bound(addresses: Sequence[tuple[str, int]]) -> list[socket.socket]:
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        for host, port in addresses:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            sock = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # The first that gets a free port gives it to the others.
            sock.bind((host, port or (sockets[0].getsockname()[1] if sockets else 0)))
            sock.listen(_BACKLOG)
            sockets.append(sock)
        stack.pop_all()
        return sockets


def _addresses(text: str, port: int) -> tuple[tuple[str, int], ...]:
    return tuple(dict.fromkeys(_address(entry, port) for entry in text.replace(",", " ").split()))


def _address(entry: str, port: int) -> tuple[str, int]:
    """Host and port of "1.2.3.4", "host:5075", "::1" or "[::1]:5075"; what follows an @, an interface, is left out."""
    entry = entry.partition("@")[0]
    if entry.startswith("["):
        host, _, given = entry[1:].partition("]")
        given = given.lstrip(":")
    elif entry.count(":") == 1:
        host, _, given = entry.partition(":")
    else:
        host, given = entry, ""
    if given not in ("", "0") and not is_port(given):
        raise PvaError(f"{entry!r} is not an address: {given!r} is not a port.")
    try:
        ip_address(host)
    except ValueError:
        try:
            host = socket.gethostbyname(host)
        except OSError as error:
            raise PvaError(f"{host!r} has no address: {error}. Give an address of this host.") from error
    return host, int(given) if given else port


def limit_waiting(port: int, max_bytes: int) -> None:
    """Keep pvxs from holding more than `max_bytes` for a client that does not read. Call it before clients connect.

    pvxs stops sending updates to a client when twice the size of its socket's buffer waits. Its listening socket is in
    this process, and what a socket accepts has its buffer's size. Linux reports, and keeps, twice what it is given.
    Where the system does not list descriptors, pvxs keeps what it likes.
    """
    descriptors: list[str] = []
    with suppress(OSError):
        descriptors = os.listdir("/proc/self/fd")
    for descriptor in map(int, descriptors):
        with suppress(OSError):  # one that has been closed meanwhile
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as sock:
                listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                if listens and sock.family == socket.AF_INET and sock.getsockname()[1] == port:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, max_bytes // 4)
