"""A server from start to end: start the twin, say what it serves, wait for a signal, stop."""

import asyncio
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack

from rich.console import Console

from gnomon.ioc.config import Config
from gnomon.ioc.twin import Twin, start


async def run(config: Config, console: Console, started: float | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Raises GnomonError when it cannot start."""
    began = time.perf_counter() if started is None else started
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        twin = await start(config, stack)
        _introduce(twin, console, time.perf_counter() - began)
        await stop.wait()
        console.print("stopping")


def _introduce(twin: Twin, console: Console, seconds: float) -> None:
    config, ring, document = twin.config, twin.found.ring, twin.found.document
    setpoint = next((s for s in twin.bank.specs if s.writable and s.property == "current"), None)
    reading = next((s for s in twin.bank.specs if s.source.startswith("tune.frequency")), None)
    console.print(
        f"[bold]gnomon[/] {document.title}: {len(ring.elements)} elements, {len(document.supplies)} supplies, "
        f"{len(ring.bpms)} monitors"
    )
    console.print(
        f"  {len(twin.bank.specs)} PVs as {config.prefix!r}..., lattice {ring.nominal.id}, role twin (on its own)"
    )
    ca_host = twin.ca.interfaces[0]
    console.print(f"  Channel Access {ca_host}:{twin.ca.port}, PV Access {':'.join(map(str, _pva(twin)))}")
    console.print(f"  journal {config.journal()}")
    console.print("  try:")
    if reading is not None:
        console.print(f"    {_environment(twin.ca.client_environment())} caproto-get {reading.name}")
    if setpoint is not None:
        pva = _environment(twin.pva_endpoint.client_variables)
        console.print(f"    {pva} python -m p4p.client.cli put {setpoint.name}={twin.bank.reading(0).value:.4f}")
    console.print(f"ready after {seconds:.2f} s; Ctrl-C ends it")


def _pva(twin: Twin) -> tuple[str, int]:
    return twin.pva_endpoint.interfaces[0], twin.pva_endpoint.port


def _environment(variables: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in variables.items())
