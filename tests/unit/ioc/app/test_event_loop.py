"""A server has one event loop: nothing that it can reach starts another."""

import ast
from pathlib import Path

import pytest

from gnomon.db import shipped_document
from gnomon.ioc.base import snapshot_store
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import LoadedMachine, find_machine, keep_document, known_machines
from gnomon.recorder.snapshots import Snapshot
from tools.folders import FOLDERS, ROOT

#: What starts an event loop, or waits for one, from plain calls.
STARTERS = {"run", "Runner", "new_event_loop", "run_until_complete", "run_forever"}


def starters(source: str) -> list[str]:
    """Names of asyncio, and of its loops, by which a text starts an event loop."""
    found: list[str] = []
    if not any(word in source for word in ("asyncio", "run_until_complete", "run_forever")):
        return found
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "asyncio":
            found += [alias.name for alias in node.names if alias.name in STARTERS]
        elif isinstance(node, ast.Attribute) and node.attr in STARTERS:
            of_asyncio = isinstance(node.value, ast.Name) and node.value.id == "asyncio"
            if of_asyncio or node.attr in ("run_until_complete", "run_forever"):
                found.append(node.attr)
    return found


def test_only_programs_that_serve_and_what_they_do_not_reach_start_an_event_loop() -> None:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): starters(path.read_text(encoding="utf-8")) for path in files}
    assert {name: there for name, there in found.items() if there} == {
        "cli/serve.py": ["run"],
        "cli/store.py": ["run"],  # of the command line: copies stores
        "db/blocking_store.py": ["new_event_loop", "run_forever"],  # a store over the network, in a thread of its own
        "ioc/app/checkup/network_checks.py": ["run"],  # of the command line: asks who serves our names
        "procedures/expected_time.py": ["run"],  # of the command line: a coroutine of devices that are not there
        "services/forward/forwarder.py": ["run"],  # a process of its own
        "services/web_server.py": ["run"],
        "testing/server_process.py": ["run"],
    }


@pytest.mark.parametrize(
    "source", ["import asyncio\nasyncio.run(f())", "from asyncio import run", "loop.run_until_complete(f())"]
)
def test_an_event_loop_is_found_however_it_is_started(source: str) -> None:
    assert starters(source)
    assert starters("import asyncio, subprocess\nsubprocess.run(f())\nasyncio.sleep(1)") == []


async def test_machines_and_snapshots_of_the_store_are_read_inside_an_event_loop(tmp_path: Path) -> None:
    config = Config.model_validate({"store": {"path": str(tmp_path / "documents.sqlite")}})
    mine = shipped_document("mls").model_copy(update={"name": "mine"})
    await keep_document(LoadedMachine(mine, "a file"), config)
    assert "mine" in {machine.document.name for machine in known_machines(config)}
    found = find_machine(config.model_copy(update={"machine": "mine"}))
    snapshot = Snapshot(
        machine="mine", digest=found.ring.digest, prefix="TWIN:", lattice_id=found.ring.nominal.id, complete=True,
        source="a test", entries=(), comment="", signed=snapshot_store.signature(),
    )  # fmt: skip
    snapshot_store.save(config, "golden", snapshot, replace=False)
    assert [kept.name for kept in snapshot_store.list_snapshots(config)] == ["golden"]
    assert snapshot_store.delete(config, "golden").snapshot == snapshot_store.find(config, "golden", 1).snapshot
