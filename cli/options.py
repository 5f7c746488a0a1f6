"""Options that several commands share, and the configuration that they give."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from gnomon.clients.server_choice import Target
    from gnomon.ioc.base.config import Config

#: Longest time that an option can give [s].
MAX_SECONDS = 2_600_000.0

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="GNOMON_CONFIG",
        help="Read the configuration from this file (YAML).",
        show_default="the shipped file",
    ),
]
Machine = Annotated[
    str | None,
    typer.Option(
        envvar="GNOMON_MACHINE",
        help="Name of a shipped machine (bessy2, mls), or file of a machine document.",
        show_default="bessy2",
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(envvar="GNOMON_PREFIX", help="Prefix of all PV names; '' for no prefix.", show_default="TWIN:"),
]
CaPort = Annotated[
    int | None,
    typer.Option(
        "--ca-port",
        metavar="PORT",
        min=1,
        max=65535,
        help="Channel Access port (TCP and UDP).",
        show_default="5064",
    ),
]
PvaPort = Annotated[
    int | None,
    typer.Option(
        "--pva-port",
        metavar="PORT",
        min=1,
        max=65534,
        help="PV Access port (TCP); searches are heard on the next one (UDP).",
        show_default="5075",
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        envvar="GNOMON_SERVER",
        help="Number of the server's process, where several run on this computer; `epics`: search by the EPICS "
        "variables alone.",
        show_default="the one that runs",
    ),
]
Protocol = Annotated[
    Literal["pva", "ca"], typer.Option(help="Talk over PV Access or over Channel Access.", show_default="pva")
]


def check_seconds(value: float | None) -> float | None:
    """Refuse a time that cannot be waited for: zero, negative, NaN, or longer than a month."""
    if value is not None and not 0 < value <= MAX_SECONDS:
        raise typer.BadParameter(f"{value:g} s is not a time to wait: use more than 0 and at most {MAX_SECONDS:g} s")
    return value


Timeout = Annotated[
    float,
    typer.Option(
        envvar="GNOMON_TIMEOUT", callback=check_seconds, help="Wait at most this long for the server's answer [s]."
    ),
]
Pvs = Annotated[
    str | None,
    typer.Option(
        help="Name or file of the PV document that names the PVs.", show_default="the machine's own PV document"
    ),
]
RoleName = Annotated[
    str | None,
    typer.Option(
        "--role",
        help="Role of the server. twin: independent; shadow: follows a machine (--follow); machine: stands in for the "
        "real machine, by default under its real PV names (--prefix '').",
        show_default="twin",
    ),
]
Follow = Annotated[
    str | None,
    typer.Option(
        help="Follow the machine at this address: HOST or HOST:PORT over Channel Access, pva://HOST:PORT over PV "
        "Access.",
        show_default="the address in the configuration",
    ),
]
Calibration = Annotated[
    str | None,
    typer.Option(
        help="Serve the bounds of the machine's next reading (dt:bound:*), by this calibration: the first digits of "
        "its id, or newest.",
        show_default="shadow.calibration",
    ),
]
JournalFile = Annotated[
    Path | None,
    typer.Option("--journal", help="Write the journal to this file.", show_default="one file per machine and prefix"),
]

LogFormat = Annotated[
    Literal["text", "json"] | None,
    typer.Option(
        "--log-format", help="Write the log as text, or as an object (JSON) a line.", show_default="log.format"
    ),
]


def running_server(
    config: Path | None = None,
    machine: str | None = None,
    prefix: str | None = None,
    server: str | None = None,
    names: Sequence[str] = (),
) -> "Target":
    """Find the running twin that the options of the command line mean. Raises NoServerError."""
    from gnomon.clients.server_choice import choose_server

    return choose_server(prefix=prefix, machine=machine, config=config, server=server, names=names)


def configure(
    file: Path | None,
    machine: str | None = None,
    prefix: str | None = None,
    journal: Path | None = None,
    pvs: str | None = None,
    role: str | None = None,
    follow: str | None = None,
    ca_port: int | None = None,
    pva_port: int | None = None,
    calibration: str | None = None,
) -> "Config":
    """Read the configuration file and apply the options of the command line to it. Raises ConfigError."""
    from gnomon.ioc.base.config import changed, read_config

    changes: dict[str, object] = {}
    shadow: dict[str, object] = {} if calibration is None else {"calibration": calibration}
    network = {"ca_port": ca_port, "pva_port": pva_port, "pva_broadcast_port": pva_port and pva_port + 1}
    if given := {key: port for key, port in network.items() if port is not None}:
        changes["network"] = given
    if machine is not None:
        changes["machine"] = machine
    if role is not None:
        changes["role"] = role
    if prefix is not None or role == "machine":
        changes["prefix"] = prefix or ""
    if follow is not None:
        protocol, _, address = follow.rpartition("://")
        shadow |= {"addresses": address.split(","), "protocol": protocol or "ca"}
    if shadow:
        changes["shadow"] = shadow
    if pvs is not None:
        changes["pvs"] = pvs
    if journal is not None:
        changes["recorder"] = {"journal": str(journal)}
    return changed(read_config(file), changes)


def config_file(file: Path | None) -> Path:
    """Name the file from which `configure` reads."""
    from gnomon.ioc.base.config import SHIPPED

    return file or SHIPPED
