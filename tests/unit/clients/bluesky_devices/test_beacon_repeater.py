"""A repeater that libca needs does not hold the streams of the program that needed it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from conftest import free_port
from patience import PATIENCE_S

from gnomon.clients.bluesky_devices.beacon_repeater import START_S, VARIABLE, start_repeater

#: A repeater that notes each start, holds the port, and stays; like EPICS's own, it ends where one has the port.
REPEATER = """#!{python}
import os, socket, time
with open({starts!r}, "a") as file:
    file.write(f"{{os.getpid()}} {{os.getsid(0)}}\\n")
time.sleep(float(os.environ.get("SLOW_S", "0")))
held = socket.socket(type=socket.SOCK_DGRAM)
held.bind(("", int(os.environ["EPICS_CA_REPEATER_PORT"])))
time.sleep(600)
"""
#: A client of Channel Access, as our devices are.
CLIENT = """
import asyncio, os
from gnomon.clients.bluesky_devices.signals import readable
async def connect():
    try:
        await readable("ca", float, "NOBODY:HAS:THIS").connect(timeout=0.3)
    except Exception as error:
        print(type(error).__name__, flush=True)
asyncio.run(connect())
os._exit(0)
"""


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables with which a repeater of ours would be found, and what it started is ended."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "caRepeater"
    program.write_text(REPEATER.format(python=sys.executable, starts=str(tmp_path / "starts")))
    program.chmod(0o755)
    own = {
        "PATH": f"{folder}:{os.environ['PATH']}", VARIABLE: str(free_port()), "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO", "EPICS_CA_SERVER_PORT": str(free_port()),
    }  # fmt: skip
    yield {**os.environ, **own}
    for process, _ in starts(tmp_path):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def starts(folder: Path) -> list[list[int]]:
    """Process and session of each repeater that was started."""
    file = folder / "starts"
    return [list(map(int, line.split())) for line in file.read_text().splitlines()] if file.exists() else []


def test_the_pipe_of_a_client_ends_with_it_and_the_repeater_stays(environ: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT], env=environ, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.stdout.split() == ["NotConnectedError"]
    first, *others = starts(tmp_path)
    assert first[0] == first[1]  # the leader of a session of its own
    os.kill(first[0], 0)
    assert others == []


def test_a_slow_repeater_is_waited_for(environ: dict[str, str], tmp_path: Path) -> None:
    start_repeater({**environ, "SLOW_S": "4.0"})
    assert len(starts(tmp_path)) == 1
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as other, pytest.raises(OSError, match="in use"):
        other.bind(("", int(environ[VARIABLE])))


def test_a_repeater_that_ends_is_not_waited_for(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "bin" / "caRepeater").write_text("#!/bin/sh\nexit 3\n")
    began = time.monotonic()
    start_repeater(environ)
    assert time.monotonic() - began < 0.9 * START_S


def test_a_repeater_that_runs_is_the_only_one(environ: dict[str, str], tmp_path: Path) -> None:
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as held:
        held.bind(("127.0.0.1", int(environ[VARIABLE])))
        start_repeater(environ)
    assert starts(tmp_path) == []


def test_nothing_is_started_without_the_program(environ: dict[str, str], tmp_path: Path) -> None:
    start_repeater({**environ, "PATH": str(tmp_path)})
    assert starts(tmp_path) == []
