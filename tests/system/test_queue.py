"""Measurements through bluesky-queueserver with a real redis: true values, stored runs, and an abort that puts back."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bluesky_queueserver import ZMQCommSendThreads
from conftest import EpicsPorts, free_port
from patience import PATIENCE_S

import gnomon
from gnomon.db.machine_files import find_document
from gnomon.lattice import Ring
from gnomon.procedures.beam_based_alignment import AlignmentOutcome
from gnomon.procedures.documents import Run
from gnomon.procedures.nexus import read_run
from gnomon.procedures.orbit_response import OrbitResponseOutcome
from gnomon.procedures.registry import typed
from gnomon.propagator import Propagator
from system.twin_process import TwinProcess

pytestmark = [pytest.mark.slow, pytest.mark.network]

EXAMPLES = Path(__file__).parents[2] / "examples"

#: Only a queue that hangs reaches it [s].
LONG_S = 120.0


class Queue:
    """A running queue server, and its client."""

    def __init__(self, twin: TwinProcess, redis: str, folder: Path) -> None:
        self.twin, self.folder = twin, folder
        self.results = folder / "results"
        port = free_port()
        config = folder / "config.yaml"
        config.write_text(f"services: {{scripts: {EXAMPLES / 'scripts'}}}\n")
        made = twin.gnomon(
            "export", "queueserver", str(folder / "queue"), "--prefix", "P:", "--redis", redis,
            "--port", str(port), "--results", str(self.results), "--config", str(config),
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        self.log = folder / "queue.log"
        told = next(line for line in made.stdout.splitlines() if line.startswith("start-re-manager"))
        program, *arguments = told.split()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [Path(sys.executable).with_name(program), *arguments],
                env=twin.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.client = ZMQCommSendThreads(
            zmq_server_address=f"tcp://127.0.0.1:{port}", timeout_recv=int(1000 * PATIENCE_S)
        )

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.client.send_message(method=method, params=parameters)
        return found

    def told(self, method: str, **parameters: Any) -> dict[str, Any]:
        found = self.ask(method, **parameters)
        assert found.get("success", True), found["msg"]
        return found

    def wait(self, **state: Any) -> None:
        """Wait until the queue's status has these values."""
        end = time.monotonic() + LONG_S
        while any(self.ask("status").get(name) != value for name, value in state.items()):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, f"{state}: {self.ask('status')}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.05)

    def submit(self, plan: str, **options: Any) -> dict[str, Any]:
        item = {"item_type": "plan", "name": plan, "kwargs": options}
        return self.ask("queue_item_add", item=item, user="test", user_group="primary")

    def run(self, plan: str, **options: Any) -> Run:
        """Carry a plan out; the run that it stored."""
        assert self.submit(plan, **options)["success"]
        before = set(self.results.glob("*.h5"))
        self.told("queue_start")
        self.wait(manager_state="idle", items_in_queue=0)
        (item,) = self.told("history_get")["items"][-1:]
        assert item["result"]["exit_status"] == "completed", item["result"]
        (new,) = set(self.results.glob("*.h5")) - before
        return read_run(new)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.ask("manager_stop", option="safe_off")
            try:
                self.process.wait(LONG_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.client.close()


@pytest.fixture(scope="module")
def queue(redis_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    folder = tmp_path_factory.mktemp("queue")
    with TwinProcess(ports.environment, folder, "--prefix", "P:") as twin:
        made = Queue(twin, redis_address, folder)
        try:
            made.wait(manager_state="idle")
            made.told("environment_open")
            made.wait(manager_state="idle", worker_environment_exists=True)
            yield made
        finally:
            made.stop()


def lattice_id(queue: Queue) -> str:
    return str(json.loads(queue.twin.gnomon("get", "P:dt:lattice", "--prefix", "P:", "--json").stdout)[0]["value"])


def test_plans_and_devices_are_offered_with_limits_and_descriptions(queue: Queue) -> None:
    plans = queue.told("plans_allowed", user_group="primary")["plans_allowed"]
    assert {"orm", "dispersion", "chromaticity", "tune_response", "bba", "count", "rel_scan", "mv"} <= plans.keys()
    readings = next(each for each in plans["orm"]["parameters"] if each["name"] == "readings")
    assert (readings["annotation"]["type"], readings["min"], readings["default"]) == ("int", "1", "1")
    assert "number of readings" in readings["description"]
    offered = queue.told("devices_allowed", user_group="primary")["devices_allowed"]
    assert {"HS4P1D1R", "master_clock", "monitors", "tunes", "multiplexer"} <= offered.keys()
    assert offered["HS4P1D1R"]["is_movable"]
    refused = queue.submit("orm", readings=0)
    assert not refused["success"]
    assert "readings" in refused["msg"]


def test_the_orbit_response_of_a_few_steerers_is_the_true_one(queue: Queue) -> None:
    before = lattice_id(queue)
    run = queue.run("orm", devices=["HS4P1D1R", "VS3P1*"], note="by the queue")
    _, _, found = typed(run)
    assert isinstance(found, OrbitResponseOutcome)
    truth = gnomon.ring("bessy2").orm()
    rows = [truth.knobs.index(name) for name in found.steerers]
    assert len(rows) > 2
    for plane, measured in (("x", found.x), ("y", found.y)):
        true = truth.columns[plane][:, rows]
        np.testing.assert_allclose(measured, true, atol=2e-3 * float(np.abs(true).max()))
    assert run.note == "by the queue"
    assert run.provenance.lattice_id == run.provenance.lattice_id_after == before == lattice_id(queue)


def true_positions_mm(displaced: str, by_m: tuple[float, float], names: tuple[str, ...]) -> list[list[float]]:
    """The beam relative to the centres of quadrupoles (planes, names), in the model, with one of them displaced."""
    ring = Ring(find_document("bessy2"))
    lattice = ring.nominal.updated({(displaced, f"d{plane}"): value for plane, value in zip("xy", by_m, strict=True)})
    orbit = Propagator(ring)(lattice).orbit
    found: list[list[float]] = []
    for plane in (0, 1):
        found.append([])
        for name in names:
            magnet = next(each for each in ring.magnets if each.name == name)
            (a, _), (b, _) = (orbit[magnet.element + end, 2 * plane : 2 * plane + 2] for end in (0, 1))
            found[plane].append(1e3 * (0.5 * (a + b) - (by_m[plane] if name == displaced else 0.0)))
    return found


def test_alignment_finds_the_beam_in_a_quadrupole_that_was_displaced(queue: Queue) -> None:
    by_m = (1e-5, -6e-6)
    moved = queue.twin.gnomon("put", f"P:Q3M2T7R:x:set={by_m[0]}", f"P:Q3M2T7R:y:set={by_m[1]}", "--prefix", "P:")
    assert moved.returncode == 0, moved.stderr
    try:
        before = lattice_id(queue)
        _, _, found = typed(queue.run("bba", devices=["Q3M2T7R", "Q4M2T7R"]))
        assert isinstance(found, AlignmentOutcome)
        true = true_positions_mm("Q3M2T7R", by_m, found.quadrupoles)
        assert np.abs(true).max() > 0.05
        np.testing.assert_allclose([found.x_mm, found.y_mm], true, atol=5e-3)
        assert lattice_id(queue) == before
    finally:
        queue.twin.gnomon("put", "P:Q3M2T7R:x:set=0", "P:Q3M2T7R:y:set=0", "--prefix", "P:")


def test_a_user_script_is_a_plan_whose_run_is_stored(queue: Queue) -> None:
    before = lattice_id(queue)
    run = queue.run("orbit_return", steerer="HS4P1D1R", times=2)
    assert run.procedure == "orbit-return"
    assert run.outcome is not None
    assert run.outcome["largest_mm"] == pytest.approx(0.0, abs=1e-9)
    assert lattice_id(queue) == before


def test_plans_of_bluesky_use_the_devices_by_name(queue: Queue) -> None:
    before = lattice_id(queue)
    item = {"item_type": "plan", "name": "rel_scan", "args": [["monitors", "tunes"], "HS4P1D1R", -0.1, 0.1, 3]}
    queue.told("queue_item_add", item=item, user="test", user_group="primary")
    queue.told("queue_start")
    queue.wait(manager_state="idle", items_in_queue=0)
    assert queue.told("history_get")["items"][-1]["result"]["exit_status"] == "completed"
    assert lattice_id(queue) == before


def test_an_abort_in_the_middle_leaves_the_machine_as_it_was_found(queue: Queue) -> None:
    before = lattice_id(queue)
    known = set(queue.results.glob("*.h5"))
    assert queue.submit("orm", points=9)["success"]
    queue.told("queue_start")
    end = time.monotonic() + LONG_S
    while lattice_id(queue) == before and time.monotonic() < end:
        pass
    queue.told("re_pause", option="immediate")
    queue.wait(manager_state="paused")
    queue.told("re_abort")
    queue.wait(manager_state="idle")
    assert lattice_id(queue) == before
    (new,) = set(queue.results.glob("*.h5")) - known
    run = read_run(new)
    assert run.status == "stopped"
    assert 0 < len(run.data["rows"]) < 9 * 112
    assert queue.told("history_get")["items"][-1]["result"]["exit_status"] == "aborted"
    queue.told("queue_clear")


def test_a_pause_goes_on_where_it_was(queue: Queue) -> None:
    before = lattice_id(queue)
    known = set(queue.results.glob("*.h5"))
    assert queue.submit("orm", devices=["HS*"], points=5)["success"]
    queue.told("queue_start")
    end = time.monotonic() + LONG_S
    while lattice_id(queue) == before and time.monotonic() < end:
        pass
    queue.told("re_pause", option="deferred")
    queue.wait(manager_state="paused")
    queue.told("re_resume")
    queue.wait(manager_state="idle", items_in_queue=0)
    (new,) = set(queue.results.glob("*.h5")) - known
    run = read_run(new)
    assert run.status == "done"
    assert len(run.data["x_mm"]) == 5 * sum(name.startswith("HS") for name in run.data["steerers"])
    assert lattice_id(queue) == before
