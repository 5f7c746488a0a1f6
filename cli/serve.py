"""`gnomon serve`: the server."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.options import (
    Calibration,
    CaPort,
    ConfigFile,
    Follow,
    JournalFile,
    LogFormat,
    Machine,
    Prefix,
    PvaPort,
    Pvs,
    RoleName,
    configure,
)

MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        metavar="PORT",
        min=1,
        max=65535,
        help="Serve /healthz, /readyz and /metrics (Prometheus) on this port.",
        show_default="metrics.port",
    ),
]
HistoryPath = Annotated[
    Path | None,
    typer.Option(
        "--history",
        exists=True,
        dir_okay=False,
        help="Replay the archived setpoints in this file (gnomon snapshot history), then go on.",
    ),
]


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
    log_format: LogFormat = None,
    metrics_port: MetricsPort = None,
    history: HistoryPath = None,
    speed: float = typer.Option(1.0, min=0.001, max=1e6, help="Replay the history this many times as fast."),
    history_from: str | None = typer.Option(
        None,
        "--history-from",
        metavar="TIME",
        help="Start the history at this time: an age (2h), or an ISO time.",
        show_default="when each of its setpoints has a value",
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
    if log_format is not None:
        settings = changed(settings, {"log": {"format": log_format}})
    if metrics_port is not None:
        settings = changed(settings, {"metrics": {"port": metrics_port}})
    replayed = None
    if history is not None:
        from gnomon.clients.points_in_time import parse_moment
        from gnomon.ioc.app.archived_history import HistoryFile

        if settings.role == "shadow":
            raise typer.BadParameter("a shadow follows its machine; replay a history on a twin", param_hint="--history")
        replayed = HistoryFile(history, speed, None if history_from is None else parse_moment(history_from))
    log_to_stderr(settings.log.format)
    console = Console(emoji=False, highlight=False, soft_wrap=True)
    compile_with_progress(console)

    from gnomon.ioc.app.run import run

    asyncio.run(run(settings, console, config_file=config, history=replayed))
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
