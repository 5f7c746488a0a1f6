"""A whole server of the small ring in this process: real protocols on free ports, a model that the test made up."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import free_port

from gnomon.ioc.app import forks, serving
from gnomon.ioc.app.serving import Serving
from gnomon.ioc.base.config import Config, changed
from unit.ioc.rig import beam
from unit.lattice import small_ring


def config_in(folder: Path, **more: Any) -> Config:
    """A configuration whose files are all in `folder` and whose ports nobody has."""
    document = folder / "ring.json"
    document.write_text(small_ring.text())
    network = {
        "ca_port": free_port(),
        "pva_port": free_port(),
        "pva_broadcast_port": free_port(),
        "check_names": False,
    }
    given = {
        "machine": str(document),
        "prefix": "T:",
        "network": network,
        "recorder": {"journal": str(folder / "twin.journal")},
        "store": {"path": str(folder / "documents.sqlite")},
    }
    return changed(Config(), {**given, **more})


@asynccontextmanager
async def served(folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> AsyncIterator[Serving]:
    """A running server."""
    for module in (serving, forks):
        monkeypatch.setattr(module, "Propagator", lambda *_: beam)
    monkeypatch.setenv("EPICS_CAS_BEACON_ADDR_LIST", "127.0.0.1")
    async with AsyncExitStack() as stack:
        yield await serving.start(config_in(folder, **more), stack)
