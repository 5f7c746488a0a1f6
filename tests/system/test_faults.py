"""Injected faults on a whole server, as clients see them over Channel Access and PV Access."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import EpicsPorts, free_port
from epics_tools import run

from programs import faults
from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # a server, and each fault over both protocols

STEERER = {"device": faults.SUPPLY}
VALUE = 0.5
#: Each fault of commands: its keys, the answer to the put, (set, rdbk) of the supply and of another one at once, later.
COMMANDS: list[tuple[dict[str, Any], str, list[float], list[float]]] = [
    ({"kind": "abandon"}, "done", [0.5, 0.0, 0.0, 0.0], [0.5, 0.0, 0.0, 0.0]),
    ({"kind": "acknowledge"}, "done", [0.5, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]),
    ({"kind": "modify", "offset": 0.1}, "done", [0.5, 0.6, 0.0, 0.0], [0.5, 0.6, 0.0, 0.0]),
    ({"kind": "polarity"}, "done", [0.5, -0.5, 0.0, 0.0], [0.5, -0.5, 0.0, 0.0]),
    ({"kind": "quantise", "step": 0.4}, "done", [0.5, 0.4, 0.0, 0.0], [0.5, 0.4, 0.0, 0.0]),
    ({"kind": "clip", "high": 0.25}, "done", [0.5, 0.25, 0.0, 0.0], [0.5, 0.25, 0.0, 0.0]),
    ({"kind": "swap", "other": faults.OTHER}, "done", [0.5, 0.0, 0.0, 0.5], [0.5, 0.0, 0.0, 0.5]),
    ({"kind": "partial_group", "lost": 1}, "done", [0.5, 0.0, 0.0, 0.0], [0.5, 0.0, 0.0, 0.0]),
    ({"kind": "duplicate", "delay_s": 0.1}, "done", [0.5, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]),
    ({"kind": "delay", "delay_s": 0.3}, "done", [0.5, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]),
    ({"kind": "reorder", "within_s": 0.3}, "done", [0.5, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]),
    ({"kind": "unacknowledged"}, "silent", [0.5, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]),
    ({"kind": "refuse", "message": "local mode"}, "local mode", [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]),
]
#: Each fault of readings: its keys, the PV that is looked at, and what must hold for it and for the truth afterwards.
X, ROW = f"{faults.MONITOR}:rdX", "beam:orbit:x"
READINGS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "reading_stuck", "device": faults.MONITOR}, X),
    ({"kind": "reading_offset", "device": faults.MONITOR, "offset": 3}, X),
    ({"kind": "reading_drift", "device": faults.MONITOR, "rate_per_s": 100}, X),
    ({"kind": "reading_noise", "device": faults.MONITOR, "rms": 5}, X),
    ({"kind": "reading_spikes", "device": faults.MONITOR, "size": 7, "share": 1}, X),
    ({"kind": "reading_swapped", "device": faults.MONITOR, "other": "BPMZ2D1R"}, X),
    ({"kind": "reading_polarity", "device": faults.MONITOR}, X),
    ({"kind": "reading_dead", "device": faults.MONITOR}, X),
    ({"kind": "reading_nan", "device": faults.MONITOR}, X),
    ({"kind": "reading_severity", "device": faults.MONITOR, "severity": "MAJOR"}, X),
    ({"kind": "reading_time", "device": faults.MONITOR, "offset_s": -3600}, X),
    ({"kind": "reading_late", "pv": f"{faults.SUPPLY}:rdbk", "delay_s": 5}, f"{faults.SUPPLY}:rdbk"),
    ({"kind": "reading_length", "pv": ROW, "length": 10}, ROW),
]


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("faults")) as process:
        yield process


def test_every_fault_of_commands_looks_the_same_over_both_protocols(twin: TwinProcess) -> None:
    cases = [STEERER | keys for keys, *_ in COMMANDS]
    seen = twin.client(faults.command_faults, "TWIN:", cases, VALUE)
    for (keys, answer, at_once, later), found in zip(COMMANDS, seen, strict=True):
        for protocol in ("ca", "pva"):
            one, what = found[protocol], f"{keys} over {protocol}: {found[protocol]}"
            # Over Channel Access, a put that fails completes, too: its client is told by the status.
            told = "done" if protocol == "ca" and answer == "local mode" else answer
            assert told in one["answer"], what
            assert one["seen"] == pytest.approx(at_once), what
            assert one["later"] == pytest.approx(later), what
            if keys["kind"] in ("delay", "reorder"):
                assert one["took_s"] >= 0.3, what


def test_every_fault_of_readings_looks_the_same_over_both_protocols(twin: TwinProcess) -> None:
    seen = twin.client(faults.reading_faults, "TWIN:", READINGS)
    for (keys, _), found in zip(READINGS, seen, strict=True):
        for protocol in ("ca", "pva"):
            one, true, what = found["with"][protocol], found["after"][protocol], f"{keys} over {protocol}: {found}"
            assert true["severity"] == 0, what
            assert true["age_s"] < 30.0, what
            match keys["kind"]:
                case "reading_stuck":
                    assert one["value"] == pytest.approx(0.0, abs=1e-6), what
                    assert abs(true["value"]) > 1e-3, what
                case "reading_offset":
                    assert one["value"] == pytest.approx(true["value"] + 3.0), what
                case "reading_drift":
                    assert one["value"] > true["value"] + 5.0, what
                case "reading_noise":
                    assert abs(one["value"] - true["value"]) > 1e-3, what
                case "reading_spikes":
                    assert abs(one["value"] - true["value"]) == pytest.approx(7.0), what
                case "reading_swapped":
                    assert one["value"] != pytest.approx(true["value"]), what
                case "reading_polarity":
                    assert one["value"] == pytest.approx(-true["value"]), what
                case "reading_dead":
                    assert (one["severity"], one["value"]) == (3, pytest.approx(0.0, abs=1e-6)), what
                case "reading_nan":
                    assert (one["severity"], one["value"] != one["value"]) == (3, True), what
                case "reading_severity":
                    assert (one["severity"], one["value"]) == (2, pytest.approx(true["value"])), what
                case "reading_time":
                    assert one["age_s"] == pytest.approx(3600.0, abs=30.0), what
                case "reading_late":
                    assert (one["value"], true["value"]) == (0.0, 0.5), what
                case "reading_length":
                    assert one["length"] == 10 < true["length"], what


def test_the_tools_of_epics_see_a_refusal_and_a_silence_as_of_an_ioc(twin: TwinProcess) -> None:
    assert twin.gnomon("fault", "add", "refuse", faults.SUPPLY, "message=local mode").returncode == 0
    output, complaint = run("pvput", f"TWIN:{faults.SUPPLY}:set", "0.1", environment=twin.environment)
    assert "local mode" in output + complaint
    output, complaint = run("caput", "-c", f"TWIN:{faults.SUPPLY}:set", "0.1", environment=twin.environment)
    assert "fail" in (output + complaint).lower() or "0.1" not in output.splitlines()[-1]
    twin.gnomon("fault", "clear", "--all")
    assert twin.gnomon("fault", "add", "unacknowledged", faults.SUPPLY).returncode == 0
    output, complaint = run("caput", "-c", "-w", "1", f"TWIN:{faults.SUPPLY}:set", "0.2", environment=twin.environment)
    assert "timed out" in complaint, complaint
    assert twin.gnomon("fault", "clear", "--all").returncode == 0
    output, _ = run("caget", "-t", f"TWIN:{faults.SUPPLY}:rdbk", environment=twin.environment)
    assert float(output) == 0.2


def test_faults_are_cleared_from_a_server_on_which_everything_fails(twin: TwinProcess) -> None:
    for fault in (
        ("refuse", "*"),
        ("unacknowledged", "*"),
        ("reading_dead", "pv=*"),
        ("reading_nan", "*", "property=x"),
    ):
        added = twin.gnomon("fault", "add", *fault)
        assert added.returncode == 0, added.stderr
    put = twin.gnomon("put", f"{faults.SUPPLY}:set=0.3", "--timeout", "2")
    assert put.returncode == 1
    cleared = json.loads(twin.gnomon("fault", "clear", "--all", "--json").stdout)
    assert len(cleared) == 4
    assert json.loads(twin.gnomon("fault", "list", "--json").stdout) == []
    assert twin.gnomon("put", f"{faults.SUPPLY}:set=0.3").returncode == 0
    assert "INVALID" not in twin.gnomon("get", f"{faults.MONITOR}:rdX").stdout


def test_a_lost_put_ends_as_any_other_and_the_readback_is_told(twin: TwinProcess) -> None:
    assert twin.gnomon("fault", "add", "abandon", faults.OTHER, "count=1").returncode == 0
    put = twin.gnomon("put", f"{faults.OTHER}:set=0.25")
    assert put.returncode == 0
    assert f"TWIN:{faults.OTHER}:rdbk is 0 A, not at the setpoint" in put.stdout
