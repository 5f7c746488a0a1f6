"""The help: every command explains itself, costs nothing until it is used, and shows no names of Python types."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from each_case import each_case

from gnomon.cli import COMMANDS, app
from gnomon.cli.lazy import Entry, load
from unit.cli.commands import gnomon


def every_command(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from every_command(below, (*path, name))


def all_paths() -> Iterator[tuple[str, ...]]:
    yield ()
    for entry in COMMANDS:
        yield from every_command(load(entry), (entry.name,))


@pytest.mark.parametrize("path", list(all_paths()), ids=" ".join)
def test_no_help_page_shows_names_of_types(path: tuple[str, ...]) -> None:
    text = gnomon(*path, "--help").output
    assert "Usage" in text
    assert re.findall(r"<(?:bool|str|path|int|float|list)\b[^>]*>", text) == []


@each_case(COMMANDS, lambda entry: entry.name)
def test_the_line_in_the_list_is_what_the_command_says_first(entry: Entry) -> None:
    assert load(entry).help.replace("\n", " ").startswith(entry.help)


def test_patterns_in_help_texts_keep_their_asterisks() -> None:
    assert "'*:SETI', 'HS4P*'" in gnomon("machine", "pvs", "--help").output


def test_a_wrong_command_is_answered_with_the_nearest() -> None:
    result = gnomon("snapsot")
    assert result.exit_code == 2
    assert "snapshot" in result.output


def test_the_list_of_commands_loads_nothing_of_the_ring() -> None:
    heavy = {"numpy", "pydantic", "yaml", "numba"}
    code = (
        "import sys; sys.argv = ['gnomon', '--help']\nfrom gnomon.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(out.splitlines()[-1].split())
    assert "typer" in loaded
    assert loaded & heavy == set()


def test_completion_of_a_shell_knows_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"_GNOMON_COMPLETE": "complete_bash", "COMP_WORDS": "gnomon sna", "COMP_CWORD": "1"}
    code = "from gnomon.cli import main; import sys; sys.argv = ['gnomon']; main()"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout
    assert out.split() == ["snapshot"]


def test_the_application_is_built_from_the_list() -> None:
    group: Any = typer.main.get_command(app)
    assert list(group.commands) == [entry.name for entry in COMMANDS]


WITH_EXAMPLE = ("log", "log list", "log show", "log export", "log diff", "log undo", "log archive", "replay", "restore")


@pytest.mark.parametrize("command", WITH_EXAMPLE)
def test_help_of_the_journals_commands_teaches_with_an_example(command: str) -> None:
    result = gnomon(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"example gnomon {command} " in " ".join(result.stdout.replace("│", " ").replace("`", "").split())


@pytest.mark.parametrize(("word", "whole"), [("undo", "gnomon log undo"), ("match", "gnomon study match")])
def test_a_command_that_stands_below_another_is_answered_with_the_whole(word: str, whole: str) -> None:
    result = gnomon(word)
    assert result.exit_code == 2
    assert whole in result.output
