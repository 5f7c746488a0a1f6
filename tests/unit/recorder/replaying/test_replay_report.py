"""The report of a replay has all that happened, as JSON and as a page that needs nothing else; the view is live."""

import io
import json
import math
import re
from pathlib import Path

import pytest
from rich.console import Console

from gnomon.recorder import ReplayError
from gnomon.recorder.replay_execution import Result, carry_out
from gnomon.recorder.replaying.live_view import LiveView
from gnomon.recorder.replaying.replay_report import ReplayReport, write_report
from gnomon.recorder.replaying.replay_state import ReplayState
from gnomon.recorder.replaying.report_pictures import band_picture, margins_picture, setpoints_picture
from unit.recorder.fake_machine import ListAudit
from unit.recorder.replaying.simulated_machine import OPTIONS, Clock, SimulatedMachine, make_gate, make_plan

STATE = ReplayState(id="1", recording="a" * 64, name="<bump>", machine="mls", prefix="M:", reviewer="eve")


def replay(terminal: bool = False, wrong: bool = False) -> tuple[Result, LiveView, str]:
    machine = SimulatedMachine(Clock())
    plan = make_plan((0, 0.3), (1, -0.2))
    if wrong:
        machine.polarity[plan.steps[1].pv] = -1.0
    gate = make_gate(plan, machine)
    out = io.StringIO()
    view = LiveView(Console(file=out, width=200, force_terminal=terminal, force_interactive=terminal))
    gate.observer = view.observe
    with view:
        result = carry_out(plan, machine, OPTIONS, ListAudit(), view.report, machine.clock, gate=gate)
    return result, view, out.getvalue()


def report(wrong: bool = False) -> ReplayReport:
    result, view, _ = replay(wrong=wrong)
    return ReplayReport(STATE, result, tuple(view.records), ("a remark",), "d1", "audit.jsonl")


def test_the_json_has_each_write_with_its_band_and_measurement(tmp_path: Path) -> None:
    path, _ = write_report(report(), tmp_path)
    found = json.loads(path.read_text())
    assert [found[key] for key in ("replay", "reviewer", "done", "failure")] == ["1", "eve", 2, ""]
    first = found["writes"][0]
    assert (first["from"], first["to"], first["verdict"]) == (0.0, 0.1, "as predicted")
    x = first["observables"]["x"]
    assert all(low <= value <= high for low, value, high in zip(x["lower"], x["after"], x["upper"], strict=True))
    assert 0.0 < first["share"] < 1.0
    assert "NaN" not in path.read_text()


def test_the_page_needs_nothing_else_and_shows_texts_as_texts(tmp_path: Path) -> None:
    _, path = write_report(report(wrong=True), tmp_path)
    page = path.read_text()
    assert not re.search(r"(src|href)=|@import|url\(", page)
    assert "<bump>" not in page
    assert "&lt;bump&gt;" in page
    assert "stopped and rolled back" in page
    assert "not machine protection" in page
    assert page.count("<svg") >= 4


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="the report cannot be written"):
        write_report(report(), tmp_path / "missing")


def test_pictures_hold_every_write_and_monitor() -> None:
    records = report().records
    assert margins_picture(records).count("<circle") == len(records)
    assert setpoints_picture(records).count("<polyline") == 2
    plane = records[0].planes[0]
    assert band_picture(plane, "x").count("<circle") == plane.before.size
    numbers = re.findall(r'c[xy]="([^"]+)"', band_picture(plane, "x"))
    assert all(math.isfinite(float(number)) for number in numbers)


def test_outside_a_terminal_each_event_is_a_line() -> None:
    _, view, text = replay()
    lines = text.splitlines()
    assert len(lines) == 4 * len(view.records)
    assert re.match(r"step 1/2  M:\S+  0 -> 0.1  A  dx 0\.\d+\+-0\.\d+ mm  dy .* margin \d+ %  accepted$", lines[0])
    assert lines[1].startswith("write     M:")
    assert "miss 0." in lines[3]
    assert lines[3].endswith("as predicted")


def test_in_a_terminal_a_table_shows_each_write_and_the_last_events() -> None:
    _, _, text = replay(terminal=True, wrong=True)
    assert "verdict" in text
    assert "stopped" in text
    assert "restored" in text
