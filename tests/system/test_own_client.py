"""gnomon's own client on a whole server: found by itself, the values of EPICS's own tools, refusals, nothing left."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
import psutil
import pytest
from conftest import EpicsPorts, free_port
from epics_tools import run
from patience import PATIENCE_S

import gnomon
from gnomon.clients.errors import NotFoundError, RefusedError
from gnomon.clients.remote_ring import RemoteRing
from gnomon.lattice.tables import UnknownNameError
from system.twin_process import GNOMON, TwinProcess

STEERER, TUNE = "T:HS4P1D1R:set", "T:TUNEZR:rdH"
#: Whoever runs the commands has not set any variable of EPICS.
EPICS = ("EPICS_", "GNOMON_")


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("own"), "--prefix", "T:") as process:
        yield process


def user(twin: TwinProcess) -> dict[str, str]:
    return {name: value for name, value in twin.environment.items() if not name.startswith(EPICS)}


def command(twin: TwinProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GNOMON, *arguments], env=user(twin), capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip


def values(twin: TwinProcess, protocol: str, names: Sequence[str]) -> list[dict[str, object]]:
    done = command(twin, "get", *names, "--json", "--protocol", protocol)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


@pytest.fixture
def ring(twin: TwinProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteRing]:
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, twin.environment[name])
    with gnomon.connect() as ring:
        yield ring


def test_both_protocols_read_what_epics_own_tools_read(twin: TwinProcess) -> None:
    names = [STEERER, "T:dt:role", "T:beam:twiss:x:tune", "T:dt:lattice", "T:MCLKHX251C:freq"]
    command(twin, "put", "HS4P1D1R:set=0.125")
    for protocol in ("pva", "ca"):
        for told in values(twin, protocol, names):
            name = str(told["name"])
            caget, _ = run("caget", "-t", "-f17", name, environment=twin.environment)
            if isinstance(told["value"], float):
                assert told["value"] == float(caget.split()[0])
            else:
                assert told["value"] == caget.strip()
            wait = () if told["unit"] else ("-w", "1")  # a text has no such field
            units, _ = run("caget", *wait, "-t", f"{name}.EGU", environment=twin.environment)
            assert told["unit"] == units.strip()
            pvget, _ = run("pvget", "-v", name, environment=twin.environment)
            assert "severity 0" in pvget or "severity = 0" in pvget or told["severity"] == "NO_ALARM"


def test_waveforms_and_tables_are_whole(twin: TwinProcess) -> None:
    (ca,) = values(twin, "ca", ["beam:twiss:x:beta"])
    (pva,) = values(twin, "pva", ["beam:twiss:x:beta"])
    caget, _ = run("caget", "-t", "-f17", "T:beam:twiss:x:beta", environment=twin.environment)
    assert ca["value"] == pva["value"] == [float(text) for text in caget.split()[1:]]
    (table,) = values(twin, "pva", ["ORBITCC:rdBpm"])
    assert isinstance(table["value"], dict)
    assert {len(column) for column in table["value"].values()} == {123}


@pytest.mark.parametrize("protocol", ["pva", "ca"])
def test_a_put_is_done_when_the_command_ends(twin: TwinProcess, protocol: str) -> None:
    command(twin, "put", f"{STEERER}=0", "--protocol", protocol)
    before = values(twin, protocol, [TUNE])[0]["value"]
    done = command(twin, "put", f"{STEERER}=0.2", "--protocol", protocol)
    assert (done.returncode, done.stdout) == (0, f"{STEERER}  0  ->  0.2 A\n")
    assert values(twin, protocol, [TUNE])[0]["value"] != before
    assert run("caget", "-t", STEERER, environment=twin.environment)[0].strip() == "0.2"


def test_a_refusal_has_the_servers_words_and_exit_code_1(twin: TwinProcess) -> None:
    done = command(twin, "put", f"{STEERER}=99")
    assert done.returncode == 1
    assert done.stderr == f"gnomon: {STEERER} = 99 A: outside the drive limits -10 to 10 A; nothing was changed\n"
    assert command(twin, "put", f"{STEERER}=99", "--protocol", "ca").returncode == 1
    assert command(twin, "put", f"{TUNE}=99").stderr == f"gnomon: {TUNE} is read-only; nothing was changed\n"


def test_several_settings_are_one_command_or_none(twin: TwinProcess) -> None:
    done = command(twin, "put", "HS4P1D1R:set=0.01", "HS1PD1R:set=50")
    assert done.returncode == 1
    assert "HS1PD1R:set = 50 A: outside the drive limits" in done.stderr
    done = command(twin, "put", "HS4P1D1R:set=0.01", "HS1PD1R:set=0.02", "--note", "two", "--json")
    told = json.loads(done.stdout)
    shown = command(twin, "log", "show", str(told["sequence"]), "--journal", str(twin.journal))
    assert "two" in shown.stdout
    assert [setting["new"] for setting in told["settings"]] == [0.01, 0.02]


def test_a_wrong_name_is_answered_with_near_names_and_exit_code_2(twin: TwinProcess) -> None:
    for protocol in ("pva", "ca"):
        done = command(twin, "get", "TUNEZ:rdH", "--protocol", protocol)
        assert done.returncode == 2
        assert done.stderr.startswith("gnomon: there is no PV 'TUNEZ:rdH' under 'T:'; near names: TUNEZR:rdH,")


def test_patterns_find_what_is_served(twin: TwinProcess) -> None:
    names = command(twin, "get", "HS4P1D?R:set", "--protocol", "ca").stdout.splitlines()
    assert [line.split()[0] for line in names] == [f"T:HS4P1D{number}R:set" for number in range(1, 9)]


@pytest.mark.parametrize("protocol", ["pva", "ca"])
def test_monitor_shows_what_changes(twin: TwinProcess, protocol: str) -> None:
    done = command(twin, "monitor", "dt:heartbeat", "--count", "3", "--json", "--protocol", protocol)
    beats = [json.loads(line)["value"] for line in done.stdout.splitlines()]
    assert beats == [beats[0], beats[0] + 1, beats[0] + 2]


def test_no_first_value_of_many_is_lost(twin: TwinProcess) -> None:
    names = {str(told["name"]) for told in values(twin, "pva", ["*:set"])}
    assert len(names) > 1000
    done = command(twin, "monitor", "*:set", "--count", str(len(names)), "--duration", "30", "--json")
    assert {json.loads(line)["name"] for line in done.stdout.splitlines()} == names
    assert done.stderr == ""


def _hear_ctrl_c() -> None:
    """Undo what a background job of a shell passes on to its children: to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("protocol", ["pva", "ca"])
