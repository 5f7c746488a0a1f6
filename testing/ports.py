"""Ports of 127.0.0.1 that nobody holds, and the EPICS variables that lead clients there and nowhere else."""

import random
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

#: Below the range that the system hands to outgoing connections, so that a port found free stays free.
PORTS = range(20_000, 32_000)
#: Ports that are tried for each that is wanted, at random.
TRIES = 200
#: Variables that would lead a program elsewhere, or the server to other addresses.
PREFIX = "EPICS_"


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of one server: Channel Access (TCP and UDP), PV Access (TCP), and its searches (UDP)."""

    ca: int
    pva: int
    pva_broadcast: int

    @property
    def network(self) -> dict[str, int]:
        """The ports, as the configuration of a server has them."""
        return {"ca_port": self.ca, "pva_port": self.pva, "pva_broadcast_port": self.pva_broadcast}


def free_ports(number: int) -> list[int]:
    """Find ports that nobody holds, over TCP or UDP, on any address. Raises OSError if it finds too few."""
    found: list[int] = []
    with ExitStack() as held:
        for port in random.SystemRandom().sample(PORTS, min(TRIES * number, len(PORTS))):
            tcp = held.enter_context(socket.socket(type=socket.SOCK_STREAM))
            udp = held.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            with suppress(OSError):
                tcp.bind(("", port))
                udp.bind(("", port))
                found.append(port)
            if len(found) == number:
                return found
    raise OSError(f"no {number} free ports were found between {PORTS.start} and {PORTS.stop}")


def reserve(servers: int) -> tuple[Ports, ...]:
    """Choose ports for a number of servers."""
    each = iter(free_ports(3 * servers))
    return tuple(Ports(next(each), next(each), next(each)) for _ in range(servers))


def client_variables(servers: Sequence[Ports], repeater_port: int | None = None) -> dict[str, str]:
    """Make the EPICS variables of a client that finds these servers and no others.

    Where servers have ports of their own, an address list names each; the variables of single ports lead to the first.
    """
    variables = {
        "EPICS_CA_ADDR_LIST": " ".join(f"127.0.0.1:{each.ca}" for each in servers),
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": str(servers[0].ca),
        "EPICS_PVA_ADDR_LIST": " ".join(f"127.0.0.1:{each.pva_broadcast}" for each in servers),
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_SERVER_PORT": str(servers[0].pva),
        "EPICS_PVA_BROADCAST_PORT": str(servers[0].pva_broadcast),
    }
    return variables if repeater_port is None else variables | {"EPICS_CA_REPEATER_PORT": str(repeater_port)}


def without_epics(environ: Mapping[str, str]) -> dict[str, str]:
    """Leave out all variables of EPICS and of gnomon's command line: what they say is of the user's own network."""
    return {name: value for name, value in environ.items() if not name.startswith((PREFIX, "GNOMON_"))}
