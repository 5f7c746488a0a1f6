"""The pytest plugin in projects of their own: fresh rings, readable failures, and nothing that is left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import psutil
import pytest
from patience import PATIENCE_S

pytestmark = pytest.mark.network

#: Where gnomon is installed, pytest finds the plugin by itself; in a checkout that was not, it is named.
FOUND = any(each.value == "gnomon.testing.plugin" for each in entry_points(group="pytest11"))

CONFTEST = """
import os
import pytest

BEFORE = dict(os.environ)

@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    changed = {k for k in os.environ.keys() | BEFORE.keys() if os.environ.get(k) != BEFORE.get(k)}
    print("environment changed:", sorted(changed - {"PYTEST_CURRENT_TEST", "PYTEST_VERSION"}))
"""

PROJECT = '''
import os, signal, subprocess, sys, time
import epics, psutil, pytest
from p4p.client.thread import Context

SETPOINT = "TWIN:HS4P1D1R:set"
events, client = [], []

def test_everything_is_changed(ring, journal):
    """By all the ways there are; the next test finds nothing of it."""
    setpoint = epics.get_pv(SETPOINT, connection_callback=lambda conn, **_: events.append(conn))
    assert setpoint.wait_for_connection(60.0)
    setpoint.put(0.1, wait=True)
    client.append(Context("pva"))
    client[0].put("TWIN:Q1PDR:set", client[0].get("TWIN:Q1PDR:set", timeout=60) + 0.5, timeout=60)
    client[0].put("TWIN:dt:orbit:ref:save", "mine", timeout=60)
    client[0].put("TWIN:dt:orbit:ref:use", "mine", timeout=60)
    assert journal.commands("HS*").values == [0.1]
    assert journal.commands("HS*")[0].protocol == "ca"
    assert journal.commands("Q*")[0].protocol == "pva"
    ring.remote.client.call("dt:fork", {"do": "add", "name": "WHATIF"})
    ring.fault("reading_stuck", "BPMZ6D1R")
    fault = ring.fault("abandon", "HS*", count=2)
    assert len(ring.faults) == 2 and "abandon HS*" in fault.text
    assert ring.orbit.rms_x > 0.1
    with pytest.raises(Exception, match="near names: delay"):
        ring.fault("delai", "HS*")

def test_everything_is_back(ring, journal):
    assert epics.caget(SETPOINT, timeout=60, connection_timeout=60) == 0.0 and events == [True]  # never disconnected
    assert client[0].get("TWIN:Q1PDR:set", timeout=60) == ring.get("Q1PDR")
    assert not ring.faults and not journal.commands() and journal.notes() == []
    assert ring.get("dt:orbit:ref:use") == "zero" and ring.get("dt:orbit:ref:names") == ["zero"]
    assert ring.orbit.rms_x < 1e-6
    assert ring.remote.client.call("dt:fork", {"do": "list"}) == []

def test_a_failure_is_told(ring, journal):
    epics.caput(SETPOINT, 20.0, wait=True, connection_timeout=60)
    assert journal.commands("VS*")

def test_a_ring_is_broken(ring):
    for child in psutil.Process().children():
        child.kill()

async def test_another_one_is_there(ring, journal):
    assert ring.has_beam and not journal.commands()
    ring.set(HS4P1D1R=0.05)
    assert not journal.commands() and journal.commands(own=True).values == [0.05]
    told = f"import epics; print(epics.caget({SETPOINT!r}, connection_timeout=60))"
    done = subprocess.run([sys.executable, "-c", told],
                          capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "0.05", done

def test_a_scenario_is_played(ring, journal):
    with pytest.raises(AssertionError, match="(?s)it fails.*exit code 0.*all is well") as failed:
        ring.play("polarity_after_repair", [sys.executable, "-c", "print('all is well')"])
    assert not ring.faults

@pytest.mark.gnomon(machine="mls", prefix="M:")
def test_another_machine(ring):
    assert ring.machine == "mls" and ring.prefix == "M:" and ring.has_beam

@pytest.mark.gnomon(maschine="mls")
def test_a_wrong_word(ring): ...
'''


def project(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    (folder / "tmp").mkdir()
    return folder


def command(*arguments: str) -> list[str]:
    plugin = [] if FOUND else ["-p", "gnomon.testing.plugin"]
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, *arguments]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder / "tmp"), "OMP_NUM_THREADS": "1"}


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return done.stdout + done.stderr


def left(folder: Path) -> list[str]:
    """List what a session has left behind: files, and processes that have the folder in their environment or words."""
    files = [path.name for path in (folder / "tmp").iterdir() if path.name.startswith("gnomon")]
    words = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return files + [line for line in words if str(folder) in line]


def test_each_test_has_a_fresh_ring_and_failures_can_be_read_and_nothing_is_left(tmp_path: Path) -> None:
    said = run(project(tmp_path, conftest=CONFTEST, test_ring=PROJECT), "-v", "--durations=0")
    outcomes = dict(re.findall(r"::(test_\w+) (PASSED|FAILED|ERROR)", said))
    wrong = {"test_a_failure_is_told": "FAILED", "test_a_wrong_word": "ERROR"}
    assert outcomes == dict.fromkeys(outcomes, "PASSED") | wrong, said
    assert len(outcomes) == 8
    assert "assert <no command to 'VS*'; 1 other>" in said
    assert "TWIN:HS4P1D1R:set: 0 -> 20 A rejected" in said  # in the journal that the report shows
    assert "gnomon(maschine=...): unknown; known are machine, role, prefix, seed, config" in said
    assert "environment changed: []" in said
    assert left(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_nothing_is_left_when_a_session_is_interrupted_or_killed(tmp_path: Path, number: signal.Signals) -> None:
    test = "import time\ndef test_long(ring):\n    print('begun', flush=True)\n    time.sleep(60)\n"
    project(tmp_path, test_long=test)
    session = subprocess.Popen(
        command("-s", "-q"), cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert session.stdout is not None
        assert any(b"begun" in line for line in session.stdout)
        assert len(left(tmp_path)) == 2  # the server's folder and process
        session.send_signal(number)
        try:
            session.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            session.send_signal(signal.SIGABRT)  # pytest shows the stacks of all threads
            pytest.fail(session.communicate()[0].decode())
    finally:
        session.kill()
        session.communicate()
    end = time.monotonic() + PATIENCE_S
    while left(tmp_path) and time.monotonic() < end:
        time.sleep(0.05)
    assert left(tmp_path) == []


@pytest.mark.slow
def test_workers_of_xdist_have_a_server_each_and_machines_tell_the_truth_to_those_who_ask(tmp_path: Path) -> None:
    workers = (
        "import os, pathlib, pytest, time\n"
        "@pytest.mark.parametrize('n', range(2))\n"
        "def test_worker(ring, n):\n"
        "    place = pathlib.Path(__file__).parent\n"
        "    (place / os.environ['PYTEST_XDIST_WORKER']).write_text(os.environ['EPICS_CA_ADDR_LIST'])\n"
        "    ring.set(HS4P1D1R=0.01 * (n + 1))\n"
        "    ring.wait_until(lambda: (place / 'gw0').exists() and (place / 'gw1').exists(), 60.0)\n"
        "    time.sleep(0.3)\n"
        "    assert ring.get('HS4P1D1R') == 0.01 * (n + 1)\n"
    )
    machine = (
        "def test_machine(machine, ring, truth):\n"
        "    assert (machine.prefix, ring.prefix) == ('', 'TWIN:')\n"
        "    assert 0.01 < machine.orbit.rms_x < 0.2 and ring.orbit.rms_x < 1e-6\n"
        "def test_errors(machine, truth):\n"
        "    kinds = {error.kind for error in truth.errors('Q4M1D1R')}\n"
        "    assert 'quadrupole_gradient' in kinds, kinds\n"
        "    assert abs(truth.orbit.x - machine.orbit.x).max() > 0.01\n"
    )
    project(tmp_path, test_workers=workers)
    said = run(tmp_path, "-q", "-n2")
    assert "2 passed" in said, said
    assert (tmp_path / "gw0").read_text() != (tmp_path / "gw1").read_text()
    (tmp_path / "test_workers.py").unlink()
    (tmp_path / "test_machine.py").write_text(machine)
    said = run(tmp_path, "-q", "-p", "no:xdist")
    assert "2 passed" in said, said
    assert left(tmp_path) == []
