"""Measurements of the command line on a whole server: true values, the machine as it was, results kept and shown."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import EpicsPorts, free_port

import gnomon
from gnomon.procedures.nexus import read_run
from gnomon.procedures.orbit_response import OrbitResponseData, OrbitResponseOutcome
from gnomon.procedures.registry import typed
from system.twin_process import GNOMON, TwinProcess


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("measured"), "--prefix", "P:") as process:
        process.environment["GNOMON_RESULTS"] = str(tmp_path_factory.mktemp("results"))
        yield process


def measured(twin: TwinProcess, *arguments: str) -> dict[str, object]:
    done = twin.gnomon("measure", *arguments, "--prefix", "P:", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    assert found["status"] == "done"
    return found


def last_state(twin: TwinProcess) -> str:
    return str(json.loads(twin.gnomon("get", "P:dt:lattice", "--prefix", "P:", "--json").stdout)[0]["value"])


def test_a_dry_run_tells_the_time_and_sets_nothing(twin: TwinProcess) -> None:
    log = ("log", "--last", "1", "--prefix", "P:", "--json")
    before = twin.gnomon(*log).stdout, twin.gnomon("results", "list").stdout
    for arguments in (("orm", "HS4P1D1R"), ("beta", "Q3M1D1R"), ("dispersion",)):
        told = twin.gnomon("measure", *arguments, "--dry-run", "--prefix", "P:", "--json")
        assert told.returncode == 0, told.stderr
        assert json.loads(told.stdout)["readings"] >= 3
    unknown = twin.gnomon("measure", "lifetime", "--dry-run", "--prefix", "P:")
    assert unknown.returncode != 0
    assert "depends on the beam" in unknown.stderr
    assert (twin.gnomon(*log).stdout, twin.gnomon("results", "list").stdout) == before


def test_the_orbit_response_is_the_models_and_its_raw_data_give_it_again(twin: TwinProcess) -> None:
    before = last_state(twin)
    run = measured(twin, "orm", "HS4P1*", "VS3P1D1R", "--note", "first", "--protocol", "ca")
    data, _, found = typed(read_run(Path(str(run["file"]))))
    assert isinstance(data, OrbitResponseData)
    assert isinstance(found, OrbitResponseOutcome)
    truth = gnomon.ring("bessy2").orm()
    rows = [truth.knobs.index(name) for name in found.steerers]
    x = truth.columns["x"]
    np.testing.assert_allclose(found.x, x[:, rows], atol=2e-3 * float(np.abs(x).max()))
    assert data.x_mm.shape == (3 * len(rows), 123)
    assert last_state(twin) == before
    provenance = run["provenance"]
    assert isinstance(provenance, dict)
    assert provenance["lattice_id"] == provenance["lattice_id_after"] == before
    assert provenance["last_command"] - provenance["first_command"] == 3 * len(rows)
    shown = twin.gnomon("results", "show", "orm", "--again")
    assert shown.returncode == 0, shown.stderr
    assert "the same outcome, bit for bit" in shown.stdout
    assert "first" in twin.gnomon("results", "list").stdout


@pytest.mark.slow
def test_chromaticities_are_the_models(twin: TwinProcess) -> None:
    outcome = measured(twin, "chromaticity", "--points", "7")["outcome"]
    assert isinstance(outcome, dict)
    truth = gnomon.ring("bessy2").chromaticities
    np.testing.assert_allclose(outcome["chromaticity"], [truth.x, truth.y], rtol=1e-3)


@pytest.mark.slow
def test_alignment_of_a_few_quadrupoles_finds_the_beam_in_their_centres(twin: TwinProcess) -> None:
    before = last_state(twin)
    outcome = measured(twin, "bba", "Q3M2T7R", "Q4M2T7R")["outcome"]
    assert isinstance(outcome, dict)
    np.testing.assert_allclose(outcome["x_mm"], 0.0, atol=1e-5)
    np.testing.assert_allclose(outcome["offset_x_mm"][0], 0.0, atol=1e-5)
    assert last_state(twin) == before


@pytest.mark.slow
def test_ctrl_c_keeps_the_raw_data_and_leaves_the_machine_as_it_was(twin: TwinProcess) -> None:
    before = last_state(twin)
    with subprocess.Popen(
        [*GNOMON, "measure", "orm", "--prefix", "P:", "--json"],
        env=twin.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        end = time.monotonic() + 60
        while last_state(twin) == before and time.monotonic() < end:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the machine was put back" in err
    assert last_state(twin) == before
    told = json.loads(out)
    assert told["status"] == "stopped"
    assert 0 < len(read_run(Path(told["file"])).data["rows"]) < 336


@pytest.mark.slow
def test_settings_go_back_once_a_lost_connection_is_there_again(twin: TwinProcess) -> None:
    before = last_state(twin)
    with subprocess.Popen(
        [*GNOMON, "measure", "orm", "HS4P1*", "--prefix", "P:", "--readings", "5", "--json"],
        env=twin.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        end = time.monotonic() + 60
        while last_state(twin) == before and time.monotonic() < end:
            assert process.poll() is None
        # Every supply's PVs and the orbit are gone, for longer than an answer is waited for.
        added = twin.gnomon("fault", "add", "connection_lost", "--prefix", "P:")
        assert added.returncode == 0, added.stderr
        time.sleep(8.0)
        assert twin.gnomon("fault", "clear", "--all", "--prefix", "P:").returncode == 0
        out, err = process.communicate(timeout=100)
    assert process.returncode == 1, err
    assert last_state(twin) == before
    told = json.loads(out)
    assert (told["status"], "NOT" in err) == ("failed", False)


def test_a_lost_beam_ends_the_measurement_and_the_settings_go_back(twin: TwinProcess) -> None:
    before = last_state(twin)
    done = twin.gnomon("measure", "orm", "HS4P1D1R", "--move-mm", "200", "--prefix", "P:", "--json")
    assert done.returncode == 1
    assert last_state(twin) == before
    assert "INVALID" in done.stderr or "no beam" in done.stderr
    assert json.loads(done.stdout)["status"] == "failed"


def corrected(twin: TwinProcess, *arguments: str) -> list[dict[str, object]]:
    done = twin.gnomon(*arguments, "--prefix", "P:", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def value(twin: TwinProcess, name: str) -> float:
    return float(json.loads(twin.gnomon("get", f"P:{name}", "--prefix", "P:", "--json").stdout)[0]["value"])


@pytest.mark.slow
def test_corrections_act_only_with_apply_and_on_a_twin_as_one_command_each(twin: TwinProcess) -> None:
    assert twin.gnomon("put", "P:HS4P1D1R:set=0.1", "P:VS3P1D1R:set=0.1", "--prefix", "P:").returncode == 0
    before = last_state(twin)
    first = twin.gnomon("correct", "orbit", "--prefix", "P:")
    assert first.returncode == 0, first.stderr
    assert "nothing was set" in first.stdout
    assert last_state(twin) == before
    steps = corrected(twin, "correct", "orbit", "--strength", "1e-4", "--apply", "--steps", "2")
    assert [step["applied"] for step in steps] == [112, 112]
    assert value(twin, "dt:orbit:diff:rms:x") < 0.005
    (step,) = corrected(twin, "correct", "tune", "--to", "0.850,0.730", "--apply")
    assert last_state(twin) == step["lattice_id"]
    assert abs(value(twin, "beam:twiss:x:tune") - 0.850) < 2e-4
    bump, leak = corrected(twin, "bump", "BPMZ5D1R", "--y", "0.3", "--apply", "--note", "for the scraper")
    assert (bump["applied"], leak["applied"]) == (4, 4)
    assert abs(value(twin, "BPMZ5D1R:rdY") - 0.3) < 0.01
    assert "for the scraper" in twin.gnomon("log", "--last", "1", "--journal", str(twin.journal)).stdout
