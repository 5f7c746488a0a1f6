"""`gnomon machine truth`: the hidden errors of an imperfect machine, for evaluation alone.

Nothing else of gnomon reads them: not the shadow, not a client, no measurement and no check of a replay.
"""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.options import ConfigFile, Machine, configure
from gnomon.cli.output import Json, print_json, print_table

if TYPE_CHECKING:
    from gnomon.fault_injection.errors import MachineErrors
    from gnomon.ioc.base.config import Config


def truth(
    patterns: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATTERN", help="List the errors of devices whose name matches: `'Q4*'`, `'*'`."),
    ] = None,
    config: ConfigFile = None,
    machine: Machine = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed, in place of the configured one.")] = None,
    document: Annotated[
        Path | None,
        typer.Option(help="Write a machine document with the true values to this file (.json).", dir_okay=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the hidden errors of a machine with role machine, for evaluation alone.

    Without options they are those of the machine that runs on this computer, if one does, else those of the
    configuration. For example `gnomon machine truth 'Q4*'`. Without a pattern, a summary of each kind.
    """
    from gnomon.ioc.app.imperfect.imperfect_machine import machine_errors, write_true_document
    from gnomon.ioc.base.machines import find_machine

    settings, whose = _settings(config, machine, seed)
    found = find_machine(settings)
    errors = machine_errors(found.document, settings.imperfections)
    rows = _rows(errors, patterns or ["*"])
    if not rows:
        raise typer.BadParameter(f"no device with an error matches {' '.join(patterns or ())}")
    if document is not None:
        write_true_document(found.document, errors, document)
    if as_json:
        heading = {"machine": found.document.name, "seed": errors.seed, "scale": settings.imperfections.scale}
        print_json(heading | {"of": whose, "errors": rows})
        return
    typer.echo(f"{found.document.name}, seed {errors.seed}, {whose}")
    if patterns:
        print_table(rows, {"kind": "kind", "device": "device", "value": "error", "unit": "unit"}, right=("value",))
    else:
        print_table(
            _summary(errors),
            {"kind": "kind", "count": "devices", "size": "size", "rms": "rms", "largest": "largest", "device": "device",
             "unit": "unit"},
            right=("count", "size", "rms", "largest"),
        )  # fmt: skip
    if document is not None:
        typer.echo(f"{document}: the machine document with the true values")


def _settings(config: Path | None, machine: str | None, seed: int | None) -> "tuple[Config, str]":
    """Return the configuration of the machine that is meant, and whose it is, for people."""
    from gnomon.ioc.base.config import as_served, changed
    from gnomon.ioc.base.running_servers import running_servers

    settings = configure(config, machine)
    if seed is not None:
        settings = changed(settings, {"imperfections": {"seed": seed}})
    running = [server for server in running_servers() if server.role == "machine" and server.imperfections]
    if config is not None or machine is not None or seed is not None or not running:
        return settings, "of the configuration"
    if len(running) > 1:
        which = "; ".join(server.describe() for server in running)
        raise typer.BadParameter(f"several machines run on this computer, give --machine and --seed: {which}")
    server = running[0]
    imperfections = json.loads(server.imperfections)
    own = as_served(settings, server.machine, server.store)
    return changed(own, {"imperfections": imperfections}), f"of the running machine, process {server.pid}"


def _rows(errors: "MachineErrors", patterns: list[str]) -> list[dict[str, Any]]:
    """List the errors of the devices that match, and of the girders that they stand on, kind by kind."""
    from gnomon.fault_injection.errors import KINDS

    def wanted(name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    girders = {girder.name for girder in errors.girders if any(wanted(body.name) for body in girder.bodies)}
    return [
        {"kind": kind.name, "device": device, "value": value, "unit": kind.unit}
        for kind in KINDS
        for device, value in errors.values[kind.name].items()
        if (device in girders if kind.of == "girder" else wanted(device))
    ]


def _summary(errors: "MachineErrors") -> list[dict[str, Any]]:
    """Describe each kind: how many devices have it, its size, and what was drawn."""
    from gnomon.fault_injection.errors import KINDS

    rows = []
    for kind in KINDS:
        values = errors.values[kind.name]
        if values:
            device, largest = max(values.items(), key=lambda item: abs(item[1]))
            rms = (sum(value**2 for value in values.values()) / len(values)) ** 0.5
            rows.append(
                {"kind": kind.name, "count": len(values), "size": getattr(errors.sizes, kind.name), "rms": f"{rms:.3g}",
                 "largest": f"{largest:.3g}", "device": device, "unit": kind.unit or "relative"}
            )  # fmt: skip
    return rows
