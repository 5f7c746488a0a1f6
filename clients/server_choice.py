"""The server that a client talks to: the one that runs on this computer, or chosen by prefix, machine or process."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gnomon.clients.errors import NoServerError
from gnomon.ioc.base.running_servers import RunningServer, running_servers

__all__ = ["Target", "choose_server", "choose_servers", "find_again"]

#: Stands for a server's number: search as every EPICS client does, by the EPICS variables alone.
BY_EPICS = "epics"
#: Prefix where nothing says otherwise.
DEFAULT_PREFIX = "TWIN:"


@dataclass(frozen=True, slots=True)
class Target:
    """A twin to talk to: its prefix, and the EPICS variables by which clients reach it.

    `server` is what it made known; None if the twin is searched for by the EPICS variables.
    """

    prefix: str
    environment: Mapping[str, str] = field(default_factory=dict)
    server: RunningServer | None = None

    def describe(self) -> str:
        """Name the twin for messages."""
        return self.server.describe() if self.server is not None else f"prefix {self.prefix!r}, by the EPICS variables"


def choose_server(
    prefix: str | None = None,
    machine: str | None = None,
    config: Path | None = None,
    server: str | None = None,
    names: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Target:
    """Find the twin to talk to.

    `server` is the number of its process, or "epics". `names` are PVs that are to be used: a prefix of a running twin
    that all of them have chooses that twin. A twin that is not found here, but named by its prefix or configuration, is
    searched for by the EPICS variables. Raises NoServerError if none runs, or several do and nothing chooses one.
    """
    found = choose_servers(prefix, machine, config, server, names, environ)
    if len(found) == 1:
        return found[0]
    listed = _list([each.server for each in found if each.server is not None])
    raise NoServerError("several servers run; choose one with --prefix or --server PID:\n" + listed)


def choose_servers(
    prefix: str | None = None,
    machine: str | None = None,
    config: Path | None = None,
    server: str | None = None,
    names: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> tuple[Target, ...]:
    """Find all twins that `choose_server` would choose from, one at least. Raises NoServerError if there is none."""
    environ = os.environ if environ is None else environ
    if server == BY_EPICS:
        return (_by_epics(prefix, config, environ),)
    running = running_servers(environ)
    wanted = [each for each in running if _is_wanted(each, prefix, machine, config, server)]
    if prefix is None and (named := _by_names(wanted, names)):
        wanted = named
    elif prefix is None and server is None:
        wanted = [each for each in wanted if not each.fork] or wanted
    elif prefix is None:
        wanted = [each for each in wanted if not each.fork]
    if wanted:
        return tuple(Target(each.prefix, each.environment, each) for each in wanted)
    # A machine alone chooses among those that run; with a prefix that none of them has, it is elsewhere.
    elsewhere = machine is None or (prefix is not None and all(each.prefix != prefix for each in running))
    if server is None and elsewhere and (prefix is not None or config is not None or _has_epics(environ)):
        return (_by_epics(prefix, config, environ),)
    if running:
        raise NoServerError("none of the running servers is the one that was chosen. Running:\n" + _list(running))
    raise NoServerError(
        "no server of this user runs on this computer. Start one with `gnomon serve`; for a server elsewhere, set "
        "EPICS_PVA_ADDR_LIST or EPICS_CA_ADDR_LIST to its address"
    )


def find_again(target: Target, environ: Mapping[str, str] | None = None) -> Target | None:
    """Find a twin that ran on this computer where it runs now; None if it does not, or is reached as before."""
    if target.server is None:
        return None
    running = running_servers(os.environ if environ is None else environ)
    found = [each for each in running if (each.prefix, each.machine) == (target.prefix, target.server.machine)]
    if len(found) != 1 or found[0].environment == target.environment:
        return None
    return Target(found[0].prefix, found[0].environment, found[0])


def _is_wanted(
    each: RunningServer, prefix: str | None, machine: str | None, config: Path | None, server: str | None
) -> bool:
    return (
        (prefix is None or each.prefix == prefix)
        and (machine is None or Path(machine).stem == each.machine)
        and (config is None or each.config == str(config.resolve()))
        and (server is None or str(each.pid) == server)
    )


def _by_names(servers: Sequence[RunningServer], names: Sequence[str]) -> list[RunningServer]:
    """Find the twins whose prefix, the longest that fits, all names have."""
    prefixed = [each for each in servers if each.prefix and all(name.startswith(each.prefix) for name in names)]
    longest = max((len(each.prefix) for each in prefixed), default=0)
    return [each for each in prefixed if len(each.prefix) == longest] if names else []


def _has_epics(environ: Mapping[str, str]) -> bool:
    return any(environ.get(f"EPICS_{protocol}_{name}", "").strip()
               for protocol in ("PVA", "CA") for name in ("ADDR_LIST", "NAME_SERVERS"))  # fmt: skip


def _by_epics(prefix: str | None, config: Path | None, environ: Mapping[str, str]) -> Target:
    """Search by the EPICS variables, and by the ports of a configuration where they say nothing."""
    told = {name: value for name, value in environ.items() if name.startswith(("EPICS_CA_", "EPICS_PVA_"))}
    if config is not None:
        from gnomon.ioc.base.config import read_config

        read = read_config(config)
        prefix = read.prefix if prefix is None else prefix
        ports = {
            "EPICS_CA_SERVER_PORT": read.network.ca_port,
            "EPICS_PVA_BROADCAST_PORT": read.network.pva_broadcast_port,
        }
        told = {name: str(port) for name, port in ports.items()} | told
    return Target(DEFAULT_PREFIX if prefix is None else prefix, told)


def _list(servers: Sequence[RunningServer]) -> str:
    return "\n".join(f"  {each.describe()}" for each in servers)
