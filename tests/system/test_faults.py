"""Injected faults on a whole server, as clients see them over Channel Access and PV Access."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import EpicsPorts, free_port
from epics_tools import run
from patience import PATIENCE_S

from gnomon.recorder import Reader
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
    ({"kind": "reading_time", "device": faults.MONITOR, "frozen": "true"}, X),
    ({"kind": "reading_late", "pv": f"{faults.SUPPLY}:rdbk", "delay_s": 100}, f"{faults.SUPPLY}:rdbk"),
    ({"kind": "reading_length", "pv": ROW, "length": 10}, ROW),
]
SET, RDBK = f"{faults.SUPPLY}:set", f"{faults.SUPPLY}:rdbk"
CURRENT = "MDIZ3T5G:current"
#: Each fault of supplies and of the beam, with the supply at 0.5 A: its keys, how long it is watched, what is put then.
HARDWARE: list[dict[str, Any]] = [
    {"kind": "supply_trip", **STEERER, "decay_s": 0.02, "moves_s": 0.5},
    {"kind": "supply_trip", **STEERER, "decay_s": 0.0, "reset": "setpoint", "put": 0.5},
    {"kind": "supply_limit_cycle", **STEERER, "amplitude_a": 0.2, "period_s": 1.0, "moves_s": 1.1},
    {"kind": "supply_ripple", **STEERER, "amplitude_a": 0.2, "frequency_hz": 0.7, "moves_s": 1.0},
    {"kind": "supply_readback", **STEERER, "scale": 2.0, "offset_a": 0.1},
    {"kind": "supply_readback", **STEERER, "offset_a": 0.1, "field": "readback"},
    {"kind": "supply_slow", **STEERER, "ramp_s": 1500.0, "put": 0.9, "moves_s": 0.5},
    {"kind": "supply_hysteresis", **STEERER, "width": 0.1, "grow_s": 0.1, "put": 0.9},
    {"kind": "beam_loss", "fraction": 0.4},
    {"kind": "beam_dump"},
    {"kind": "beam_lifetime", "factor": 1e-4, "moves_s": 1.5},
    {"kind": "beam_jump", "device": "HS1MD1R", "kick_mrad": 0.2},
    {"kind": "beam_no_orbit"},
]
#: Faults of several groups on one supply to which 0.5 A is put: set, rdbk, and rdbk when they are cleared.
COMBINED: list[tuple[list[dict[str, Any]], list[float]]] = [
    (
        [
            {"kind": "reading_offset", "pv": RDBK, "offset": 0.01},
            {"kind": "supply_readback", **STEERER, "scale": 2.0},
            {"kind": "modify", **STEERER, "offset": 0.1},
        ],
        [0.5, 1.21, 0.6],
    ),
    ([{"kind": "abandon", **STEERER}, {"kind": "supply_readback", **STEERER, "offset_a": 0.1}], [0.5, 0.1, 0.0]),
    ([{"kind": "supply_trip", **STEERER, "decay_s": 0}, {"kind": "reading_stuck", "pv": RDBK}], [0.5, 0.0, 0.5]),
    ([{"kind": "acknowledge", **STEERER}, {"kind": "supply_trip", **STEERER}], [0.5, 0.5, 0.5]),
]

#: Each fault of gnomon itself, and what a put over PV Access is answered with.
OWN: list[dict[str, Any]] = [
    {"kind": "model_slow", "delay_s": 0.3},
    {"kind": "model_crashed", "message": "singular matrix"},
    {"kind": "model_hung"},
    {"kind": "journal_full"},
    {"kind": "store_unreachable"},
]
TOLD = {
    "model_slow": "done",
    "model_crashed": "the model failed: RuntimeError: singular matrix",
    "model_hung": "the model took longer than 0.8 s",
    "journal_full": "database or disk is full; nothing of this was recorded",
    "store_unreachable": "done",
}
#: Faults that together make everything fail; that of the journal comes last, since after it none can be recorded.
AT_ONCE: list[dict[str, Any]] = [
    {"kind": "refuse", "device": "Q*"},
    {"kind": "unacknowledged", "device": "*"},
    {"kind": "reading_dead", "pv": "*"},
    {"kind": "connection_denied", "allow": "none"},
    {"kind": "connection_lost"},
    {"kind": "supply_trip", "device": "H*"},
    {"kind": "beam_no_orbit"},
    {"kind": "model_slow", "delay_s": 60},
    {"kind": "model_hung"},
    {"kind": "model_crashed"},
    {"kind": "store_unreachable"},
    {"kind": "journal_full"},
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
            assert true["age_s"] < PATIENCE_S, what
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
                case "reading_time" if "frozen" in keys:
                    assert (one["value"], one["age_s"] > 0.1) == (pytest.approx(true["value"]), True), what
                case "reading_time":
                    assert one["age_s"] == pytest.approx(3600.0, abs=PATIENCE_S), what
                case "reading_late":
                    assert (one["value"], true["value"]) == (0.0, 0.5), what
                case "reading_length":
                    assert one["length"] == 10 < true["length"], what


def test_a_supply_whose_current_reaches_no_magnet_answers_and_moves_no_beam(twin: TwinProcess) -> None:
    seen = twin.client(faults.kept_field, "TWIN:")
    for protocol in ("ca", "pva"):
        assert seen[protocol] == ["done", 0.5, 0.5, pytest.approx(0.0, abs=1e-6)], seen
    assert seen["whole"][:3] == ["done", 0.5, 0.5], seen
    assert abs(seen["whole"][3]) > 1e-3, seen


def test_every_fault_of_supplies_and_of_the_beam_looks_the_same_over_both_protocols(twin: TwinProcess) -> None:
    names = [SET, RDBK, X, CURRENT]
    seen = twin.client(faults.hardware_faults, "TWIN:", HARDWARE, names)
    for keys, found in zip(HARDWARE, seen, strict=True):
        for protocol in ("ca", "pva"):
            what = f"{keys} over {protocol}: {found}"
            value = {name: [one["value"] for one in found["with"][protocol][name]] for name in names}
            severity = {name: [one["severity"] for one in found["with"][protocol][name]] for name in names}
            after = found["after"][protocol]
            asked = keys.get("put", 0.5)
            assert set(value[SET]) == {asked}, what
            assert (after[RDBK]["value"], after[X]["severity"]) == (pytest.approx(asked), 0), what
            assert found["answers"].get(protocol, "done") == "done", what
            gone = keys["kind"] == "beam_loss" or keys.get("reset") == "setpoint"
            assert found["active"] == [] if gone else keys["kind"] in found["active"][0], what
            moved = max(value[X]) - min(value[X]), max(abs(x - after[X]["value"]) for x in value[X])
            match keys["kind"]:
                case "supply_trip" if gone:
                    assert value[RDBK][-1] == 0.5, what
                case "supply_trip":
                    assert value[RDBK][-1] == pytest.approx(0.0, abs=1e-3), what
                    assert moved[1] > 1e-3, what
                case "supply_limit_cycle":
                    assert 0.3 - 1e-9 < min(value[RDBK]) < 0.4 < 0.6 < max(value[RDBK]) < 0.7 + 1e-9, what
                    assert moved[0] > 1e-3, what
                case "supply_ripple":
                    assert set(value[RDBK]) == {0.5}, what
                    assert moved[0] > 1e-3, what
                case "supply_readback" if "field" in keys:
                    assert value[RDBK][-1] == pytest.approx(0.6), what
                    assert moved[1] > 1e-3, what
                case "supply_readback":
                    assert value[RDBK][-1] == pytest.approx(1.1), what
                    assert moved[1] < 1e-6, what
                case "supply_slow":
                    assert 0.5 <= value[RDBK][0] < value[RDBK][-1] < 0.8, what
                case "supply_hysteresis":
                    assert value[RDBK][-1] == 0.9, what
                    assert moved[1] > 1e-3, what
                case "beam_loss":
                    assert value[CURRENT][-1] == pytest.approx(150.0, abs=1.0), what
                case "beam_dump" | "beam_no_orbit":
                    assert (value[CURRENT][-1], severity[X][-1]) == (0.0, 3), what
                    assert after[CURRENT]["value"] == pytest.approx(250.0, abs=0.1), what
                case "beam_lifetime":
                    # Until the fault is cleared more is lost, and what is lost stays lost.
                    assert value[CURRENT][-1] < 249.0, what
                    assert 0.0 < after[CURRENT]["value"] < 249.0, what
                case "beam_jump":
                    assert moved[1] > 1e-3, what


def test_faults_of_several_groups_act_one_after_the_other_on_one_supply(twin: TwinProcess) -> None:
    seen = twin.client(faults.combined_faults, "TWIN:", [case for case, _ in COMBINED], 0.5)
    for (case, expected), found in zip(COMBINED, seen, strict=True):
        assert found["ca"] == pytest.approx(expected, abs=1e-6), f"{case}: {found}"
        assert found["pva"] == pytest.approx(expected, abs=1e-6), f"{case}: {found}"


def test_a_dump_is_told_as_a_machine_would_and_current_that_was_lost_is_injected_again(twin: TwinProcess) -> None:
    reason = twin.client(faults.shown_with, "TWIN:", "dt:reason", kind="beam_dump")
    assert reason == dict.fromkeys(("ca", "pva"), "the beam was dumped")
    output, complaint = run("pvput", "TWIN:dt:inject", "1", environment=twin.environment)
    assert "no beam could be stored" in output + complaint
    left = twin.client(faults.shown_with, "TWIN:", CURRENT, kind="beam_loss", fraction=0.9)
    assert [float(left[protocol]) for protocol in ("ca", "pva")] == pytest.approx([25.0, 25.0], abs=0.5)
    run("caput", "-c", "TWIN:dt:inject", "1", environment=twin.environment)
    output, _ = run("caget", "-t", f"TWIN:{CURRENT}", environment=twin.environment)
    assert float(output) > 249.0
    with Reader(twin.journal) as reader:
        notes = [(entry.note, entry.client.protocol) for entry in reader.entries()]
    (note, protocol) = notes[-1]
    assert re.fullmatch(r"fault \d+ acts: beam_loss: 2\d\d\.\d+ mA fell to 2\d\.\d+ mA", note)
    assert protocol == "fault"
    assert any(re.fullmatch(r"fault \d+ acts: beam_dump", text) for text, _ in notes)


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


def test_every_fault_of_gnomon_itself_looks_like_the_real_failure_over_both_protocols(twin: TwinProcess) -> None:
    twin.gnomon("fault", "clear", "--all")
    seen = twin.client(faults.own_faults, "TWIN:", OWN)
    for keys, found in zip(OWN, seen, strict=True):
        for protocol in ("ca", "pva"):
            one, what = found[protocol], f"{keys} over {protocol}: {found[protocol]}"
            assert one["after"] == {"beam:orbit:x": 0, "dt:recorder": 0}, what
            assert one["again"] == "done", what
            invalid = 3 if keys["kind"] in ("model_hung", "model_crashed") else 0
            assert one["with"] == {"beam:orbit:x": invalid, "dt:recorder": 2 * (keys["kind"] == "journal_full")}, what
            assert ("the document store failed" in one["saved"]) is (keys["kind"] == "store_unreachable"), what
            match keys["kind"]:
                case "model_slow":
                    assert (one["answer"], one["took_s"] > 0.3) == ("done", True), what
                case "model_hung":
                    assert 0.7 < one["took_s"] < PATIENCE_S, what
            if protocol == "pva":
                assert TOLD[keys["kind"]] in one["answer"], what


def test_faults_of_all_groups_at_once_are_listed_and_cleared(twin: TwinProcess) -> None:
    for found in twin.client(faults.all_at_once, "TWIN:", AT_ONCE):
        assert found["listed"] == [keys["kind"] for keys in AT_ONCE]
        assert (found["left"], found["answer"], found["x"]) == (0, "done", 0)


def test_a_lost_put_ends_as_any_other_and_the_readback_is_told(twin: TwinProcess) -> None:
    assert twin.gnomon("fault", "add", "abandon", faults.OTHER, "count=1").returncode == 0
    put = twin.gnomon("put", f"{faults.OTHER}:set=0.25")
    assert put.returncode == 0
    assert f"TWIN:{faults.OTHER}:rdbk is 0 A, not at the setpoint" in put.stdout