def test_ctrl_c_and_a_closed_pipe_leave_nothing_behind(twin: TwinProcess, protocol: str) -> None:
    def repeaters() -> set[int]:
        return {each.pid for each in psutil.process_iter(["name"]) if "epeater" in (each.info["name"] or "")}

    before = repeaters()
    arguments = [*GNOMON, "monitor", "*:set", "--protocol", protocol]
    for number in (signal.SIGINT, None):
        process = subprocess.Popen(
            arguments, env=user(twin), stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_hear_ctrl_c
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        if number is None:
            process.stdout.close()
            command(twin, "put", f"{STEERER}={time.time() % 1:.6f}")
        else:
            process.send_signal(number)
        process.wait(PATIENCE_S)
        assert process.stderr.read() == b""
        assert process.returncode == (0 if number else process.returncode)
        process.stderr.close()
        process.stdout.close()
    assert repeaters() == before


def test_a_server_that_was_killed_is_not_found(twin: TwinProcess, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("killed")
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, folder, "--prefix", "K:") as other:
        os.kill(other.process.pid, signal.SIGKILL)
        other.process.wait()
        done = command(other, "get", "TUNEZR:rdH")
    assert done.returncode == 1
    assert "gnomon: no server of this user runs on this computer" in done.stderr


def test_a_fork_is_found_by_its_prefix(twin: TwinProcess) -> None:
    assert command(twin, "fork", "add", "WHATIF").returncode == 0
    try:
        assert command(twin, "put", "HS4P1D1R:set=0.3", "--prefix", "WHATIF:").stdout.startswith("WHATIF:HS4P1D1R:set")
        assert command(twin, "get", "WHATIF:HS4P1D1R:set", "--bare").stdout == "0.3\n"
        assert command(twin, "get", "HS4P1D1R:set", "--bare").stdout != "0.3\n"
    finally:
        assert command(twin, "fork", "drop", "WHATIF").returncode == 0
    assert command(twin, "get", "HS4P1D1R:set", "--prefix", "WHATIF:", "--timeout", "0.5").returncode == 1


def test_procedures_answer_with_fields_that_command_lines_print(twin: TwinProcess) -> None:
    arguments = ["T:dt:set", "names=HS4P1D1R:set", "values=0.02"]
    printed, complaint = run("pvcall", *arguments, environment=twin.environment)
    assert re.search(r"string lattice_id [0-9a-f]{20}\n", printed), complaint
    cli = [sys.executable, "-W", "ignore", "-m", "p4p.client.cli", "rpc", *arguments]
    done = subprocess.run(cli, env=twin.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "('sequence', " in done.stdout


def test_a_connected_ring_sets_reads_and_finds(ring: RemoteRing) -> None:
    before = ring.tunes
    done = ring.set(Q1PDR=ring.get("Q1PDR") + 0.5)
    assert done.sequence > 0
    assert ring.tunes != before
    assert ring.get("dt:lattice") == done.lattice_id
    ring.set(done.old)
    assert ring.tunes == pytest.approx(before)
    found = ring.find("HS4P1D?R")
    assert list(found) == [f"HS4P1D{number}R" for number in range(1, 9)]
    assert (found["HS4P1D1R"].pv, found["HS4P1D1R"].high, found["HS4P1D1R"].unit) == ("T:HS4P1D1R:set", 10.0, "A")
    assert ring.settings["Q1PDR"].value == ring["Q1PDR"]
    with pytest.raises(UnknownNameError, match="near names: HS4P1D1R"):
        ring.find("HS4P1D11R")


def test_a_connected_ring_reads_tables_in_the_units_of_the_pvs(ring: RemoteRing) -> None:
    ring.set(HS4P1D1R=0.1)
    orbit, optics = ring.orbit, ring.optics
    assert (len(orbit), orbit.units["x"], optics.units["beta_x"]) == (123, "mm", "m")
    assert orbit["BPMZ6D1R"].x == pytest.approx(ring.get("BPMZ6D1R:rdX"))
    assert optics.phase_x[-1] == ring.tunes.x
    assert ring.tunes.x % 1 == pytest.approx(ring.get("beam:twiss:x:tune"))
    assert "BPMZ6D1R" in repr(orbit)
    assert "<td" in orbit._repr_html_()
    assert ring.chromaticities.x == ring.get("beam:chromaticity:x")


def test_the_model_of_a_connected_ring_has_its_settings_and_its_numbers(ring: RemoteRing) -> None:
    ring.set({"HS4P1D1R": 0.1, "Q1PDR": 218.8, "MCLKHX251C:freq": 499_636.5})
    assert ring.plot().png.startswith(b"\x89PNG")
    model = ring.model()
    assert model.id == ring.get("dt:lattice")
    assert np.abs(model.orbit.x - ring.orbit.x).max() < 1e-9
    assert tuple(model.tunes) == pytest.approx(tuple(ring.tunes), abs=1e-9)
    assert ring.orm()["BPMZ6D1R", "HS4P1D1R"].x == model.orm()["BPMZ6D1R", "HS4P1D1R"].x


def test_a_connected_ring_gives_the_servers_reasons_and_near_names(ring: RemoteRing) -> None:
    with pytest.raises(RefusedError, match="outside the drive limits -10 to 10 A"):
        ring.set(HS4P1D1R=99)
    with pytest.raises(NotFoundError, match="near names: HS4P1D1R"):
        ring.set(HS4P1D1=1)


def test_a_connected_ring_watches(ring: RemoteRing) -> None:
    with ring.updates("dt:heartbeat") as readings:
        first, second = next(readings).value, next(readings).value
    assert second == first + 1
