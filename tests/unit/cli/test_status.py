"""`gnomon status`: its screen and its exit codes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.text import Text

from gnomon.cli import status as command
from gnomon.cli import status_text
from gnomon.clients.errors import NoServerError
from gnomon.clients.overview import Overview
from gnomon.clients.server_choice import Target
from gnomon.lattice import Client
from gnomon.recorder import Entry
from gnomon.recorder.entries import StoredChange
from unit.cli.commands import gnomon
from unit.cli.fake_overview import NOW_NS, overview, server


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[Overview]:
    """The twins that run; add to it."""
    found: list[Overview] = []

    def choose(*_: object) -> tuple[Target, ...]:
        if not found:
            raise NoServerError("no server of this user runs on this computer")
        return tuple(each.target for each in found)

    monkeypatch.setattr("gnomon.clients.server_choice.choose_servers", choose)
    monkeypatch.setattr(command, "read", lambda target, *_: next(each for each in found if each.target is target))
    return found


def screen(seen: Overview) -> dict[str, str]:
    lines = [Text.from_ansi(line).plain for line in status_text.screen_lines(seen)]
    return {line[: status_text.WIDTH].strip(): line[status_text.WIDTH + 1 :] for line in lines}


def test_a_server_that_is_well_ends_with_0_and_fills_one_screen(running: list[Overview]) -> None:
    running.append(overview())
    done = gnomon("status")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == "TWIN:  mls, twin, up 2 h 3 min"
    assert lines[-1] == "all is well"
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


def test_lines_have_units_and_states_by_name() -> None:
    lines = screen(overview())
    assert lines["beam"] == "found, current 149.50 mA"
    assert lines["tunes"] == "x 0.17812  y 0.23199"
    assert lines["rms orbit"] == "x 0.12500  y 0.25000 mm   from reference golden"
    assert lines["model"] == "computing, last result 0.53 ms"
    assert lines["journal"] == "recording, 1.25 MB, 17 commands, /tmp/mls.journal"
    assert lines["clients"] == "2 CA, 1 PVA"
    assert lines["faults"] == lines["forks"] == "none"


def test_without_a_beam_no_old_value_is_shown_and_the_exit_code_is_1(running: list[Overview]) -> None:
    invalid = dict.fromkeys(("tune__fraction__x", "tune__fraction__y"), (0.178, 3, "CALC"))
    running.append(overview(beam__found="no beam", beam__reason="no closed orbit", **invalid))
    done = gnomon("status")
    assert done.exit_code == 1
    assert "beam          no beam: no closed orbit" in done.output
    assert "tunes         INVALID (no beam)" in done.output
    assert "0.178" not in done.output
    assert done.output.splitlines()[-1] == "attention: no beam"


def test_one_invalid_plane_does_not_hide_the_other() -> None:
    assert screen(overview(chromaticity__y=(0.9, 3, "CALC")))["chromaticity"] == "x 1.200  y INVALID"


def test_no_server_ends_with_2(running: list[Overview]) -> None:
    done = gnomon("status")
    assert done.exit_code == 2
    assert "no server of this user runs" in done.stderr
    done = gnomon("status", "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["servers"] == []


def test_several_servers_have_a_line_each(running: list[Overview]) -> None:
    other = overview(beam__found="no beam", beam__reason="no closed orbit")
    running += [overview(), replace(other, target=Target("B:", {}, server("B:", pid=4712, machine="bessy2")))]
    done = gnomon("status")
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[1].split()[:5] == ["TWIN:", "mls", "twin", "4711", "found"]
    assert lines[2].split()[:6] == ["B:", "bessy2", "twin", "4712", "no", "beam"]
    assert "--prefix" in lines[3]
    assert len(json.loads(gnomon("status", "--json").stdout)["servers"]) == 2


def test_texts_of_others_cannot_act_on_the_terminal() -> None:
    shown = screen(overview(faults__count=1, faults__active=["\x1b[2Jdelay"]))
    assert shown["faults"] == "1: \\x1b[2Jdelay"


def test_commands_are_shown_in_short(tmp_path: Path) -> None:
    lines = [Text.from_ansi(line).plain for line in status_text.screen_lines(replace(overview(), commands=None))]
    assert any("cannot be read from here" in line for line in lines)


def test_time_spans_have_two_units() -> None:
    assert [status_text.duration_text(s) for s in (5, 3700, 200000)] == ["0 min 5 s", "1 h 1 min", "2 d 7 h"]


def test_a_command_of_devices_names_the_device_and_its_note() -> None:
    change = StoredChange("TWIN:dt:set", "Q1PDR", "current", "A", 150.0, 218.45846, None, "current", 150.0, None)
    made = Entry(12, 1, NOW_NS, 0, Client("op", "host", "pva"), "undo 11", "abc", (change, change), ())
    assert status_text.command_cells(made)[2] == "undo 11: Q1PDR +1 150 -> 218.4585 A"


def test_a_command_about_faults_shows_its_text() -> None:
    made = Entry(13, 1, NOW_NS, 0, Client("op", "host", "pva"), "fault 1: stuck BPM*\x1b", "abc", (), ())
    assert status_text.command_cells(made)[2] == "fault 1: stuck BPM*\\x1b"
    assert len(status_text.command_cells(replace(made, note=70 * "a"))[2]) == status_text.MAX_TEXT
    assert status_text.command_cells(replace(made, note=""))[2] == "-"
