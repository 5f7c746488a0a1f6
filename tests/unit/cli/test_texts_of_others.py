"""Output of commands: texts of others cannot act on the terminal, whichever command shows them."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest

from gnomon.cli import output
from gnomon.cli.status_text import list_lines
from gnomon.clients.errors import NoServerError
from unit.cli.commands import gnomon
from unit.cli.fake_overview import overview, server
from unit.cli.running_client import FakeServer
from unit.lattice import small_ring

EVIL, SHOWN = "\x1b[2J\u202ebad", "\\x1b[2J\\u202ebad"


def test_an_error_of_a_status_is_shown_without_what_acts_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(*_: object) -> None:
        raise NoServerError(f"several servers run:\n  {EVIL}")

    monkeypatch.setattr("gnomon.clients.server_choice.choose_servers", choose)
    done = gnomon("status")
    assert done.stderr == f"gnomon: several servers run:\n  {SHOWN}\n"
    assert done.exit_code == 2


def test_a_list_of_servers_has_their_texts_escaped() -> None:
    seen = overview()
    (_, line, _) = list_lines([replace(seen, target=replace(seen.target, server=server(machine=EVIL)))])
    assert SHOWN in line
    assert line.isprintable()


def test_names_units_and_answers_of_a_server_are_escaped(server: FakeServer) -> None:
    readings = server.pvs.readings
    readings["TWIN:Q1:set"] = readings[f"TWIN:Q1{EVIL}"] = replace(
        readings["TWIN:Q1:set"], name=f"TWIN:Q1{EVIL}", unit=EVIL
    )
    server.answer = {"sequence": 7, "lattice_id": EVIL}
    for command in (("get", "Q1:set"), ("put", "Q1:set=2", "--note", "why"), ("monitor", "Q1:set", "--count", "1")):
        text = gnomon(*command).output
        assert SHOWN in text
        assert all(line.isprintable() for line in text.splitlines())


def test_a_file_s_name_is_escaped(tmp_path: Path) -> None:
    file = tmp_path / f"{EVIL}.yaml"
    file.write_text("machine: mls\n", encoding="utf-8")
    text = gnomon("config", "check", file).output
    assert f"{SHOWN}.yaml: valid" in text
    assert all(line.isprintable() for line in text.splitlines())


def test_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    output.say(f"first\n{EVIL}")
    assert capsys.readouterr().out == f"first\n{SHOWN}\n"


#: Rich would make a cross of `:x:`, and a style of `[bold]`.
MARKED = "beam:orbit:x: [bold] of all"


def test_colons_and_brackets_in_the_texts_of_a_machine_are_shown_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gnomon.ioc.base.config import Config
    from gnomon.ioc.base.machines import find_machine

    file = tmp_path / "ring.json"
    file.write_text(json.dumps(json.loads(small_ring.text()) | {"title": MARKED}))
    loaded = find_machine(Config(machine=str(file)))
    monkeypatch.setattr("gnomon.ioc.base.machines.known_machines", lambda config: iter([loaded]))
    assert f" {MARKED} " in gnomon("machine", "list").output
    assert f": {MARKED} (" in gnomon("machine", "show", file).output


@pytest.mark.parametrize("folder", [Path(output.__file__).parent, Path(__file__).parents[2] / "bench"])
def test_no_console_makes_pictures_of_the_names_of_pvs(folder: Path) -> None:
    calls = [
        (path.name, call)
        for path in folder.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Console"
    ]
    assert calls
    for name, call in calls:
        given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg == "emoji"}
        assert given == {"emoji": False}, f"{name}:{call.lineno}"
