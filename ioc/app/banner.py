"""The first lines of a server: its machine, PVs and addresses, and two commands to try."""

import os
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.ioc.app.serving import Serving
from gnomon.ioc.app.twin import Twin
from gnomon.ioc.base.config import Config
from gnomon.lattice import KICKS
from gnomon.lattice.text import printable


def introduce(serving: Serving, console: Console, seconds: float) -> None:
    """Print the served machine, PVs and addresses, and commands to try."""
    twin, servers = serving.twin, serving.servers
    config, ring, document = twin.config, twin.machine.ring, twin.machine.document
    setpoint = _example(twin)
    frequencies = {source.name for source in sources.TUNE_FREQUENCY}
    reading = next((s for s in twin.bank.specs if s.source in frequencies), None)
    console.print(
        f"[bold]gnomon[/] {escape(printable(document.title))}: {len(ring.elements)} elements, "
        f"{len(document.supplies)} supplies, {len(ring.bpms)} monitors"
    )
    say = partial(console.print, markup=False)  # brackets of names, prefixes and paths are brackets
    say(
        f"  {len(twin.bank.specs)} PVs as {config.prefix!r}...{f', named by {config.pvs}' if config.pvs else ''}, "
        f"lattice {twin.initial_state.lattice.id}, "
        f"role {_role(config)}"
    )
    _say_where_it_begins(twin, console)
    ca = f"{servers.ca.where.interfaces[0]}:{servers.ca.port}"
    pva = f"{servers.pva_endpoint.interfaces[0]}:{servers.pva_endpoint.port}"
    say(f"  Channel Access {ca}, PV Access {pva}")
    say(f"  journal {twin.journal.path}")
    for fork in serving.forks.all():
        say(
            f"  fork {fork.name}: {len(fork.twin.bank.specs)} PVs as {fork.twin.prefix!r}..., "
            f"lattice {fork.twin.initial_state.lattice.id}, journal {fork.twin.journal.path}"
        )
    variables = {**servers.ca.client_variables, **servers.pva_endpoint.client_variables}
    say(f"  other clients need {_environment(variables)}")
    say("  try:")
    residual = next((s for s in twin.bank.specs if s.source == sources.RESIDUAL_RMS.x.name), None)
    if config.role == "shadow" and residual is not None:
        say(f"    {_program('gnomon')} get {residual.name}")
    elif setpoint is not None:
        say(f"    {_program('gnomon')} put {setpoint.name}=0.1")
    if reading is not None:
        say(f"    {_program('gnomon')} get {reading.name}")
    say(f"ready after {seconds:.2f} s; stop with Ctrl-C")


def _role(config: Config) -> str:
    match config.role:
        case "shadow":
            link = "Channel Access" if config.shadow.protocol == "ca" else "PV Access"
            return f"shadow of {config.shadow.prefix!r}... at {' '.join(config.shadow.addresses)} ({link}, read only)"
        case "machine":
            ideal = config.imperfections.scale == 0.0
            return f"machine (stands in for the real machine, {'without its imperfections' if ideal else 'imperfect'})"
        case _:
            return "twin (independent)"


def _say_where_it_begins(twin: Twin, console: Console) -> None:
    start = twin.initial_state
    if start.changes:
        console.print(f"  {start.note}: settings that are not nominal: {len(start.changes)}", markup=False)
    elif start.note:
        console.print(f"  {start.note}", markup=False)
    for reason in start.left_out:
        console.print(f"  [yellow]not restored:[/] {escape(reason)}")


def _example(twin: Twin) -> PvSpec | None:
    """Choose a setpoint that can be set to 0.1 without harm: the current of a steerer, if there is one."""
    steerers = {magnet.supply for magnet in twin.machine.document.magnets if magnet.property in KICKS}
    harmless = [
        spec
        for spec in twin.bank.specs
        if spec.writable and spec.property == "current" and spec.drive and spec.drive[0] < 0.0 < 0.1 < spec.drive[1]
    ]
    return next((spec for spec in harmless if spec.device in steerers), harmless[0] if harmless else None)


def _program(name: str) -> str:
    """Shorten the path of a program of this environment, as it can be typed here."""
    ours = Path(sys.executable).parent / name
    if shutil.which(name) == str(ours) or not ours.exists():
        return name
    return os.path.relpath(ours) if ours.is_relative_to(Path.cwd()) else str(ours)


def _environment(variables: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in variables.items())
