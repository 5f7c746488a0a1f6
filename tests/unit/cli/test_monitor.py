"""`gnomon monitor`: updates, disconnections, and when it ends."""

import json

import pytest

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
