"""Every command that prints a table prints it as JSON, too: one document on standard output, and nothing else."""

import inspect
import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gnomon.cli import COMMANDS
from gnomon.cli.lazy import load
from unit.cli.commands import gnomon
from unit.recorder.conftest import bessy2
from unit.recorder.test_replay_steps import Recording, current

#: Commands that print no table: they run, write files, or answer with a line or two. All others have --json.
WITHOUT = {
    "serve", "services", "watch", "panels", "init", "config path", "config check", "config explain", "machine check",
    "machine import", "machine export", "log export", "log archive", "fork drop", "snapshot save", "snapshot delete",
    "snapshot export", "snapshot import", "fault run", "fault check", "results export", "export happi", "export ophyd",
    "results publish", "results serve", "export queueserver", "gate arm", "gate limits",
    "data annotate", "data export", "data scicat", "export alarm", "export archiver", "export channelfinder",
    "export save-restore", "snapshot from-archiver", "snapshot history", "forward move", "forward run",
    "review edit", "record start", "record stop", "record excerpt", "record export", "record import",
}  # fmt: skip
#: Commands that ask, and show before what they ask about; `gnomon review show --json` has it as data.
ASKING = {"review approve"}


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", {})
    if not below or getattr(command, "invoke_without_command", False):
        yield " ".join(path), command
    for name, child in below.items():
        yield from leaves(child, (*path, name))


EVERY = dict(found for entry in COMMANDS for found in leaves(load(entry), (entry.name,)))


def has_json(command: Any) -> bool:
    return any("--json" in parameter.opts for parameter in command.params)


def test_every_command_has_json_but_those_without_a_table() -> None:
    assert {name for name, command in EVERY.items() if not has_json(command)} <= WITHOUT | ASKING
    assert {name for name, command in EVERY.items() if has_json(command)} & WITHOUT == set()


@pytest.mark.parametrize("name", sorted(WITHOUT & EVERY.keys()))
def test_a_command_without_json_makes_no_table(name: str) -> None:
    function: Callable[..., object] = inspect.unwrap(EVERY[name].callback)
    text = inspect.getsource(function)
    module = import_module(function.__module__)
    called = [
        inspect.getsource(each)
        for known, each in vars(module).items()
        if inspect.isfunction(each) and each.__module__ == module.__name__ and f"{known}(" in text
    ]
    for source in (text, *called):
        assert "_table(" not in source
        assert "Table(" not in source
        assert "aligned_lines(" not in source


def data(*arguments: object) -> Any:
    return json.loads(gnomon(*arguments, "--json").stdout)


def test_machines_are_data() -> None:
    mls = next(row for row in data("machine", "list") if row["machine"] == "mls")
    assert set(mls) == {"machine", "title", "elements", "supplies", "monitors", "origin"}
    assert mls["monitors"] > 20


def test_pvs_are_data() -> None:
    (pv,) = data("machine", "pvs", "mls", "Q1P1K1RP:setCur")
    assert (pv["name"], pv["source"], pv["writable"], pv["unit"]) == ("TWIN:Q1P1K1RP:setCur", "set", True, "A")
    assert (pv["type"], pv["length"], len(pv["limits"])) == ("float", 1, 2)
    assert data("machine", "pvs", "mls", "Q1P1K1RP:*", "--names")[0].startswith("TWIN:Q1P1K1RP:")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    made = Recording(tmp_path / "twin.journal", bessy2())
    made.put(current("HS4P1D1R", 0.1))
    made.put(current("HS4P1D1R", 0.2))
    made.journal.close()
    return made.path


def test_a_dry_replay_is_data(recording: Path) -> None:
    plan = data("replay", "--journal", recording, "--from", 1, "--to", 2, "--prefix", "X:")
    assert [(step["pv"], step["start"], step["target"]) for step in plan["steps"]] == [
        ("X:HS4P1D1R:set", 0.0, 0.1), ("X:HS4P1D1R:set", 0.1, 0.2)
    ]  # fmt: skip
    assert plan["steps"][0]["predicted"]["found"] is True
    assert plan["refusals"] == []
    armed = gnomon("replay", "--journal", recording, "--from", 1, "--to", 2, "--prefix", "X:", "--arm", "--json")
    assert armed.exit_code == 2


def test_a_replay_that_would_be_refused_says_why_and_exits_with_1(recording: Path) -> None:
    done = gnomon(
        "replay", "--journal", recording, "--from", 1, "--to", 2, "--prefix", "X:", "--max-step", 0.001, "--json"
    )
    assert done.exit_code == 1
    assert "X:HS4P1D1R:set" in json.loads(done.stdout)["refusals"][0]
