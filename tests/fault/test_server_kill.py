"""`kill -9` of a running server loses no command that a client was told of."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import EpicsPorts
from patience import PATIENCE_S

from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # servers and commands started one by one


def test_a_killed_server_loses_no_acknowledged_command(epics_ports: EpicsPorts, tmp_path: Path) -> None:
    seed = random.Random(3)
    acknowledged: list[float] = []
    for _ in range(3):
        with TwinProcess(epics_ports.environment, tmp_path, "--machine", "mls", "--allow-duplicates") as server:
            journal = server.journal
            client = subprocess.Popen(
                [sys.executable, "-m", "programs.endless_puts", "tell", "TWIN:HS3P2K1RP:setCur"],
                env=server.client_environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert client.stdout is not None
            told = [client.stdout.readline() for _ in range(seed.randint(15, 60))]
            time.sleep(seed.uniform(0.0, 0.01))
            assert server.process.poll() is None
            server.process.send_signal(signal.SIGKILL)
            server.process.wait(PATIENCE_S)
            time.sleep(0.1)
            client.kill()
            told += client.communicate()[0].splitlines()
            acknowledged += [int(line) / 1000 for line in told]
            exported = server.gnomon("log", "export", "--journal", str(journal), "-")
            assert exported.returncode == 0, exported.stderr
    rows = [json.loads(line) for line in exported.stdout.splitlines()]
    assert len(acknowledged) > 30
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    done = [row["changes"][0]["new"] for row in rows]
    missing = [value for value in acknowledged if value not in done]
    assert missing == []
