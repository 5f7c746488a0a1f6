"""Procedures over HTTP and as process variables against a whole server: measured, cancelled, lost, put back."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import EpicsPorts, free_port

import gnomon
from system.services_process import until_ready
from system.twin_process import GNOMON, TwinProcess
from tools.folders import ROOT

pytestmark = [pytest.mark.network, pytest.mark.slow]

#: Time that only a failing test reaches [s].
LONG_S = 300.0


class Services:
    """`gnomon services` for a server, and a client of it."""

    def __init__(self, twin: TwinProcess, config: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [*GNOMON, "services", "--port", "0", "--config", str(config), *options],
            env=twin.environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.told = told = until_ready(self.process)
        token = Path(re.findall(r"token: (\S+);", told)[0]).read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        url = re.findall(r"http://127.0.0.1:\d+", told)[0]
        self.client = httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=LONG_S)

    def start(self, name: str, **options: Any) -> str:
        started = self.client.post(f"/v1/procedures/{name}", json={"prefix": "P:", "options": options})
        assert started.status_code == 202, started.text
        return str(started.json()["id"])

    def events(self, job: str, last: int = 0) -> Iterator[tuple[int, str, dict[str, Any]]]:
        found: dict[str, str] = {}
        headers = {"Last-Event-ID": str(last)}
        with self.client.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as stream:
            for line in stream.iter_lines():
                name, _, value = line.partition(": ")
                found[name] = value
                if not line and "data" in found:
                    yield int(found["id"]), found["event"], json.loads(found["data"])
                    found = {}

    def job(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/v1/jobs/{job}").json()
        return found

    def result(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/v1/jobs/{job}/result").json()
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(LONG_S)
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("config") / "config.yaml"
    file.write_text(f"prefix: 'P:'\nservices: {{scripts: {ROOT / 'examples' / 'scripts'}}}\n")
    return file


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, config: Path) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    folder = tmp_path_factory.mktemp("measured")
    with TwinProcess(ports.environment, folder, "--config", str(config)) as process:
        process.environment["GNOMON_RESULTS"] = str(folder / "results")
        yield process


@pytest.fixture(scope="module")
def services(twin: TwinProcess, config: Path) -> Iterator[Services]:
    opened = Services(twin, config, "--pvs", "PROC:")
    try:
        yield opened
    finally:
        opened.end()


def setpoint(twin: TwinProcess, name: str) -> float:
    return float(json.loads(twin.gnomon("get", name, "--prefix", "P:", "--json").stdout)[0]["value"])


def lattice(twin: TwinProcess) -> str:
    return str(json.loads(twin.gnomon("get", "P:dt:lattice", "--prefix", "P:", "--json").stdout)[0]["value"])


def test_response_alignment_and_a_script_run_over_rest_and_leave_the_machine(
    services: Services, twin: TwinProcess
) -> None:
    before = lattice(twin)
    job = services.start("orm", devices=["HS4P1D1R", "VS3P1D1R"])
    events = list(services.events(job))
    rows = [content for _, kind, content in events if kind == "row"]
    assert [row["row"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert (events[-1][1], events[-1][2]["state"]) == ("end", "done")
    outcome = services.result(job)["outcome"]
    truth = gnomon.ring("bessy2").orm()
    columns = [truth.knobs.index(name) for name in outcome["steerers"]]
    x = truth.columns["x"]
    np.testing.assert_allclose(outcome["x"], x[:, columns], atol=2e-3 * float(np.abs(x).max()))

    job = services.start("bba", devices=["Q3M2T7R", "Q4M2T7R"])
    assert [kind for _, kind, _ in services.events(job)][-1] == "end"
    assert services.job(job)["state"] == "done"
    np.testing.assert_allclose(services.result(job)["outcome"]["x_mm"], 0.0, atol=1e-5)

    job = services.start("orbit-return", steerer="HS4P1D1R", times=2)
    assert [content["row"] for _, kind, content in services.events(job) if kind == "row"] == [1, 2, 3]
    assert services.result(job)["outcome"]["largest_mm"] < 1e-6
    assert lattice(twin) == before
    listed = twin.gnomon("results", "list")
    assert "orbit-return-" in listed.stdout


def test_a_correction_is_proposed_and_acts_only_when_it_is_to_be_applied(services: Services, twin: TwinProcess) -> None:
    before = lattice(twin)
    job = services.start("bump", monitor="BPMZ5D1R", y=0.3)
    proposal, *_ = [content for _, kind, content in services.events(job) if kind == "proposal"]
    assert len(proposal["settings"]) == 4
    assert services.result(job)["reason"] == "proposed; nothing was set"
    assert lattice(twin) == before
    job = services.start("bump", monitor="BPMZ5D1R", y=0.3, apply=True)
    applied = [content for _, kind, content in services.events(job) if kind == "applied"]
    assert lattice(twin) == applied[-1]["lattice_id"] != before
    assert abs(setpoint(twin, "BPMZ5D1R:rdY") - 0.3) < 0.01


def test_a_cancelled_job_a_lost_one_and_one_that_the_services_end_put_the_machine_back(
    twin: TwinProcess, config: Path
) -> None:
    before, services = lattice(twin), Services(twin, config)

    def start_moving(of: Services) -> str:
        job = of.start("orm")
        next(each for each in of.events(job) if each[1] == "row" and each[2]["row"] > 3)
        return job

    job = start_moving(services)
    services.client.post(f"/v1/jobs/{job}/cancel")
    last = list(services.events(job))[-1]
    assert (last[1], last[2]["state"]) == ("end", "stopped")
    assert services.result(job)["status"] == "stopped"
    assert lattice(twin) == before

    lost = start_moving(services)
    services.process.kill()  # no time to say anything to its jobs
    services.end()
    again = Services(twin, config)
    try:
        assert again.job(lost)["state"] == "lost"
        while again.client.post("/v1/procedures/orm", json={"prefix": "P:"}).status_code == 409:
            time.sleep(0.2)  # the process of the lost job puts back
        ended = again.client.get("/v1/jobs").json()["jobs"][0]["id"]
        next(each for each in again.events(ended) if each[1] == "row" and each[2]["row"] > 3)
    finally:
        assert again.end() == 0
    assert lattice(twin) == before


def test_panels_start_watch_and_cancel_by_process_variables(services: Services, twin: TwinProcess) -> None:
    found = twin.client(drive_procedures, re.findall(r"Channel Access (\S+),", services.told)[0])
    assert "orbit-return" in found["procedures"]
    assert "there is no procedure 'nonsense'" in found["refusal"]
    assert (found["done"], found["rows"], found["labels"]) == ("done", 3, ["number", "x [mm/A]", "y [mm/A]"])
    assert found["length"] == 123
    assert found["cancelled"] == "stopped"
    assert found["over_ca"] == "stopped"


def drive_procedures(ca_address: str) -> dict[str, Any]:
    """A panel: what its buttons and texts do, over PV Access, and a look over Channel Access."""
    from p4p.client.thread import Context

    pva = Context("pva")

    def put(**values: Any) -> None:
        for name, value in values.items():
            pva.put(f"PROC:{name}", {"value": value}, timeout=60)

    def wait(ends: bool, rows: int = 0) -> str:
        while True:
            state = str(pva.get("PROC:state"))
            if (state in ("done", "failed", "stopped")) == ends and pva.get("PROC:rows") >= rows:
                return state
            time.sleep(0.05)

    told: dict[str, Any] = {}
    put(procedure="nonsense", target="P:")
    try:
        put(start=1)
    except Exception as error:  # noqa: BLE001 - of the library
        told["refusal"] = str(error)
    put(procedure="orm", options='{"devices": ["HS4P1D1R"]}', start=1)
    told["done"] = wait(ends=True)
    told["rows"] = int(pva.get("PROC:rows"))
    while not pva.get("PROC:result"):
        time.sleep(0.05)
    told |= {"labels": list(pva.get("PROC:result:labels")), "length": len(pva.get("PROC:result:y1"))}
    put(options="", start=1)
    wait(ends=False, rows=4)
    put(cancel=1)
    told["cancelled"] = wait(ends=True)
    told["procedures"] = list(pva.get("PROC:procedures"))
    pva.close()
    os.environ |= {"EPICS_CA_ADDR_LIST": ca_address, "EPICS_CA_AUTO_ADDR_LIST": "NO"}
    import epics

    told["over_ca"] = epics.caget("PROC:state", as_string=True, timeout=30)
    return told
