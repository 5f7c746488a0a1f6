"""Garbage is collected by the event loop, and by nobody else while that goes on."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

import pytest

from gnomon.ioc.base import garbage


class Loop:
    """An object that only a collection of garbage frees; it notes the thread that did so."""

    freed: ClassVar[list[int]] = []

    def __init__(self) -> None:
        self.myself = self

    def __del__(self) -> None:
        self.freed.append(threading.get_ident())


@pytest.fixture
def threshold() -> Iterator[None]:
    """Collect after as many objects as a program does, not only after the many of a session of tests."""
    before = gc.get_threshold()
    gc.set_threshold(2000, *before[1:])
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("threshold")
async def test_garbage_of_other_threads_is_freed_by_the_event_loop_alone() -> None:
    Loop.freed.clear()
    collecting = asyncio.create_task(garbage.collect_garbage())
    await asyncio.sleep(0)
    assert not gc.isenabled()
    await asyncio.to_thread(lambda: [Loop() for _ in range(5000)] and None)
    for _ in range(50):
        await asyncio.sleep(garbage.PERIOD_S / 5)
        if len(Loop.freed) == 5000:
            break
    assert len(Loop.freed) == 5000
    assert set(Loop.freed) == {threading.get_ident()}
    collecting.cancel()
    with suppress(asyncio.CancelledError):
        await collecting
    assert gc.isenabled()


async def test_each_generation_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []
    monkeypatch.setattr(garbage, "PERIOD_S", 0.0)
    monkeypatch.setattr(garbage, "ALL", 3)
    monkeypatch.setattr(gc, "get_count", lambda: (10**6, 0, 0))
    monkeypatch.setattr(gc, "collect", turns.append)
    collecting = asyncio.create_task(garbage.collect_garbage())
    while len(turns) < 30:
        await asyncio.sleep(0)
    collecting.cancel()
    assert turns[:30] == ([0] * 9 + [1]) * 2 + [0] * 9 + [2]
    with suppress(asyncio.CancelledError):
        await collecting
