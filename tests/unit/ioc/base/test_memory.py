"""The bound on the memory of a process, tried in a process of its own."""

import math
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from gnomon.ioc.base import memory
from gnomon.ioc.base.memory import data_bytes, resident_bytes
from programs.running import run


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
def test_memory_within_the_limit_is_granted_and_beyond_it_refused() -> None:
    done = run("memory", "bounded")
    assert done.stdout.split() == ["refused", str(2**27)]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_memory_in_use_is_what_the_system_counts() -> None:
    assert resident_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_memory_that_is_asked_for_counts_before_it_is_used() -> None:
    asked, used = data_bytes(), resident_bytes()
    kept = np.empty(2**27, np.uint8)
    assert data_bytes() - asked == pytest.approx(kept.nbytes, rel=0.05)
    assert resident_bytes() - used < 0.1 * kept.nbytes
    kept[:] = 1
    assert resident_bytes() - used == pytest.approx(kept.nbytes, rel=0.05)


def test_memory_in_use_is_nan_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "Path", lambda name: Path("/nowhere") / name.lstrip("/"))
    assert math.isnan(resident_bytes())
    assert math.isnan(data_bytes())


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
def test_an_event_loop_goes_on_when_its_own_turn_finds_no_memory_and_room_is_made() -> None:
    done = run("memory", "surviving")
    assert done.stdout.split() == ["went", "on", "1", str(2**25)]
