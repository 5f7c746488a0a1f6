"""`gnomon serve`: the configuration that each option gives, and the end of the process."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gnomon.ioc.base.config import Config, ConfigError
from unit.cli.commands import gnomon


class Ended(Exception):
    """The process would have ended."""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that were served; nothing is."""
    given: list[Config] = []

    async def run(config: Config, console: Console, **_: Any) -> None:
        given.append(config)

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr("gnomon.ioc.app.run.run", run)
    monkeypatch.setattr("gnomon.cli.compile_kernels.compile_with_progress", lambda console: None)
    monkeypatch.setattr("gnomon.ioc.base.log_limits.log_to_stderr", lambda *_: None)
    monkeypatch.setattr(os, "_exit", end)
    return given


def serve(*options: object) -> None:
    with pytest.raises(Ended) as ended:
        gnomon("serve", *options)
    assert ended.value.args == (0,)


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ((), lambda c: (c.machine, c.prefix, c.role) == ("bessy2", "TWIN:", "twin")),
        (("--machine", "mls"), lambda c: c.machine == "mls"),
        (("--prefix", "SIM:"), lambda c: c.prefix == "SIM:"),
        (("--role", "machine"), lambda c: (c.role, c.prefix) == ("machine", "")),
        (("--role", "shadow", "--follow", "ring"), lambda c: tuple(c.shadow.addresses) == ("ring",)),
        (("--role", "machine", "--seed", "7"), lambda c: (c.imperfections.seed, c.imperfections.scale) == (7, 1.0)),
        (("--role", "machine", "--ideal"), lambda c: c.imperfections.scale == 0.0),
        (("--restore",), lambda c: c.recorder.restore),
        (("--allow-duplicates",), lambda c: not c.network.check_names),
    ],
)
def test_options_reach_the_server(
    served: list[Config], options: tuple[str, ...], setting: Callable[[Config], bool]
) -> None:
    serve(*options)
    (config,) = served
    assert setting(config)
    assert config.recorder.restore is ("--restore" in options)
    assert config.network.check_names is ("--allow-duplicates" not in options)


def test_a_journal_and_a_file_are_taken(served: list[Config], tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("prefix: 'FILE:'\n")
    serve("--config", file, "--journal", tmp_path / "mine.journal")
    (config,) = served
    assert (config.prefix, config.journal()) == ("FILE:", tmp_path / "mine.journal")


def test_a_configuration_that_cannot_be_is_refused_before_anything_is_served(served: list[Any]) -> None:
    with pytest.raises(ConfigError):
        gnomon("serve", "--role", "shadow")
    assert served == []


@pytest.mark.parametrize("option", [("--ideal",), ("--seed", "3")])
def test_a_twin_has_no_imperfections_to_choose(served: list[Any], option: tuple[str, ...]) -> None:
    result = gnomon("serve", *option)
    assert result.exit_code == 2
    assert "are for --role machine" in result.output
    assert served == []


def test_a_history_is_replayed_at_its_speed_on_a_twin(
    served: list[Config], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[Any] = []

    async def run(config: Config, console: Console, **more: Any) -> None:
        given.append(more["history"])

    monkeypatch.setattr("gnomon.ioc.app.run.run", run)
    file = tmp_path / "monday.raw"
    file.touch()
    serve("--history", file, "--speed", "60", "--history-from", "2026-01-01T00:00:00+00:00")
    assert given == [(file, 60.0, 1_767_225_600_000_000_000)]
    refused = gnomon("serve", "--history", file, "--role", "shadow", "--follow", "ring")
    assert refused.exit_code == 2
    assert "a shadow follows its machine" in refused.output
    assert gnomon("serve", "--history", tmp_path / "none").exit_code == 2


def test_the_port_of_health_and_the_form_of_the_log_reach_the_server(served: list[Config]) -> None:
    serve("--metrics-port", "9100", "--log-format", "json")
    assert (served[0].metrics.port, served[0].log.format) == (9100, "json")
