"""Parts of pages without a browser: forms of options, rows of supplies, the list of results, tables of texts."""

import json
from pathlib import Path
from typing import Any

import pytest

from gnomon.clients.epics_client import PvInfo
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.results import Results
from gnomon.procedures.runnable import RUNNABLE, checked_options
from gnomon.services.dashboard.option_form import filled_in, option_form
from gnomon.services.dashboard.page_clicks import click_button, clicked
from gnomon.services.dashboard.pages.faults_page import fault_table
from gnomon.services.dashboard.pages.journal_page import command_table
from gnomon.services.dashboard.pages.supplies_page import supply_rows
from gnomon.services.dashboard.pictures.comparison_pictures import comparison_pictures
from gnomon.services.dashboard.pictures.picture_context import NO_CONTEXT
from gnomon.services.dashboard.pictures.run_pictures import is_typed, run_pictures
from gnomon.services.dashboard.result_shelf import ResultShelf, picture_context
from unit.services.dashboard import sample_runs

pytest.importorskip("dash", reason="dash is not installed")


def shown(component: Any) -> dict[str, Any]:
    """The fields of a form by option, with their values."""
    found: dict[str, Any] = {}
    for part in component._traverse():
        key = getattr(part, "id", None)
        if isinstance(key, dict) and "name" in key:
            found[key["name"]] = getattr(part, "value", None)
    return found


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_form_that_nobody_touched_gives_the_defaults(name: str) -> None:
    from dash import html

    schema = RUNNABLE[name].options.model_json_schema()
    fields = shown(html.Div(option_form(name, schema)))
    assert fields.keys() == schema["properties"].keys()
    assert filled_in(schema, list(fields), list(fields.values())) == {}


def test_fields_are_read_by_their_types() -> None:
    schema = RUNNABLE["correct-tune"].options.model_json_schema()
    given = {"to": "17.85, 6.73", "devices": "Q1* Q3*", "apply": ["yes"], "readings": "3", "note": " by hand "}
    found = filled_in(schema, list(given), list(given.values()))
    assert found == {"to": [17.85, 6.73], "devices": ["Q1*", "Q3*"], "apply": True, "readings": 3, "note": "by hand"}
    checked_options(RUNNABLE["correct-tune"], found)
    with pytest.raises(ProcedureError, match="readings: 'x' is not a number"):
        filled_in(schema, ["readings"], ["x"])


def test_a_text_for_a_whole_number_is_refused_by_the_procedure() -> None:
    found = filled_in(RUNNABLE["orm"].options.model_json_schema(), ["points"], ["2.5"])
    with pytest.raises(ProcedureError, match="points"):
        checked_options(RUNNABLE["orm"], found)


def pv(name: str, source: str, device: str, property: str, unit: str) -> PvInfo:
    return PvInfo(f"T:{name}", source, device, property, unit, True, "")


def test_setpoints_are_paired_with_their_readbacks() -> None:
    pvs = [
        pv("Q1:set", "set", "Q1", "current", "A"),
        pv("Q1:rdbk", "readback", "Q1", "current", "A"),
        pv("Q1:rdbk2", "readback", "Q1", "current", "A"),
        pv("Q1:k1", "set", "Q1", "k1", "1/m^2"),
        pv("clock:freq", "set", "rf", "frequency", "kHz"),
        pv("cavity:freq", "readback", "rf", "frequency", "Hz"),
        pv("orbit", "orbit.x", "", "", "mm"),
    ]
    assert supply_rows(pvs, "T:") == [
        {"name": "Q1", "set": "Q1:set", "readback": "Q1:rdbk", "unit": "A"},
        {"name": "rf frequency", "set": "clock:freq", "readback": "", "unit": "kHz"},
    ]


