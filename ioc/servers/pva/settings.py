"""Settings of where the server listens: the caller's wishes and the standard environment variables, which win."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from gnomon.lattice import GnomonError
from gnomon.lattice.text import is_port

SERVER_PORT = 5075
BROADCAST_PORT = 5076

# What a server understands, each with the client's variable that counts when its own is not set.
_VARIABLES: dict[str, tuple[str, ...]] = {
    "EPICS_PVAS_INTF_ADDR_LIST": (),
    "EPICS_PVAS_SERVER_PORT": ("EPICS_PVA_SERVER_PORT",),
    "EPICS_PVAS_BROADCAST_PORT": ("EPICS_PVA_BROADCAST_PORT",),
    "EPICS_PVAS_BEACON_ADDR_LIST": ("EPICS_PVA_ADDR_LIST",),
    "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": ("EPICS_PVA_AUTO_ADDR_LIST",),
    "EPICS_PVAS_IGNORE_ADDR_LIST": (),
    "EPICS_PVA_CONN_TMO": (),
}


class PvaError(GnomonError):
    """The PV Access server cannot do what its settings ask for."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Wishes of the caller; port 0 means any free one, no interface means all of them."""

    interfaces: Sequence[str] = ("127.0.0.1",)
    port: int = SERVER_PORT
    broadcast_port: int = BROADCAST_PORT
    beacon_addresses: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Addresses and ports of a running server. `client_variables` are the environment in which clients find it."""

    interfaces: tuple[str, ...]
    port: int
    wanted_port: int
    broadcast_port: int
    client_variables: Mapping[str, str]

    @property
    def moved(self) -> bool:
        """True if the wanted TCP port was taken, so that the server got another one. Searches still find it."""
        return self.wanted_port not in (0, self.port)


def server_conf(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The complete configuration for `p4p.server.Server(conf=..., useenv=False)`.

    A variable that is set to nothing counts as not set, as everywhere in EPICS. Raises PvaError for a port that is
    none.
    """
    local = bool(settings.interfaces) and all(_is_loopback(interface) for interface in settings.interfaces)
    beacons = list(settings.beacon_addresses) or (["127.0.0.1"] if local else [])
    conf = {
        "EPICS_PVAS_INTF_ADDR_LIST": " ".join(settings.interfaces),
        "EPICS_PVAS_SERVER_PORT": str(settings.port),
        "EPICS_PVAS_BROADCAST_PORT": str(settings.broadcast_port),
        "EPICS_PVAS_BEACON_ADDR_LIST": " ".join(beacons),
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO" if beacons else "YES",
    }
    for name, others in _VARIABLES.items():
        given = next((environ[key].strip() for key in (name, *others) if environ.get(key, "").strip()), None)
        if given is not None:
            conf[name] = given
    for name in ("EPICS_PVAS_SERVER_PORT", "EPICS_PVAS_BROADCAST_PORT"):
        _check_port(name, conf[name])
    return {name: value for name, value in conf.items() if value}


def private_conf(conf: Mapping[str, str]) -> dict[str, str]:
    """The configuration of the pvxs server behind the guard: reached by the guard alone, found by nobody."""
    private = {
        "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_PVAS_SERVER_PORT": "0",
        "EPICS_PVAS_BROADCAST_PORT": "0",
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
    }
    return private | {name: conf[name] for name in ("EPICS_PVA_CONN_TMO",) if name in conf}


def endpoint(interfaces: Sequence[str], wanted_port: int, port: int, broadcast_port: int) -> Endpoint:
    """Return where a server listens, and the environment in which clients find it."""
    first = interfaces[0] if interfaces else "0.0.0.0"
    variables = {
        "EPICS_PVA_ADDR_LIST": "127.0.0.1" if first in ("0.0.0.0", "::") else first,
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
    }
    if broadcast_port != BROADCAST_PORT:
        variables["EPICS_PVA_BROADCAST_PORT"] = str(broadcast_port)
    return Endpoint(tuple(interfaces), port, wanted_port, broadcast_port, variables)


def _check_port(name: str, text: str) -> None:
    if text != "0" and not is_port(text):
        raise PvaError(f"{name}={text!r} is not a port: give a whole number from 0 (any free port) to 65535.")


def _is_loopback(interface: str) -> bool:
    try:
        return ip_address(_host(interface)).is_loopback
    except ValueError:
        return interface == "localhost"


def _host(entry: str) -> str:
    """The address of "1.2.3.4", "1.2.3.4:5075", "[::1]:5075" or "::1"."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.rpartition(":")[0] if entry.count(":") == 1 else entry
