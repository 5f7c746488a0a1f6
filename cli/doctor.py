"""`gnomon doctor`: all that can keep a server from starting or running well, and what to do about it."""

from typing import TYPE_CHECKING

import typer

from gnomon.cli.options import ConfigFile, Machine, Prefix, configure
from gnomon.cli.output import Json, print_json

if TYPE_CHECKING:
    from gnomon.ioc.app.checkup import Finding
    from gnomon.ioc.base.config import Config

WELL, ERRORS = 0, 1
_MARKS = {"ok": ("ok", "green"), "warning": ("look", "yellow"), "error": ("ERROR", "red")}


def doctor(config: ConfigFile = None, machine: Machine = None, prefix: Prefix = None, as_json: Json = False) -> None:
    """Check ports, PV names, addresses, clock, disk, stores, brokers and kernels, and say what to do.

    For example `gnomon doctor --config /etc/gnomon/ioc_config.yaml`, before the server is started or while it runs.

    Exit codes: 0 nothing keeps a server from its work, although some things may be worth a look; 1 something does.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from gnomon.ioc.app.checkup import State, examine
    from gnomon.lattice.text import printable

    settings = configure(config, machine, prefix)
    found: list[Finding] = list(examine(settings, brokers(settings), settings.services_token()))
    errors = [each for each in found if each.state is State.ERROR]
    if as_json:
        rows = [
            {"check": each.check, "state": each.state.value, "detail": each.detail, "advice": each.advice}
            for each in found
        ]
        print_json({"well": not errors, "findings": rows})
        raise typer.Exit(ERRORS if errors else WELL)
    table = Table(box=None, show_header=False, pad_edge=False)
    for each in found:
        mark, style = _MARKS[each.state.value]
        table.add_row(Text(mark, style), printable(each.check), Text(printable(each.detail)))
        if each.advice:
            table.add_row("", "", Text(printable(each.advice), "italic"))
    console = Console(emoji=False, highlight=False)
    console.print(table)
    warnings = sum(each.state is State.WARNING for each in found)
    console.print(f"{len(found)} checks: {len(errors)} errors, {warnings} to look at")
    raise typer.Exit(ERRORS if errors else WELL)


def brokers(settings: "Config") -> dict[str, str]:
    """List the addresses of other programs that the configuration names, by the setting."""
    forward = settings.forward
    named = {
        "results.tiled": settings.results.tiled,
        "store.mongodb": settings.store.mongodb,
        "forward.mqtt.host": forward.mqtt.host and f"mqtt://{forward.mqtt.host}:{forward.mqtt.tcp_port}",
        "forward.mongodb.uri": forward.mongodb.uri,
        "forward.logbook.url": forward.logbook.url,
    }
    return {setting: url for setting, url in named.items() if url}