def test_results_are_found_by_procedure_and_words_the_newest_first(tmp_path: Path) -> None:
    results = Results(tmp_path)
    for run in (sample_runs.bba(at="20261126T101502.123"), sample_runs.bba(), sample_runs.orm()):
        results.save(run.model_copy(update={"note": f"note of {run.procedure}"}))
    (tmp_path / "broken-20261127T101502.123.h5").write_text("not a file of results")
    shelf = ResultShelf(tmp_path)
    lines, total = shelf.lines("bba")
    assert ([line.name for line in lines], total) == (["bba-20261127T101502.123", "bba-20261126T101502.123"], 2)
    assert [line.procedure for line in shelf.lines(text="NOTE orm")[0]] == ["orm"]
    assert shelf.lines(text="nothing has this")[0] == []
    assert list(shelf.others(results.read("bba-20261127T101502.123"))) == ["bba-20261126T101502.123"]
    with pytest.raises(ProcedureError, match="there is no result"):
        shelf.read("../secret")


def test_runs_are_drawn_over_each_other_and_maps_as_a_difference() -> None:
    old, new = sample_runs.bba(at="20261126T101502.123"), sample_runs.bba(shift_mm=0.02)
    picture = next(each for each in comparison_pictures(new, [old], NO_CONTEXT) if each.title == "offset x, compared")
    assert [trace["name"] for trace in picture.figure["data"]] == [new.name, old.name]
    assert [trace["y"][0] for trace in picture.figure["data"]] == pytest.approx([0.32, 0.3])
    half, whole = sample_runs.orm(0.5, at="20261126T101502.123"), sample_runs.orm()
    difference = comparison_pictures(whole, [half], NO_CONTEXT)[0]
    assert "difference" in difference.title
    assert difference.figure["data"][0]["x"] == list(sample_runs.STEERERS)


def test_a_run_of_another_version_is_drawn_by_its_arrays() -> None:
    run = sample_runs.dispersion_run()
    assert is_typed(run)
    other = run.model_copy(update={"outcome": {**(run.outcome or {}), "unknown": 1}})
    assert not is_typed(other)
    assert {"x", "y"} <= {picture.title for picture in run_pictures(other)}


def test_the_model_says_whether_its_settings_are_those_of_the_run() -> None:
    run = sample_runs.orm()
    assert picture_context(run).model_name == "model at nominal settings"
    lattice = picture_context(run).lattice
    assert lattice is not None
    told = run.provenance.model_copy(update={"settings_id": lattice.id})
    assert picture_context(run.model_copy(update={"provenance": told})).model_name == "model at the same settings"
    nowhere = run.provenance.model_copy(update={"machine": "/etc/passwd"})
    assert picture_context(run.model_copy(update={"provenance": nowhere})).lattice is None


def texts(component: Any) -> str:
    from plotly.utils import PlotlyJSONEncoder  # type: ignore[import-untyped]

    return str(json.loads(json.dumps(component, cls=PlotlyJSONEncoder)))


def test_commands_and_faults_are_listed_with_their_buttons() -> None:
    change = {
        "pv": "T:dt:set",
        "device": "HS1",
        "property": "current",
        "unit": "A",
        "old": 0.1,
        "new": 0.2,
        "done": 0.2,
    }
    command = {
        "sequence": 7, "time": "2026-11-27T10:15:02.123456Z", "user": "anna", "host": "h", "protocol": "pva",
        "note": "<i>by hand</i>", "changes": [change] * 5, "outcome": "applied",
        "outcomes": [{"reason": "", "effects": [change]}],
    }  # fmt: skip
    table = texts(command_table({"commands": [command], "following": None, "last": 7}))
    assert all(each in table for each in ("HS1 current", "0.1 → 0.2 A", "and 2 more", "<i>by hand</i>", "Undo"))
    fault = {"id": 3, "kind": "delay", "text": "fault 3: delay HS1", "remaining": None, "created_by": "anna@h"}
    assert "Clear" in texts(fault_table([fault]))
    assert "No fault" in texts(fault_table([]))


def test_a_button_tells_its_value() -> None:
    button = click_button("Undo", "store", "7")
    assert (getattr(button, "data-click"), getattr(button, "data-value")) == ("store", "7")
    assert clicked({"value": "7", "count": 1}) == "7"
    assert clicked(None) == ""
