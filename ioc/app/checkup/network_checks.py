"""Checks of the network: addresses, ports, PV names that somebody serves, machines, brokers."""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from gnomon.ioc.app.checkup.check_results import Finding, error, good, warning
from gnomon.ioc.base.config import NetworkConfig
from gnomon.ioc.base.running_servers import RunningServer
from gnomon.ioc.servers.ca.ca_server import settings as ca_settings
from gnomon.ioc.servers.duplicate_pvs import DuplicatePvError, refuse_duplicate_pvs
from gnomon.ioc.servers.pva import settings as pva_settings

#: Time to wait for a broker [s].
BROKER_S = 2.0
WILDCARDS = ("0.0.0.0", "::")

HEALTH = "health and figures"

#: A port (TCP), and what it is for.
Port = tuple[int, str]


def in_force(network: NetworkConfig, environ: Mapping[str, str]) -> NetworkConfig:
    """Apply the standard EPICS variables to the addresses and ports, as the server does. Raises GnomonError."""
    ca = ca_settings(network.interfaces, network.ca_port, environ)
    wanted = pva_settings.Settings(network.interfaces, network.pva_port, network.pva_broadcast_port)
    pva = pva_settings.server_conf(wanted, environ)
    interfaces = dict.fromkeys((*ca.interfaces, *pva.get("EPICS_PVAS_INTF_ADDR_LIST", "").split()))
    port = pva.get("EPICS_PVAS_SERVER_PORT", "")
    return network.model_copy(
        update={
            "interfaces": tuple(interfaces),
            "ca_port": ca.port,
            "pva_port": int(port) if port else network.pva_port,
        }
    )


def ports_of(network: NetworkConfig, metrics: int | None) -> list[Port]:
    """List the ports that a server needs for itself; those of searches (UDP) are shared by all on a computer."""
    ports = [(network.ca_port, "Channel Access"), (network.pva_port, "PV Access")]
    return [*ports, *([(metrics, HEALTH)] if metrics is not None else [])]


def check_addresses(interfaces: Sequence[str]) -> Iterator[Finding]:
    """Check that the addresses to listen on are addresses of this computer, and who can reach them."""
    for address in interfaces:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((address, 0))
        except OSError as problem:
            yield error(
                "address",
                f"{address} is not an address of this computer ({problem.strerror or problem})",
                "correct network.interfaces; `ip address` lists those that there are",
            )
            continue
        if address in WILDCARDS:
            yield warning(
                "address",
                f"{address}: every network of this computer",
                "name the addresses in network.interfaces, and look at the rules of access",
            )
        else:
            yield good("address", address)


def check_ports(
    interface: str,
    ports: Sequence[Port],
    running: Sequence[RunningServer],
    is_free: Callable[[str, int], bool] | None = None,
) -> Iterator[Finding]:
    """Check that each port is free, or in use by a gnomon of this user."""
    for port, purpose in ports:
        told = f"{port} ({purpose})"
        if (can_listen if is_free is None else is_free)(interface, port):
            yield good("port", f"{told} is free")
            continue
        ours = next((each for each in running if _has_port(each, port)), None)
        if ours is not None:
            yield good("port", f"{told} is in use by a running gnomon, process {ours.pid}")
        elif purpose == HEALTH:
            yield error("port", f"{told} is in use by another program", "choose another metrics.port")
        else:
            yield warning(
                "port",
                f"{told} is in use by another program",
                "the server takes another one, which clients find by searching, but no firewall's rule and no list of "
                f"name servers; `ss -lnpt | grep :{port}` shows who has it",
            )


def can_listen(interface: str, port: int) -> bool:
    """Tell whether a port is free; one that may not be used, or an address that is not ours, is told elsewhere."""
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that was just stopped is no obstacle
        try:
            probe.bind((interface, port))
        except OSError as problem:
            return problem.errno not in (errno.EADDRINUSE, errno.EACCES)
    return True


def _has_port(server: RunningServer, port: int) -> bool:
    return any(value.rpartition(":")[2] == str(port) for value in (server.ca_address, server.pva_address))


def check_names(names: Sequence[str], network: NetworkConfig, running: Sequence[RunningServer], prefix: str) -> Finding:
    """Check that nobody serves our PV names, a running gnomon with this prefix apart."""
    ours = next((each for each in running if each.prefix == prefix), None)
    if ours is not None:
        return good("PV names", f"served by the running gnomon, process {ours.pid}")
    if not network.check_names:
        return warning(
            "PV names", "not searched for", "network.check_names is off: two servers of a name mix their values"
        )
    try:
        asyncio.run(refuse_duplicate_pvs(names, network))
    except DuplicatePvError as problem:
        told, _, _ = str(problem).partition(". ")
        return error("PV names", told, "stop the other server, or choose another prefix or other ports")
    except OSError as problem:
        return warning("PV names", f"the search failed: {problem}", "check network.interfaces and EPICS_*_ADDR_LIST")
    return good("PV names", f"none of {len(names)} is served by another server")


def check_hosts(what: str, addresses: Sequence[str]) -> Iterator[Finding]:
    """Check that the names of computers can be resolved."""
    for address in addresses:
        host = address.partition(":")[0]
        try:
            socket.getaddrinfo(host, None)
        except OSError as problem:
            yield error(what, f"{host} cannot be resolved: {problem}", "correct shadow.addresses, or the name service")
        else:
            yield good(what, f"{address} can be resolved; `gnomon status` tells whether it answers")


def check_brokers(urls: Mapping[str, str]) -> Iterator[Finding]:
    """Check that something listens where the configuration has brokers, stores and catalogues; by setting, URLs.

    Without the document store a machine that is in it alone does not start; what goes elsewhere waits until it is back.
    """
    for setting, url in urls.items():
        parts = urlsplit(url if "://" in url else f"//{url}")
        # Of several servers of one database, the first one; a name that the name service resolves (+srv) is not tried.
        host, _, number = parts.netloc.rpartition("@")[2].partition(",")[0].partition(":")
        port = int(number) if number.isdigit() else _DEFAULT_PORTS.get(parts.scheme, 0)
        if not port:
            continue
        try:
            socket.create_connection((host, port), BROKER_S).close()
        except OSError as problem:
            told = f"{host}:{port} cannot be reached: {problem.strerror or problem}"
            if setting.startswith("store."):
                yield error(setting, told, "start it, or correct the setting")
            else:
                yield warning(setting, told, "start it, or correct the setting; until then nothing gets there")
        else:
            yield good(setting, f"{host}:{port} answers")


_DEFAULT_PORTS = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883, "mongodb": 27017, "redis": 6379}
