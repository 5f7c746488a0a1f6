"""The recorder dies at any moment, or its disk fails: what was acknowledged stays, and nothing is half written."""

import random
import resource
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from gnomon.recorder import Journal
from gnomon.recorder.reader import Reader
from programs.running import command, environment, run

#: Kills, in a soak and otherwise.
RUNS, FEWER_RUNS = 20, 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "twin.journal"


def test_a_kill_at_any_moment_loses_no_acknowledged_command(path: Path, soak: bool) -> None:
    runs = RUNS if soak else FEWER_RUNS
    chance = random.Random(20)
    acknowledged = 0
    for _ in range(runs):
        acknowledged = max(
            acknowledged, acknowledged_before_kill(path, chance.randrange(10), chance.uniform(0.0, 0.05))
        )
        check_whole(path, acknowledged)
    assert acknowledged > runs, "too slow to have been killed while writing"


def acknowledged_before_kill(path: Path, after: int, after_s: float) -> int:
    writing = command("journals", "endless", str(path))
    with subprocess.Popen(writing, stdout=subprocess.PIPE, text=True, env=environment()) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        lines = [writer.stdout.readline() for _ in range(after)]
        time.sleep(after_s)
        writer.send_signal(signal.SIGKILL)
        # A number that was cut off by the kill has not been acknowledged.
        lines += [line for line in writer.stdout if line.endswith("\n")]
    return int(lines[-1]) if lines else 0


def check_whole(path: Path, acknowledged: int) -> None:
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert not connection.execute("PRAGMA foreign_key_check").fetchall()
    connection.close()
    with Reader(path) as reader:
        entries = list(reader.entries())
    assert [e.sequence for e in entries] == list(range(1, len(entries) + 1))
    assert len(entries) >= acknowledged
    for entry in entries:
        assert entry.changes[0].new == entry.sequence
        assert entry.applied is not None
    with Journal(path) as journal:
        assert journal.next_sequence == len(entries) + 1


def test_a_full_disk_refuses_and_the_journal_goes_on_when_there_is_space(path: Path) -> None:
    """A limit of the file size stands for the full disk: the same call fails in the same place."""
    assert resource.RLIMIT_FSIZE
    child = run("journals", "full", str(path))
    assert child.returncode == 0, child.stderr
    stopped = int(child.stdout)
    assert stopped > 1
    check = sqlite3.connect(path)
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()
    with Reader(path) as reader:
        entries = list(reader.entries())
    assert [e.sequence for e in entries] == list(range(1, stopped + 1))
    assert entries[-1].changes[0].new == 2.0
