"""`gnomon replay --arm` on a machine that falls silent, and on one that somebody else moves meanwhile."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import EpicsPorts, free_port

from programs import access
from system.twin_process import GNOMON, TwinProcess

pytestmark = pytest.mark.slow  # servers and commands started one by one

STEERERS = ("HS1PD1R", "HS1PD2R", "HS1PD3R", "HS1PD4R")
ELSEWHERE = "HS4P1D1R:set"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with one command for each steerer."""
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("twin")) as twin:
        twin.client(access.caput_all, [(f"TWIN:{name}:set", 0.2) for name in STEERERS])
        return twin.journal


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path, "--prefix", "") as process:
        yield process


class Replay:
    """A replay that writes, step by step a second apart; its output line by line."""

    def __init__(self, machine: TwinProcess, journal: Path) -> None:
        self.process = subprocess.Popen(
            [*GNOMON, "replay", "--journal", str(journal), "--from", "1", "--to", str(len(STEERERS)), "--prefix", "",
             "--arm", "--pace", "1", "--timeout", "1", "--settle", "1"],
            env=machine.environment | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lines: list[str] = []

    def until(self, text: str, count: int = 1) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            count -= text in line
            if not count:
                return
        raise AssertionError(f"no {text!r}: {self.lines} {self.process.stderr.read() if self.process.stderr else ''}")

    def end(self, timeout_s: float = 60.0) -> tuple[int, str]:
        try:
            out, err = self.process.communicate(timeout=timeout_s)
        finally:
            self.process.kill()
        return self.process.returncode, "".join(self.lines) + out + err


def values(machine: TwinProcess, kind: str) -> list[float]:
    found: list[float] = machine.client(access.caget_all, [f"{name}:{kind}" for name in STEERERS])
    return found


def test_values_are_put_back_on_a_machine_that_is_silent_for_nine_seconds(machine: TwinProcess, recorded: Path) -> None:
    replay = Replay(machine, recorded)
    replay.until("verified", 3)
    os.kill(machine.process.pid, signal.SIGSTOP)
    try:
        replay.until("waiting")
        time.sleep(9.0)
    finally:
        os.kill(machine.process.pid, signal.SIGCONT)
    status, said = replay.end()
    assert status == 1
    assert "NOT put back" not in said, said
    assert "someone else" not in said
    assert "no answer" in said
    assert values(machine, "set") == values(machine, "rdbk") == [0.0] * len(STEERERS)


def test_a_supply_outside_the_plan_that_somebody_moves_stops_it_and_stays_moved(
    machine: TwinProcess, recorded: Path
) -> None:
    replay = Replay(machine, recorded)
    replay.until("verified", 1)
    machine.client(access.caput_all, [(ELSEWHERE, 0.7)])
    status, said = replay.end()
    assert status == 1
    assert f"{ELSEWHERE} = 0.7 A instead of 0 A: someone else has changed it" in said
    assert "NOT put back" not in said, said
    assert values(machine, "rdbk") == [0.0] * len(STEERERS)
    assert machine.client(access.caget_all, [ELSEWHERE]) == [0.7]


def test_an_operator_takes_over_with_two_interrupts_and_one_does_not(machine: TwinProcess, recorded: Path) -> None:
    replay = Replay(machine, recorded)
    replay.until("verified", 2)
    os.kill(machine.process.pid, signal.SIGSTOP)
    try:
        replay.until("waiting")
        replay.process.send_signal(signal.SIGINT)
        replay.process.send_signal(signal.SIGTERM)
        time.sleep(6.0)
        assert replay.process.poll() is None
        for _ in range(2):
            replay.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        status, said = replay.end(20.0)
    finally:
        os.kill(machine.process.pid, signal.SIGCONT)
    assert status == 1
    assert "to take over the machine as it is, press Ctrl-C again within 5 s" in said
    assert "the operator has taken over" in said
    assert "NOT put back, call the operator" in said
