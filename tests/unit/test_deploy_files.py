"""The files of examples/deploy: their commands and options exist, and no file has a secret in it."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
import yaml

from gnomon.cli import app
from tools.folders import ROOT

DEPLOY = ROOT / "examples" / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of gnomon, without the program."""
    for unit in sorted(DEPLOY.glob("*.service")):
        for line in re.findall(r"^Exec\w+=\S+/gnomon (.*)$", unit.read_text(), flags=re.MULTILINE):
            yield unit.name, shlex.split(line)
    for name, service in COMPOSE["services"].items():
        if service["image"] == "localhost/gnomon":
            yield f"compose.yaml, {name}", service["command"]
    (words,) = re.findall(r"^CMD (\[.*\])$", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE)
    yield "Containerfile", yaml.safe_load(words)


@pytest.mark.parametrize(("place", "words"), list(commands()))
def test_each_command_and_its_options_exist(place: str, words: list[str]) -> None:
    group: Any = typer.main.get_command(app)
    _, command, rest = group.resolve_command(typer.Context(group), words)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known, place


def test_units_and_compose_start_what_they_say() -> None:
    assert len(list(commands())) == 7
    assert set(COMPOSE["services"]) == {"machine", "shadow", "dashboard", "mosquitto", "redis"}
    volumes = {entry.partition(":")[0] for each in COMPOSE["services"].values() for entry in each.get("volumes", ())}
    assert {volume for volume in volumes if not volume.startswith(".")} == set(COMPOSE["volumes"])
    for unit in DEPLOY.glob("*.service"):
        text = unit.read_text()
        assert {"Type=notify", "WatchdogSec=30", "Restart=on-failure"} <= set(text.splitlines()), unit


def test_ports_are_published_on_this_computer_alone() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
