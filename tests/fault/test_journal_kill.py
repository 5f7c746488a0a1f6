"""The recorder dies at any moment, or its disk fails: what was acknowledged stays, and nothing is half written."""

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gnomon.recorder import Journal
from gnomon.recorder.reader import Reader

RUNS = 20

WRITER = """
import sys
from pathlib import Path
from unit.recorder.records import applied, begin
from gnomon.recorder import Journal

with Journal(Path(sys.argv[1])) as journal:
    begin(journal)
    print("ready", flush=True)
    while True:
        first = journal.next_sequence
        size = 1 + first % 7
        commands = [applied(n, "Q1", float(n - 1), float(n)) for n in range(first, first + size)]
        journal.append([r for r, _ in commands], [s for _, s in commands])
        print(journal.next_sequence - 1, flush=True)
"""

SHORT_OF_SPACE = """
import resource, sys
from pathlib import Path
from unit.recorder.records import applied, begin, write
from gnomon.recorder import Journal, JournalError

path = Path(sys.argv[1])
with Journal(path) as journal:
    begin(journal)
    write(journal, applied(1, "Q1", 0.0, 1.0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = path.with_name(path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 9000, hard))
    refused = 0
    while refused < 3:
        try:
            write(journal, applied(journal.next_sequence, "Q1", 0.0, 1.0))
        except JournalError as error:
            refused += 1
            assert "the journal cannot be written" in str(error), error
    stopped = journal.next_sequence
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    write(journal, applied(stopped, "Q1", 0.0, 2.0))
    print(stopped)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "twin.journal"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def test_a_kill_at_any_moment_loses_no_acknowledged_command(path: Path) -> None:
    chance = random.Random(20)
    acknowledged = 0
    for _ in range(RUNS):
        acknowledged = max(acknowledged, acknowledged_before_kill(path, chance.uniform(0.0, 0.15)))
        check_whole(path, acknowledged)
    assert acknowledged > RUNS, "too slow to have been killed while writing"


def acknowledged_before_kill(path: Path, after_s: float) -> int:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, env=environment()
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(after_s)
        writer.send_signal(signal.SIGKILL)
        # A number that was cut off by the kill has not been acknowledged.
        lines = [line for line in writer.stdout if line.endswith("\n")]
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
    child = subprocess.run(
        [sys.executable, "-c", SHORT_OF_SPACE, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(),
    )
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
