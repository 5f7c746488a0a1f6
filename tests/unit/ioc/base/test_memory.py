"""The bound on the memory of a process, tried in a process of its own."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from gnomon.ioc.base import memory
from gnomon.ioc.base.memory import data_bytes, resident

PROGRAM = """
from gnomon.ioc.base.memory import bound
bound(2**28)
kept = bytearray(2**27)
try:
    bytearray(2**29)
except MemoryError:
    print("refused")
print(len(kept))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
def test_what_is_within_the_bound_is_had_and_what_is_beyond_it_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["refused", str(2**27)]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_memory_in_use_is_what_the_system_counts() -> None:
    assert resident() == pytest.approx(psutil.Process().memory_info().rss, rel=0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_memory_that_is_asked_for_counts_before_it_is_used() -> None:
    asked, used = data_bytes(), resident()
    kept = np.empty(2**28, np.uint8)
    assert data_bytes() - asked == pytest.approx(kept.nbytes, rel=0.05)
    assert resident() - used < 0.1 * kept.nbytes
    kept[:] = 1
    assert resident() - used == pytest.approx(kept.nbytes, rel=0.05)


def test_where_the_system_does_not_tell_the_memory_in_use_is_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "Path", lambda name: Path("/nowhere") / name.lstrip("/"))
    assert math.isnan(resident())
    assert math.isnan(data_bytes())


SURVIVES = """
import asyncio
from gnomon.ioc.base.memory import bound, raise_bound, survive

async def main():
    loop = asyncio.get_running_loop()
    relieved = []
    survive(loop, lambda: relieved.append(1))
    turn, fails = loop._selector.select, [True]

    def select(timeout):  # where an event loop itself needs memory
        if fails and fails.pop():
            raise MemoryError
        return turn(timeout)

    loop._selector.select = select
    await asyncio.sleep(0.05)
    print("went on", len(relieved))

asyncio.run(main())
bound(2**28)
kept = bytearray(2**28 - 2**24)
try:
    bytearray(2**25)
except MemoryError:
    raise_bound(2**26)
    print(len(bytearray(2**25)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
def test_an_event_loop_goes_on_when_its_own_turn_finds_no_memory_and_room_is_made() -> None:
    done = subprocess.run([sys.executable, "-c", SURVIVES], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["went", "on", "1", str(2**25)]
