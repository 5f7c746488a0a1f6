"""`gnomon doctor`: findings with advice, as text and as data, and the exit code."""

import json
from pathlib import Path

import pytest

from gnomon.cli.doctor import brokers
from gnomon.ioc.app import checkup
from gnomon.ioc.app.checkup import Finding, State
from gnomon.ioc.base.config import Config, changed
from unit.cli.commands import gnomon

WELL = Finding("clock", State.OK, "synchronised")
LOOK = Finding("kernels", State.WARNING, "not compiled [red]", "the first start compiles them")
WRONG = Finding("port", State.ERROR, "9100 is in use", "choose another one")


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    found: list[Finding] = []

    def examine(config: Config, brokers: object, token: Path) -> list[Finding]:
        assert token.name == "services.token"
        return found

    monkeypatch.setattr(checkup, "examine", examine)
    return found


def test_a_thing_to_look_at_is_no_failure(findings: list[Finding]) -> None:
    findings += [WELL, LOOK]
    result = gnomon("doctor")
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.output.splitlines()]
    assert lines[0].split() == ["ok", "clock", "synchronised"]
    assert "not compiled [red]" in lines[1]
    assert lines[2].strip() == "the first start compiles them"
    assert lines[-1] == "2 checks: 0 errors, 1 to look at"


def test_an_error_is_a_failure_and_all_findings_are_data(findings: list[Finding]) -> None:
    findings += [WELL, WRONG]
    assert gnomon("doctor").exit_code == 1
    result = gnomon("doctor", "--json")
    assert result.exit_code == 1
    told = json.loads(result.output)
    assert told["well"] is False
    assert told["findings"][1] == {
        "check": "port", "state": "error", "detail": "9100 is in use", "advice": "choose another one",
    }  # fmt: skip


def test_brokers_are_those_of_the_configuration() -> None:
    assert brokers(Config()) == {}
    config = changed(Config(), {"results": {"tiled": "http://h:8000/a"}, "store": {"mongodb": "mongodb://h/db"}})
    assert brokers(config) == {"results.tiled": "http://h:8000/a", "store.mongodb": "mongodb://h/db"}
    config = changed(Config(), {"forward": {"mqtt": {"host": "broker", "tls": True}}})
    assert brokers(config) == {"forward.mqtt.host": "mqtt://broker:8883"}
