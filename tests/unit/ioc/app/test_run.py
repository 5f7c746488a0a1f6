"""A server's process: it stops on a signal, survives a lack of memory, and logs errors as lines."""

import asyncio
import gc
import io
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from patience import PATIENCE_S
from rich.console import Console

from gnomon.ioc.app import run as module
from gnomon.ioc.app.run import run, survive_memory_errors
from gnomon.ioc.base.config import Config, changed


class Budget:
    """A memory budget that counts how often somebody had to go."""

    def __init__(self) -> None:
        self.relieved = 0

    def relieve(self) -> None:
        self.relieved += 1


@pytest.fixture(autouse=True)
def own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Limits, signals and logs of the test's process stay as they are; the memory limits that were asked for."""
    asked: list[int] = []
    monkeypatch.setattr(module, "limit_memory_growth", asked.append)
    monkeypatch.setattr(module.log, "_next", 0.0)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    logger = logging.getLogger("asyncio")
    propagate, handlers = logger.propagate, logger.handlers
    yield asked
    logger.propagate, logger.handlers = propagate, handlers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_the_server_and_all_of_it(
    monkeypatch: pytest.MonkeyPatch, own_process: list[int], number: int
) -> None:
    events: list[str] = []

    async def start(config: Config, stack: AsyncExitStack, *_: Any, **__: Any) -> Any:
        stack.callback(events.append, "stopped")
        return SimpleNamespace(servers=SimpleNamespace(budget=Budget()), recipe=SimpleNamespace(config=config))

    def introduce(serving: Any, console: Console, seconds: float) -> None:
        assert 0.0 <= seconds < 60.0
        events.append("introduced")
        os.kill(os.getpid(), number)

    monkeypatch.setattr(module, "start", start)
    monkeypatch.setattr(module, "introduce", introduce)
    console = Console(file=io.StringIO())
    config = changed(Config(), {"guard": {"max_growth_bytes": 2**30}})
    await asyncio.wait_for(run(config, console), PATIENCE_S)
    assert events == ["introduced", "stopped"]
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "stopping\n"
    assert own_process == [2**30]
    loop = asyncio.get_running_loop()
    assert loop.remove_signal_handler(signal.SIGINT)
    assert loop.remove_signal_handler(signal.SIGTERM)
    loop.remove_signal_handler(signal.SIGHUP)


async def test_a_server_that_cannot_start_lets_go_of_what_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    async def start(config: Config, stack: AsyncExitStack, *_: Any, **__: Any) -> Any:
        stack.callback(events.append, "stopped")
        raise OSError("no port")

    monkeypatch.setattr(module, "start", start)
    with pytest.raises(OSError, match="no port"):
        await run(Config(), Console(file=io.StringIO()))
    assert events == ["stopped"]


async def test_without_memory_a_client_goes_and_the_server_stays(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    budget, loop = Budget(), asyncio.get_running_loop()
    survive_memory_errors(loop, budget)  # type: ignore[arg-type]

    def fail() -> None:
        raise MemoryError

    loop.call_soon(fail)
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)
    assert budget.relieved == 1
    assert "MemoryError" in caplog.records[-1].message


async def test_another_error_costs_no_client_and_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    budget, loop = Budget(), asyncio.get_running_loop()
    survive_memory_errors(loop, budget)  # type: ignore[arg-type]

    def fail() -> None:
        raise ValueError("first\nsecond")

    loop.call_soon(fail)
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)
    assert budget.relieved == 0
    (record,) = caplog.records
    assert record.message.endswith("ValueError: first second")
    assert record.exc_info is None
