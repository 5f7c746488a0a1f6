"""Messages to systemd."""

import os
import socket
from pathlib import Path

import pytest

from gnomon.ioc.base.service_manager import keep_watchdog, notify_service_manager, watchdog_period_s


@pytest.mark.parametrize("abstract", [False, True])
def test_a_service_manager_hears_that_the_server_is_ready(tmp_path: Path, abstract: bool) -> None:
    name = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(2.0)
        assert notify_service_manager("READY=1", {"NOTIFY_SOCKET": name})
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_without_one_nothing_happens(environ: dict[str, str]) -> None:
    assert notify_service_manager("READY=1", environ) is False


@pytest.mark.parametrize(
    ("environ", "period_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_signs_of_life_come_twice_in_the_time_of_the_unit(environ: dict[str, str], period_s: float | None) -> None:
    assert watchdog_period_s(environ) == period_s


async def test_signs_of_life_end_with_the_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter([True, True, False, False])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(2.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with pytest.raises(RuntimeError):  # the states are used up
            await keep_watchdog(0.001, lambda: next(states))
        assert [manager.recv(100), manager.recv(100)] == [b"WATCHDOG=1"] * 2
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.recv(100)
