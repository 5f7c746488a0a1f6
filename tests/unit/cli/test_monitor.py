"""`gnomon monitor`: updates, disconnections, and when it ends."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import Target
from unit.cli.commands import gnomon
from unit.cli.running_client import FakeServer


def test_monitor_shows_updates_and_a_disconnection(server: FakeServer) -> None:
    lines = gnomon("monitor", "Q1:set", "--count", "3").output.splitlines()
    assert lines[0].split()[2:] == ["TWIN:Q1:set", "1.5", "A"]
    assert lines[1].split() == ["TWIN:Q1:set", "disconnected"]
    assert lines[2].split()[2:] == ["TWIN:Q1:set", "7", "A"]


def test_monitor_ends_after_its_time(server: FakeServer) -> None:
    assert len(gnomon("monitor", "tune", "--duration", "0.2").output.splitlines()) == 3


def test_monitor_prints_a_line_of_json_for_each_update(server: FakeServer) -> None:
    first, second = map(json.loads, gnomon("monitor", "tune", "--count", "2", "--json").output.splitlines())
    assert first["value"] == 1059.123456789
    assert second == {"name": "TWIN:tune", "connected": False}


@pytest.mark.parametrize("seconds", ["-1", "0", "nan", "inf", "1e12"])
@pytest.mark.parametrize("option", ["--timeout", "--duration"])
def test_a_time_that_cannot_be_waited_for_is_wrong_use(server: FakeServer, option: str, seconds: str) -> None:
    result = gnomon("monitor", "tune", "--count", "1", option, seconds)
    reason = "is not a number" if seconds in ("nan", "inf") else "is not a time to wait"
    assert (result.exit_code, reason in " ".join(result.output.split())) == (2, True)


def test_monitor_follows_a_server_that_has_come_back_at_other_addresses(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = iter([Target("TWIN:", {"EPICS_PVA_BROADCAST_PORT": "9999"})])
    connected: list[Target] = []

    def follow(name: str, callback: Callable[[Reading | None], None]) -> Callable[[], None]:
        callback(server.pvs.readings[name])
        if not connected:
            callback(None)
        return lambda: None

    monkeypatch.setattr("gnomon.cli.monitor._PERIOD_S", 0.01)
    monkeypatch.setattr("gnomon.clients.server_choice.find_again", lambda target: next(moved, None))
    monkeypatch.setattr(server.pvs, "monitor", follow)
    made = EpicsClient.__init__

    def connect(self: EpicsClient, target: Target, *more: Any) -> None:
        made(self, target, *more)
        if target.environment.get("EPICS_PVA_BROADCAST_PORT") == "9999":
            connected.append(target)

    monkeypatch.setattr(EpicsClient, "__init__", connect)
    lines = gnomon("monitor", "Q1:set", "--count", "3", "--duration", "20").output.splitlines()
    assert [line.split()[-1] for line in lines] == ["A", "disconnected", "A"]
    assert len(connected) == 1
