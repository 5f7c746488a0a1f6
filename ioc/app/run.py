"""A server from start to end: start the twin, introduce it, wait for a signal, stop."""

import asyncio
import gc
import logging
import signal
import socket
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from gnomon.ioc.app.announcer import Announcer
from gnomon.ioc.app.banner import introduce
from gnomon.ioc.app.serving import Serving, start
from gnomon.ioc.base.background_tasks import background_task, cancelled
from gnomon.ioc.base.config import Config, MetricsConfig
from gnomon.ioc.base.garbage import collect_garbage
from gnomon.ioc.base.log_limits import OneLine, SparingLog, through_one_line
from gnomon.ioc.base.memory import limit_memory_growth, survive
from gnomon.ioc.base.memory_budget import MemoryBudget
from gnomon.ioc.base.service_manager import keep_watchdog, notify_service_manager, watchdog_period_s
from gnomon.lattice import Client

if TYPE_CHECKING:
    from gnomon.ioc.app.archived_history import HistoryFile

__all__ = ["bound_memory", "run"]

log = SparingLog(logging.getLogger("gnomon.app"))


async def run(
    config: Config,
    console: Console,
    started: float | None = None,
    config_file: Path | None = None,
    history: "HistoryFile | None" = None,
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP (the terminal has gone). Raises GnomonError if the server cannot start.

    `config_file` is where the configuration comes from; clients can choose the server by it. `history` is replayed once
    clients can connect.
    """
    began = time.perf_counter() if started is None else started
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_one_line)
    through_one_line("asyncio", OneLine(log, "event loop"))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        serving = await start(config, stack, Announcer(config_file))
        replaying = None if history is None else await _read(history, serving, console)
        if config.metrics.port is not None:
            await _open_health_port(config.metrics, serving, stack, console)
        bound_memory(serving, stack)
        introduce(serving, console, time.perf_counter() - began)
        if replaying is not None:
            stack.push_async_callback(cancelled, background_task(replaying, "history"))
        notify_service_manager("READY=1")
        if (period_s := watchdog_period_s()) is not None:
            from gnomon.ioc.app.twin_figures import hangs

            watchdog = keep_watchdog(period_s, lambda: not hangs(serving.twin.bank))
            stack.push_async_callback(cancelled, background_task(watchdog, "watchdog"))
        await stop.wait()
        notify_service_manager("STOPPING=1")
        with suppress(OSError):  # the terminal has gone
            console.print("stopping")


async def _open_health_port(config: MetricsConfig, serving: Serving, stack: AsyncExitStack, console: Console) -> None:
    """Answer about the server's twin and its forks, whichever there are when somebody asks."""
    from gnomon.ioc.app.health_port import HealthPort

    port = HealthPort(lambda: [serving.twin, *(fork.twin for fork in serving.forks.all())])
    console.print(f"health and figures at {await port.start(config, stack)}/metrics", markup=False)


async def _read(file: "HistoryFile", serving: Serving, console: Console) -> Coroutine[None, None, None]:
    """Read a history for the twin; what this returns replays it."""
    from gnomon.ioc.app.archived_history import play, read_history

    twin = serving.twin
    found = await asyncio.to_thread(read_history, file, twin.bank.specs, twin.machine.ring, twin.prefix)
    console.print(f"history {file.path}, {file.speed:g} times as fast: {found}", markup=False)
    client = Client("history", socket.gethostname(), "internal")
    return play(found, twin.dispatcher, client, file.speed)


def bound_memory(serving: Serving, stack: AsyncExitStack) -> None:
    """Let a server that has started survive a lack of memory, limit what it takes, and collect its garbage."""
    survive_memory_errors(asyncio.get_running_loop(), serving.servers.budget)
    limit_memory_growth(serving.recipe.config.guard.max_growth_bytes)
    # Objects made so far stay for good. Searching all of them for garbage would delay every client by 70 ms.
    gc.freeze()
    stack.push_async_callback(cancelled, background_task(collect_garbage(), "garbage"))


def survive_memory_errors(loop: asyncio.AbstractEventLoop, budget: MemoryBudget) -> None:
    """Disconnect a client, instead of ending the server, when the system refuses memory."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), MemoryError):
            budget.relieve()
        _one_line(loop, context)

    loop.set_exception_handler(handle)
    survive(loop, budget.relieve)


def _one_line(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that no task waited for, as one line."""
    error = context.get("exception")
    log.warning("%s%s", context.get("message", ""), f": {type(error).__name__}: {error}" if error else "")
