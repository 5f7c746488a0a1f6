"""`gnomon measure NAME` of user scripts: options from the script, a broken one told, help without one as ever."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gnomon.cli import measure, script_commands
from gnomon.cli.results_folder import know_procedure
from gnomon.procedures.registry import PROCEDURES
from gnomon.procedures.user_scripts import BrokenScriptError
from tools.folders import ROOT
from unit.cli import commands

OPTIONS = """
from typing import Literal
from gnomon.procedures.procedure_options import ProcedureOptions
class Options(ProcedureOptions):
    steerer: str
    step: float = 0.1
    often: int | None = None
    names: tuple[str, ...] = ("a", "b")
    turned: bool = False
    way: Literal["up", "down"] = "up"
    table: dict[str, int] = {}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A configuration with two scripts, one of them broken."""
    text = (ROOT / "examples" / "scripts" / "orbit_return.py").read_text()
    begin, end = text.index("class Options"), text.index("class ReturnData")
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "my_script.py").write_text(text[:begin] + OPTIONS + text[end:])
    (folder / "broken.py").write_text("def plan(:")
    file = tmp_path / "config.yaml"
    file.write_text("services: {scripts: scripts}\n")
    monkeypatch.setenv("GNOMON_CONFIG", str(file))
    yield file
    PROCEDURES.pop("my-script", None)


def test_options_of_a_script_are_those_of_the_command(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(measure, "_carry_out", lambda runnable, connection, keeping, options: given.append(options))
    ran = commands.gnomon(
        "measure", "my-script", "HS1", "--step", "0.2", "--names", "c", "--names", "d", "--turned", "--table",
        '{"x": 1}', "--note", "a note", "--config", config,
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert given == [
        {
            "steerer": "HS1", "step": 0.2, "names": ("c", "d"), "turned": True, "way": "up", "table": {"x": 1},
            "note": "a note",
        }
    ]  # fmt: skip
    assert "given as JSON" in commands.gnomon("measure", "my-script", "HS1", "--table", "{").output
    assert "my-script" in commands.gnomon("measure", "--help").output
    helped = commands.gnomon("measure", "my-script", "--help").output
    assert "--step" in helped
    assert "0.1" in helped


def test_a_broken_script_is_told_when_it_is_asked_for(config: Path) -> None:
    with pytest.raises(BrokenScriptError, match=r"broken.py, line 1: it is not Python"):
        commands.gnomon("measure", "broken", "--config", config)
    assert "No such command" in commands.gnomon("measure", "nothing", "--config", config).output
    assert commands.gnomon("measure", "orm", "--help").exit_code == 0


def test_the_folder_is_that_of_the_configuration(config: Path) -> None:
    assert script_commands.scripts_folder(None) == script_commands.scripts_folder(config) == config.parent / "scripts"
    know_procedure("my-script", config)
    assert "my-script" in PROCEDURES
