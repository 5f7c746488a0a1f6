"""Results in tiled: `gnomon results serve`, and a catalogue that gets each run; read back with tiled's own client."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from conftest import free_port
from patience import PATIENCE_S
from tiled.catalog import in_memory
from tiled.client import from_uri
from tiled.config import Authentication
from tiled.queries import FullText, Key
from tiled.server.app import build_app

from gnomon.procedures.documents import Run, quantities
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.registry import typed
from gnomon.procedures.results import NotPublishedError, Results
from gnomon.procedures.tiled_catalogue import publish_run
from gnomon.services.catalogue import Annotation, write_annotation
from system.twin_process import GNOMON, homes
from unit.procedures.test_results import chromaticity_run, orm_run

pytestmark = [pytest.mark.slow, pytest.mark.network]

FIRST, SECOND = "orm-20261127T100000.000", "orm-20261127T110000.000"
KEY = "a0" * 16


def compare(container: Any, run: Run) -> int:
    """Check that a run in tiled has its arrays, bit for bit, with their units; the number of arrays."""
    data, _, outcome = typed(run)
    assert outcome is not None
    arrays = 0
    for group, part in (("raw_data", data), ("outcome", outcome)):
        for name, quantity in quantities(part).items():
            there = container["entry"][group][name]
            np.testing.assert_array_equal(there.read(), quantity.values)
            assert there.metadata["units"] == quantity.unit
            arrays += 1
    assert container.metadata["procedure"] == run.procedure
    assert container.metadata["provenance"]["machine"] == "bessy2"
    assert [spec.name for spec in container.specs] == ["gnomon.procedure"]
    return arrays


def test_serve_shows_all_runs_and_new_ones_as_they_come_to_who_has_the_token(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    first, second = orm_run(1, FIRST), orm_run(2, SECOND)
    results.save(first)
    process = subprocess.Popen(
        [*GNOMON, "results", "serve", "--port", "0", "--results", str(results.folder)],
        env=os.environ | homes(tmp_path), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        told = ""
        while "ready" not in told:
            line = process.stdout.readline()
            assert line, told
            told += line
        url = re.findall(r"http://127.0.0.1:\d+", told)[0]
        token = Path(re.findall(r"token: (\S+)", told)[0])
        assert token.stat().st_mode & 0o077 == 0
        with pytest.raises(RuntimeError, match="API key"):
            from_uri(url)
        client: Any = from_uri(url, api_key=token.read_text().strip())
        assert list(client) == [FIRST]
        assert compare(client[FIRST], first) > 5
        results.save(second)
        results.save(chromaticity_run())
        assert len(client) == 3
        assert list(client.search(Key("procedure") == "orm")) == [FIRST, SECOND]
        write_annotation(results.folder, Annotation(identifier=str(second.identifier), tags=("golden",)))
        assert list(client.search(Key("identifier") == str(second.identifier))) == [SECOND]
        assert list(client.search(FullText("golden"))) == [SECOND]
        compare(client[SECOND], second)
        with pytest.raises(Exception, match="can only be read"):
            client.create_container("x")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
        process.stdout.close()


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a catalogue of tiled that can be written to."""
    app = build_app(
        in_memory(writable_storage=[str(tmp_path_factory.mktemp("catalogue"))]),
        authentication=Authentication(single_user_api_key=KEY),
    )
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        server.should_exit = True
        thread.join()


def test_runs_go_to_the_catalogue_that_is_configured(
    catalogue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILED_API_KEY", KEY)
    results = Results(tmp_path, catalogue=catalogue)
    runs = [orm_run(1, FIRST), chromaticity_run()]
    paths = [results.save(run) for run in runs]
    for path in paths:
        results.publish(path)
    client: Any = from_uri(catalogue, api_key=KEY)
    assert set(client) == {run.name for run in runs}
    for run in runs:
        assert compare(client[run.name], run) > 3
    assert client[FIRST]["entry"].metadata["title"] == "orbit response matrix"
    with pytest.raises(ProcedureError, match="already"):
        publish_run(paths[0], catalogue)


def test_run_is_kept_when_the_catalogue_does_not_take_it(
    catalogue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILED_API_KEY", "b1" * 16)
    results = Results(tmp_path, catalogue=catalogue)
    run = orm_run(1, SECOND)
    path = results.save(run)
    with pytest.raises(NotPublishedError, match=rf"is written, but: .*`gnomon results publish {SECOND}` tries again"):
        results.publish(path)
    assert results.read(SECOND).digest == run.digest
    client: Any = from_uri(catalogue, api_key=KEY)
    assert SECOND not in client
    monkeypatch.setenv("TILED_API_KEY", KEY)
    publish_run(path, catalogue)
    compare(client[SECOND], run)
