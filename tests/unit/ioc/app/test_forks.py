"""Forks while their server comes to its end."""

import asyncio
import threading
from typing import Any
from unittest.mock import Mock

import pytest
from patience import PATIENCE_S

from gnomon.ioc.app import forks
from gnomon.ioc.app.forks import ForkError, ForkRequest, Forks
from gnomon.ioc.base.config import Config
from unit.ioc.rig import CLIENT, RING


async def test_a_fork_that_is_being_made_ends_with_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def pvs_of(*_: Any) -> tuple[()]:
        begun.set()
        go_on.wait(PATIENCE_S)
        return ()

    async def nobody_answers(*_: Any) -> None:
        """No name is taken."""

    def make_twin(*_: Any) -> None:
        raise AssertionError("a twin was made of a server that is stopping")

    monkeypatch.setattr(forks, "pvs_of", pvs_of)
    monkeypatch.setattr(forks, "refuse_duplicate_pvs", nobody_answers)
    monkeypatch.setattr(forks, "make_twin", make_twin)
    monkeypatch.setattr(forks, "Propagator", lambda *_: lambda lattice: None)
    origin = Mock(found=Mock(ring=RING), dispatcher=Mock(lattice=RING.nominal), prefix="T:")
    every = Forks(Config(prefix="T:"), Mock(prefixes=("T:",)), lambda twin: {})
    add = asyncio.create_task(every.add(origin, ForkRequest("a", "a:"), CLIENT))
    await asyncio.to_thread(begun.wait, 5.0)
    stop = asyncio.create_task(every.stop())
    await asyncio.sleep(0.0)
    assert not stop.done()
    go_on.set()
    with pytest.raises(ForkError, match="stopping"):
        await add
    await stop
    with pytest.raises(ForkError, match="stopping"):
        await every.add(origin, ForkRequest("b", "b:"), CLIENT)
