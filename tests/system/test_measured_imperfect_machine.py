"""Measurements and corrections on a machine with hidden errors: its true response, and writes that are checked."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import EpicsPorts, free_port

import gnomon
from gnomon.procedures.nexus import read_run
from gnomon.procedures.orbit_response import OrbitResponseOutcome
from gnomon.procedures.registry import typed
from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    folder = tmp_path_factory.mktemp("imperfect")
    with TwinProcess(ports.environment, folder, "--prefix", "M:", "--role", "machine") as process:
        process.environment["GNOMON_RESULTS"] = str(folder / "results")
        yield process


def settings(machine: TwinProcess) -> dict[str, float]:
    """Currents of all supplies as they were set."""
    read = json.loads(machine.gnomon("get", "M:*:set", "--prefix", "M:", "--json").stdout)
    known = {supply.name for supply in gnomon.ring("bessy2").lattice.ring.document.supplies}
    names = {each["name"].removeprefix("M:").removesuffix(":set"): each["value"] for each in read}
    return {name: float(value) for name, value in names.items() if name in known}


def test_the_response_is_the_true_machines_within_its_stated_errors(machine: TwinProcess, tmp_path: Path) -> None:
    before = settings(machine)
    done = machine.gnomon("measure", "orm", "HS4P1D1R", "VS3P1D1R", "--readings", "2", "--prefix", "M:", "--json")
    assert done.returncode == 0, done.stderr
    assert settings(machine) == before
    found = typed(read_run(Path(json.loads(done.stdout)["file"])))[2]
    assert isinstance(found, OrbitResponseOutcome)
    assert 0.5e-3 < np.median(found.noise_x_mm) < 2e-3
    assert machine.gnomon("machine", "truth", "--document", str(tmp_path / "true.json")).returncode == 0
    truth = gnomon.ring(tmp_path / "true.json").set(before).orm()
    columns = [truth.knobs.index(name) for name in found.steerers]
    errors = [getattr(found, plane) - truth.columns[plane][:, columns] for plane in "xy"]
    pulls = np.array(errors) / np.array([found.x_error, found.y_error])
    assert np.sqrt(np.mean(pulls**2)) < 2.0


def test_a_correction_is_written_one_verified_setting_after_the_other(machine: TwinProcess) -> None:
    done = machine.gnomon("correct", "tune", "--to", "0.850,0.730", "--prefix", "M:", "--apply")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("verified") == 4
    audit = (Path(machine.environment["GNOMON_RESULTS"]) / "applied.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in audit].count("verified") == 4
