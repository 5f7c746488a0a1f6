"""Measurements that lose the beam, on a served machine with hidden errors: true, settings as before, a beam."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from conftest import EpicsPorts, free_port

import gnomon
from system.twin_process import GNOMON, TwinProcess

pytestmark = pytest.mark.slow

#: Walls that are soon reached, and hardware that takes no time.
CONFIG = """
publish: {repeat_hz: 20}
imperfections:
  supplies: {ramp_s: 0, steerer_ramp_s: 0, lag_s: 0}
  tune_meter: {period_s: 0.05}
  stored_beam: {half_aperture_y_m: 0.0012}
"""
APERTURE = (
    "measure",
    "aperture",
    "BPMZ5D1R",
    "--side",
    "high",
    "--step-mm",
    "0.25",
    "--seconds",
    "0.2",
    "--prefix",
    "M:",
    "--json",
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    folder = tmp_path_factory.mktemp("losing")
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    with TwinProcess(
        ports.environment, folder, "--prefix", "M:", "--role", "machine", "--config", str(config)
    ) as found:
        found.environment["GNOMON_RESULTS"] = str(folder / "results")
        yield found


def settings(machine: TwinProcess) -> dict[str, float]:
    """Currents of all supplies as they were set; there is a beam."""
    read = json.loads(machine.gnomon("get", "M:*:set", "M:MDIZ3T5G:current", "--prefix", "M:", "--json").stdout)
    values = {each["name"].removeprefix("M:"): each["value"] for each in read}
    assert values.pop("MDIZ3T5G:current") > 100.0
    known = {supply.name for supply in gnomon.ring("bessy2").lattice.ring.document.supplies}
    names = {name.removesuffix(":set"): value for name, value in values.items()}
    return {name: float(value) for name, value in names.items() if name in known}


def test_the_wall_is_found_and_bump_and_loss_of_the_beam_leave_nothing_behind(machine: TwinProcess) -> None:
    before = settings(machine)
    done = machine.gnomon(*APERTURE)
    assert done.returncode == 0, done.stderr
    assert "the beam was lost: injecting" in done.stderr
    assert settings(machine) == before
    outcome = json.loads(done.stdout)["outcome"]
    assert outcome["wall_error_mm"][1] < 0.1
    assert outcome["top_mm"][1] == pytest.approx(1.2, abs=0.4)  # from an orbit that is up to 0.4 mm off
    assert outcome["ends"][0] == "not searched"


def test_losses_and_beta_are_those_of_the_machine(machine: TwinProcess) -> None:
    before = settings(machine)
    region = ("--x", "0.84,0.86", "--y", "0.69,0.71", "--points", "3", "--seconds", "0.2")
    done = machine.gnomon("measure", "losses", *region, "--prefix", "M:", "--json")
    assert done.returncode == 0, done.stderr
    assert "9 working points" in done.stderr
    assert json.loads(done.stdout)["outcome"]["resonances"] == ["2 Qx - Qy = 29"]
    done = machine.gnomon("measure", "beta", "Q4M2T7R", "--points", "3", "--prefix", "M:", "--json")
    assert done.returncode == 0, done.stderr
    beta = json.loads(done.stdout)["outcome"]
    assert beta["beta_x_m"][0] == pytest.approx(21.43, rel=0.02)  # of seed 1, by `gnomon machine truth --document`
    assert settings(machine) == before


def test_ctrl_c_on_the_way_leaves_settings_and_beam(machine: TwinProcess) -> None:
    before = settings(machine)
    with subprocess.Popen(
        [*GNOMON, *APERTURE], env=machine.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        end = time.monotonic() + 60
        while settings(machine) == before and time.monotonic() < end:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(out)["status"] == "stopped"
    assert settings(machine) == before
