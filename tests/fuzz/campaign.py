"""A run of the fuzz test: a real server, a good client, the cases, and the verdict."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path

import psutil
from conftest import EpicsPorts

from fuzz.cases import Case
from fuzz.driver import Driver, Silence, Where
from fuzz.verdict import Verdict
from programs.running import python_path
from system.twin_process import TwinProcess

#: Cases before memory is measured for the first time: what is loaded on first use is not a leak.
WARM_UP = 1_000


def run(cases: Iterable[Case], ports: EpicsPorts, folder: Path, warm_up: int = WARM_UP) -> Verdict:
    """Send all cases to a server of their own. What may have silenced it is kept in `folder`/suspects."""
    silence = ""
    with TwinProcess(ports.environment, folder, "--machine", "mls") as server:
        driver = Driver(Where(ports.ca, ports.pva_tcp, ports.pva_udp), lambda: server.process.poll() is None)
        process = psutil.Process(server.process.pid)
        source = iter(cases)
        client = _Client(server.environment)
        began, before = time.monotonic(), process.memory_info().rss
        try:
            asyncio.run(driver.run(islice(source, warm_up)))
            before = process.memory_info().rss
            asyncio.run(driver.run(source))
        except Silence as error:
            silence = f"{error}; suspects, kept in {keep(error.suspects, folder)}: {[c.number for c in error.suspects]}"
        seconds = time.monotonic() - began
        driver.close()
        times, failures = client.stop()
        time.sleep(0.5)
        grown = 0.0
        with suppress(psutil.Error):
            grown = float(process.memory_info().rss - before)
        status = server.process.poll()
        if status is None and (stopped := server.stop()) != 0:
            silence += f"; stopped with status {stopped}"
        return Verdict(driver.sent, seconds, status, silence, grown, times, failures, server.log.read_text())


def keep(suspects: Iterable[Case], folder: Path) -> Path:
    """Write down cases as files of the corpus; the one that was it belongs there, under a telling name."""
    kept = folder / "suspects"
    kept.mkdir(exist_ok=True)
    for case in suspects:
        (kept / f"{case.road}-found-{case.number}.bin").write_bytes(b"".join(case.steps))
    return kept


class _Client:
    """The good client, in a process of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        program = [sys.executable, str(Path(__file__).with_name("good_client.py"))]
        self._process = subprocess.Popen(
            program,
            env=environment | {"PYTHONPATH": python_path()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "ready"

    def stop(self) -> tuple[dict[str, list[float]], list[str]]:
        """Its times [s], and what failed."""
        out, _ = self._process.communicate("", timeout=60)
        result = json.loads(out.strip().splitlines()[-1])
        return result["times"], result["failures"]
