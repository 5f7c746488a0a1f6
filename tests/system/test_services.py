"""`gnomon services` as a process: ready when it says so, answers with its token, ends at a signal."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from patience import PATIENCE_S

from system.services_process import until_ready
from system.twin_process import GNOMON, homes

pytestmark = pytest.mark.network


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_services_start_answer_and_end(tmp_path: Path, number: signal.Signals) -> None:
    environment = homes(tmp_path) | {"GNOMON_SERVICES_READ_TOKEN": "r" * 20}
    process = subprocess.Popen(
        [*GNOMON, "services", "--port", "0"], env=os.environ | environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        told = until_ready(process)
        url = re.findall(r"http://127.0.0.1:\d+", told)[0]
        token = Path(re.findall(r"token: (\S+);", told)[0]).read_text().strip()
        with httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=PATIENCE_S
        ) as client:
            assert client.get("/readyz").status_code == 200
            made = client.post("/v1/lattices", json={"machine": "mls"})
            assert made.status_code == 201
            started = time.monotonic()
            answer = client.post(f"{made.headers['location']}/propagate", json={"phase_space": [{"x": 1e-4}]})
            assert answer.json()["observations"]["tunes"]["x"] == pytest.approx(3.178, abs=0.2)
            assert time.monotonic() - started < PATIENCE_S  # nothing is compiled or loaded for it
            process.send_signal(number)
            started = time.monotonic()
            assert process.wait(PATIENCE_S) == 0
            assert time.monotonic() - started < PATIENCE_S
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
