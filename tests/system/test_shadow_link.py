"""The link over Channel Access against EPICS's own server: types, severities, time stamps, arrays, and its end."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from conftest import EpicsPorts
from patience import PATIENCE_S

from gnomon.ioc.shadow.client.ca_link import CaLink
from gnomon.ioc.shadow.link import INVALID, Update

DATABASE = """
record(ao, "T:current") { field(VAL, "1.5") field(PINI, "YES") field(EGU, "A") }
record(ao, "T:broken") { field(VAL, "20") field(HIHI, "10") field(HHSV, "INVALID") field(PINI, "YES") }
record(calc, "T:counts") { field(SCAN, ".1 second") field(INPA, "T:counts") field(CALC, "A+1") }
record(bo, "T:optics") { field(ZNAM, "user") field(ONAM, "low alpha") field(VAL, "1") field(PINI, "YES") }
record(stringout, "T:name") { field(VAL, "Q1M2D1R") field(PINI, "YES") }
record(waveform, "T:orbit") { field(FTVL, "DOUBLE") field(NELM, "300") field(INP, [1.0, 2.5, -3.0]) field(PINI, "YES") }
"""
NAMES = ("T:current", "T:broken", "T:counts", "T:optics", "T:name", "T:orbit", "T:nothing")


class Heard:
    """The newest updates of the link by name."""

    def __init__(self) -> None:
        self.newest: dict[str, Update] = {}
        self.found: list[str] = []
        self.lost_names: set[str] = set()

    def updated(self, updates: Sequence[Update]) -> None:
        self.newest |= {NAMES[update.channel]: update for update in updates}
        self.found += [NAMES[update.channel] for update in updates if update.first]

    def lost(self, channels: Sequence[int]) -> None:
        self.lost_names |= {NAMES[channel] for channel in channels}


@pytest.fixture
def ioc(tmp_path: Path, epics_ports: EpicsPorts) -> Iterator["subprocess.Popen[bytes]"]:
    file = tmp_path / "t.db"
    file.write_text(DATABASE)
    process = subprocess.Popen(
        [sys.executable, "-m", "epicscorelibs.ioc", "-d", str(file)],
        env=os.environ | epics_ports.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield process
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


async def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


async def test_epics_own_server_is_read_to_its_end(ioc: "subprocess.Popen[bytes]", epics_ports: EpicsPorts) -> None:
    heard = Heard()
    link = CaLink([f"127.0.0.1:{epics_ports.ca}"], 1.0)
    link.start(NAMES, heard)
    try:
        await until(lambda: len(heard.newest) == 6)
        assert heard.newest["T:current"].value == 1.5
        assert heard.newest["T:current"].severity == 0
        assert abs(heard.newest["T:current"].time_ns - time.time_ns()) < 60e9
        assert heard.newest["T:optics"].value == 1.0
        assert heard.newest["T:name"].value == "Q1M2D1R"
        assert heard.newest["T:orbit"].value.tolist() == [1.0, 2.5, -3.0]
        before = heard.newest["T:counts"]
        await until(lambda: heard.newest["T:counts"].value >= before.value + 2.0)
        assert heard.newest["T:counts"].time_ns > before.time_ns
        assert heard.newest["T:broken"].severity == INVALID
        assert sorted(heard.found) == sorted(set(NAMES) - {"T:nothing"})
        ioc.kill()
        await until(lambda: heard.lost_names == set(NAMES) - {"T:nothing"})
    finally:
        link.close()
