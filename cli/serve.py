"""`gnomon serve`: the server."""

import asyncio
import os
import sys

import typer

from gnomon.cli.options import (
    Calibration,
    CaPort,
    ConfigFile,
    Follow,
    JournalFile,
    Machine,
    Prefix,
    PvaPort,
    Pvs,
    RoleName,
    configure,
)


def serve(
    config: ConfigFile = None,
    machine: Machine = None,
    prefix: Prefix = None,
    pvs: Pvs = None,
    journal: JournalFile = None,
    role: RoleName = None,
    follow: Follow = None,
    calibration: Calibration = None,
    ca_port: CaPort = None,
    pva_port: PvaPort = None,
    seed: int | None = typer.Option(
        None, min=0, help="Seed of a machine's hidden errors (role machine).", show_default="imperfections.seed"
    ),
    ideal: bool = typer.Option(False, "--ideal", help="Serve a machine without imperfections (role machine)."),
    restore: bool = typer.Option(
        False, "--restore", help="Start with the last settings recorded in the journal, not with nominal settings."
    ),
    allow_duplicates: bool = typer.Option(
        False, "--allow-duplicates", help="Start even if another server already serves some of the PV names."
    ),
) -> None:
    """Serve the digital shadow of a ring over Channel Access and PV Access until Ctrl-C.

    For example `gnomon serve --machine mls --prefix SIM: --ca-port 5066 --pva-port 5077`.
    Only programs on this computer can connect, unless the configuration (network.interfaces) or the standard EPICS
    variables (EPICS_CAS_INTF_ADDR_LIST, EPICS_PVAS_INTF_ADDR_LIST ...) give other addresses to listen on.
    """
    from rich.console import Console

    from gnomon.cli.compile_kernels import compile_with_progress
    from gnomon.ioc.base.config import changed
    from gnomon.ioc.base.log_limits import log_to_stderr

    settings = configure(config, machine, prefix, journal, pvs, role, follow, ca_port, pva_port, calibration)
    os.environ.update(_port_variables(ca_port, pva_port))
    if restore:
        settings = changed(settings, {"recorder": {"restore": True}})
    if allow_duplicates:
        settings = changed(settings, {"network": {"check_names": False}})
    if seed is not None or ideal:
        if settings.role != "machine":
            raise typer.BadParameter("--seed and --ideal are for --role machine; other roles have no imperfections")
        imperfections = ({} if seed is None else {"seed": seed}) | ({"scale": 0.0} if ideal else {})
        settings = changed(settings, {"imperfections": imperfections})
    log_to_stderr()
    console = Console(emoji=False, highlight=False, soft_wrap=True)
    compile_with_progress(console)

    from gnomon.ioc.app.run import run

    asyncio.run(run(settings, console, config_file=config))
    # Everything is closed. Freeing the compiled kernels and thousands of PVs one by one would take seconds.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _port_variables(ca_port: int | None, pva_port: int | None) -> dict[str, str]:
    """Make the variables that give an option precedence over the standard EPICS variables of the environment."""
    ports = {
        "EPICS_CAS_SERVER_PORT": ca_port,
        "EPICS_PVAS_SERVER_PORT": pva_port,
        "EPICS_PVAS_BROADCAST_PORT": pva_port and pva_port + 1,
    }
    return {name: str(port) for name, port in ports.items() if port is not None}
