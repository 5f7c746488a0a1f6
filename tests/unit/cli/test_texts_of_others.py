"""Output of commands: texts of others cannot act on the terminal, whichever command shows them."""

from dataclasses import replace
from pathlib import Path

import pytest

from gnomon.cli import output
from gnomon.cli.status_text import list_lines
from gnomon.clients.errors import NoServerError
from unit.cli.commands import gnomon
from unit.cli.fake_overview import overview, server
from unit.cli.running_client import FakeServer

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
