"""Replays through the gate to a machine with hidden errors: whole procedures, and faults while they are made."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from system.gated_machine import QUADRUPOLES, STEERERS_X, STEERERS_Y, GatedMachine, gated_machine

pytestmark = pytest.mark.slow  # a server, and a command for each replay


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatedMachine]:
    with gated_machine(tmp_path_factory.mktemp("gated")) as found:
        found.calibrate()
        yield found


AGAIN = (STEERERS_Y[0], STEERERS_Y[1])


@pytest.fixture(scope="module")
def again(machine: GatedMachine) -> list[float]:
    """Two steerers that each replay with a fault moves, and puts back; their values now."""
    machine.recording("again", (AGAIN[0], 0.04), (AGAIN[1], -0.04))
    return machine.setpoints(AGAIN)


@pytest.mark.parametrize(
    ("kind", "device", "text"),
    [
        ("abandon", AGAIN[0], "instead of"),  # the put is lost
        ("acknowledge", AGAIN[0], "expected were"),  # a stuck magnet whose readback follows
        ("reading_stuck", "BPMZ*", "expected were"),
    ],
)
def test_a_fault_is_found_at_the_first_write_and_all_is_put_back(
    machine: GatedMachine, again: list[float], kind: str, device: str, text: str
) -> None:
    machine.fault(kind, device)
    try:
        status, said = machine.replay("again")
    finally:
        machine.clear()
    assert status == 1, said
    assert "stopped and rolled back" in said
    assert text in said
    assert machine.setpoints(AGAIN) == pytest.approx(again)


def test_a_machine_that_is_silent_for_nine_seconds_ends_where_it_began(
    machine: GatedMachine, again: list[float]
) -> None:
    process = machine.start_replay("again")
    until(process, "verified")
    os.kill(machine.process.process.pid, signal.SIGSTOP)
    try:
        until(process, "waiting")
        time.sleep(9.0)
    finally:
        os.kill(machine.process.process.pid, signal.SIGCONT)
    said = process.communicate(timeout=240.0)[0]
    assert process.returncode == 1, said
    assert "no answer" in said
    assert machine.setpoints(AGAIN) == pytest.approx(again)


@pytest.mark.parametrize("option", ["--rollback", "--resume"])
def test_after_kill_9_it_is_put_back_or_continued(machine: GatedMachine, again: list[float], option: str) -> None:
    process = machine.start_replay("again")
    until(process, "write")
    process.kill()
    process.communicate(timeout=60.0)
    status, said = machine.replay("again")
    assert status == 1
    assert "first continue it" in said
    id = said.split("--rollback ")[1].split(")")[0].strip()
    other = machine.popen(option, id)
    said = other.communicate(timeout=240.0)[0]
    assert other.returncode == 0, said
    wanted = again if option == "--rollback" else [again[0] + 0.04, again[1] - 0.04]
    assert machine.setpoints(AGAIN) == pytest.approx(wanted)
    for name, value in zip(AGAIN, again, strict=True):
        machine.put(f"{name}:setCur", value)


def until(process: "subprocess.Popen[str]", text: str) -> None:
    """Read lines until one has a text."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return
    raise AssertionError(f"no {text!r}: {lines}")


def test_a_bump_a_tune_change_a_response_and_an_optics_correction_go_through(machine: GatedMachine) -> None:
    steps = [
        *((name, by) for name, by in zip(STEERERS_Y[:3], (0.06, -0.08, 0.05), strict=True)),
        *((name, by) for name in STEERERS_X[:2] for by in (0.03, -0.06, 0.03)),
        *((name, by) for name, by in zip(QUADRUPOLES, (0.04, 0.04, -0.03, 0.02), strict=True)),
    ]
    recording = machine.recording("procedures", *steps)
    status, said = machine.replay("procedures")
    assert status == 0, said
    assert f"done: {len(recording.steps)} steps written, verified, and as predicted" in said
    report = machine.report()
    assert all(write["verdict"] == "as predicted" for write in report["writes"])
