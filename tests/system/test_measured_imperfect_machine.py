"""Measurements and corrections on a machine with hidden errors: its true response, and writes that are checked.

Supplies, multiplexer and monitors are as fast as they can be; iron forgets and nothing drifts: settings tell the truth.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EpicsPorts, free_port

import gnomon
from gnomon.procedures.beam_based_alignment import AlignmentOutcome
from gnomon.procedures.nexus import read_run
from gnomon.procedures.orbit_response import OrbitResponseOutcome
from gnomon.procedures.registry import typed
from gnomon.propagator import Propagator
from system.twin_process import TwinProcess
from tools.folders import ROOT

pytestmark = pytest.mark.slow


CONFIG = """
machine: fast.json
prefix: "M:"
role: machine
publish: {repeat_hz: 20.0}
imperfections:
  supplies: {ramp_s: 0.0, steerer_ramp_s: 0.0, lag_s: 0.0, remanence: 0.0}
  tune_meter: {period_s: 0.1}
  drifts: {tide: 0.0, temperature: 0.0}
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    folder = tmp_path_factory.mktemp("imperfect")
    document = json.loads((ROOT / "db" / "machines" / "bessy2.json").read_text())
    document["multiplexer"]["state_s"] = 0.0
    document["supplies"] = [supply | {"settle_time_s": 0.0} for supply in document["supplies"]]
    (folder / "fast.json").write_text(json.dumps(document))
    (folder / "fast.yaml").write_text(CONFIG)
    with TwinProcess(ports.environment, folder, "--config", str(folder / "fast.yaml")) as process:
        process.environment["GNOMON_RESULTS"] = str(folder / "results")
        yield process


def settings(machine: TwinProcess) -> dict[str, float]:
    """Currents of all supplies as they were set."""
    read = json.loads(machine.gnomon("get", "M:*:set", "--prefix", "M:", "--json").stdout)
    known = {supply.name for supply in gnomon.ring("bessy2").lattice.ring.document.supplies}
    names = {each["name"].removeprefix("M:").removesuffix(":set"): each["value"] for each in read}
    return {name: float(value) for name, value in names.items() if name in known}


def measured(machine: TwinProcess, *arguments: str) -> tuple[dict[str, Any], Any]:
    """The run as the command shows it, and its outcome."""
    done = machine.gnomon("measure", *arguments, "--prefix", "M:", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return told, typed(read_run(Path(told["file"])))[2]


def truth(machine: TwinProcess, folder: Path) -> Any:
    """The true ring at the present settings."""
    assert machine.gnomon("machine", "truth", "--document", str(folder / "true.json")).returncode == 0
    return gnomon.ring(folder / "true.json").set(settings(machine))


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
    done = machine.gnomon("correct", "tune", "--to", "0.850,0.730", "--prefix", "M:", "--apply",
                          "--without-bounds")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("verified") == 4
    audit = (Path(machine.environment["GNOMON_RESULTS"]) / "applied.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in audit].count("verified") == 4


def test_the_beam_in_quadrupoles_through_the_multiplexer_and_by_a_supply_of_its_own(
    machine: TwinProcess, tmp_path: Path
) -> None:
    before = settings(machine)
    _, found = measured(machine, "bba", "Q3M2T7R", "Q3M1T1R", "Q1M1D3R")
    assert isinstance(found, AlignmentOutcome)
    assert settings(machine) == before
    lattice = truth(machine, tmp_path).lattice
    beam, magnets = Propagator(lattice.ring)(lattice), {m.name: m for m in lattice.ring.magnets}
    positions = []
    for name in found.quadrupoles:
        element = magnets[name].element
        ends, quadrupole = beam.orbit[[element, element + 1]], lattice.ring.elements[element]
        bow = quadrupole.length / 12.0 * (ends[0, 1::2] - ends[1, 1::2])
        positions.append(1e3 * (ends[:, ::2].mean(axis=0) + bow - [quadrupole.dx, quadrupole.dy]))
    errors = np.array([found.x_mm, found.y_mm]) - np.array(positions).T
    assert np.abs(errors).max() < 0.01
    assert (np.abs(errors) < 5.0 * np.array([found.x_error_mm, found.y_error_mm])).all()


def test_optics_are_measured_and_corrected_from_end_to_end(machine: TwinProcess, tmp_path: Path) -> None:
    nominal = gnomon.ring("bessy2").lattice
    places = list(nominal.ring.monitors)
    wanted = Propagator(nominal.ring)(nominal).beta[places]

    def beating() -> float:
        """The true beating, rms of both planes."""
        lattice = truth(machine, tmp_path).lattice
        return float(np.sqrt(np.mean((Propagator(lattice.ring)(lattice).beta[places] / wanted - 1.0) ** 2)))

    before = beating()
    measured(machine, "orm", "HS4P1D[1357]R", "VS2P1D[1357]R")
    told, _ = measured(machine, "optics", "--dispersion", "")
    assert told["outcome"]["converged"]
    done = machine.gnomon("correct", "optics", "--with", "Q3*,Q4*,Q5*", "--prefix", "M:", "--apply",
                          "--without-bounds")  # fmt: skip
    assert done.returncode == 0, done.stderr
    after = beating()
    assert before > 0.04
    assert after < 0.4 * before
