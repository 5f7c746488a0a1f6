"""Options that several commands share, and the configuration that they make."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gnomon.ioc.base.config import Config

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Configuration file; the shipped one without it.", show_default=False)
]
Machine = Annotated[
    str | None, typer.Option(help="bessy2, mls, or the file of a machine document.", show_default="bessy2")
]
Prefix = Annotated[str | None, typer.Option(help="Put before every PV name; may be ''.", show_default="TWIN:")]
Pvs = Annotated[
    str | None, typer.Option(help="PV document that names the PVs: name or file.", show_default="the machine's own")
]
RoleName = Annotated[
    str | None,
    typer.Option(
        "--role",
        help="twin: on its own; shadow: follows a machine (--follow); machine: plays the real one, by default under "
        "its real names (--prefix '').",
        show_default="twin",
    ),
]
Follow = Annotated[
    str | None,
    typer.Option(
        help="Address of the machine that a shadow follows: HOST, HOST:PORT, or pva://HOST:PORT for PV Access.",
        show_default="that of the configuration",
    ),
]
JournalFile = Annotated[
    Path | None, typer.Option("--journal", help="Journal file.", show_default="one a machine and prefix")
]


def configure(
    file: Path | None,
    machine: str | None = None,
    prefix: str | None = None,
    journal: Path | None = None,
    pvs: str | None = None,
    role: str | None = None,
    follow: str | None = None,
) -> "Config":
    """The configuration in a file with the options of the command line on top. Raises ConfigError."""
    from gnomon.ioc.base.config import changed, read_config

    changes: dict[str, object] = {}
    if machine is not None:
        changes["machine"] = machine
    if role is not None:
        changes["role"] = role
    if prefix is not None or role == "machine":
        changes["prefix"] = prefix or ""
    if follow is not None:
        protocol, _, address = follow.rpartition("://")
        changes["shadow"] = {"addresses": address.split(","), "protocol": protocol or "ca"}
    if pvs is not None:
        changes["pvs"] = pvs
    if journal is not None:
        changes["recorder"] = {"journal": str(journal)}
    return changed(read_config(file), changes)
