"""Pictures of stored runs: the values of their documents, units on all axes, and texts that stay texts."""

import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gnomon.db.machine_files import find_document
from gnomon.lattice import Ring
from gnomon.procedures.documents import Run
from gnomon.procedures.registry import PROCEDURES, typed
from gnomon.services.dashboard.pictures.alignment_pictures import quadrupole_lines
from gnomon.services.dashboard.pictures.figure_parts import Figure, Picture, marked, painted, plain
from gnomon.services.dashboard.pictures.picture_context import PictureContext
from gnomon.services.dashboard.pictures.ring_places import RingPlaces
from gnomon.services.dashboard.pictures.run_pictures import PICTURES, run_pictures
from gnomon.services.dashboard.pictures.setting_pictures import limit_use
from gnomon.services.dashboard.pictures.tune_pictures import resonance_traces
from unit.services.dashboard import sample_runs
from unit.services.dashboard.sample_runs import MONITORS, SAMPLES

#: Colours by role, as the pages have them.
COLOURS = dict.fromkeys(
    ("x", "y", "third", "beside", "good", "bad", "ink", "faint", "grid", "zero", "panel"), "#123456"
)
#: Titles of axes that have no unit.
WITHOUT_UNIT = {
    "monitor", "steerer", "power supply", "number", "direction (number)", "singular value / largest", "tune Qx",
    "tune Qy", "quadrupole or power supply", "resonance", "Qx", "Qy", "ξx", "ξy",
}  # fmt: skip
PLACES = RingPlaces({name: 10.0 * k for k, name in enumerate((*MONITORS, "H1", "V1", "Q1", "Q2"))}, 100.0)


def pictures(name: str, **more: Any) -> list[Picture]:
    return list(run_pictures(SAMPLES[name](), PictureContext(PLACES, **more)))


def axes(figure: Figure) -> Iterator[dict[str, Any]]:
    return (value for key, value in figure["layout"].items() if key.startswith(("xaxis", "yaxis")))


def curves(picture: Picture, name: str) -> list[dict[str, Any]]:
    return [trace for trace in picture.figure["data"] if trace.get("name") == name]


def titled(found: list[Picture], title: str) -> Picture:
    return next(each for each in found if each.title == title)


def test_each_procedure_has_pictures_of_its_own() -> None:
    assert PICTURES.keys() == PROCEDURES.keys() == SAMPLES.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_pictures_are_valid_with_a_unit_on_each_axis_and_no_colour_of_their_own(name: str) -> None:
    go = pytest.importorskip("plotly.graph_objects", reason="plotly is not installed")
    found = pictures(name)
    assert found
    for picture in found:
        go.Figure(painted(picture.figure, COLOURS))
        text = json.dumps(picture.figure, allow_nan=False)
        assert "#" not in text
        for axis in axes(picture.figure):
            title = axis["title"]["text"]
            assert title in WITHOUT_UNIT or title.endswith("]"), title


def test_a_map_shows_each_response_beside_its_steerer_and_monitor() -> None:
    run = sample_runs.orm()
    outcome = typed(run)[2]
    shown = titled(pictures("orm"), "Measured, vertical").figure["data"][0]
    assert isinstance(outcome, sample_runs.orbit_response.OrbitResponseOutcome)
    for row, monitor in enumerate(outcome.monitors):
        for column, steerer in enumerate(outcome.steerers):
            value = shown["z"][shown["y"].index(monitor)][shown["x"].index(steerer)]
            assert value == pytest.approx(outcome.y[row, column], rel=1e-5)
    assert "mm/A" in shown["hovertemplate"]


def test_the_difference_is_measured_less_model() -> None:
    ring = Ring(find_document("mls"))
    monitors = tuple(bpm.name for bpm in ring.bpms)[:3]
    steerers = tuple(name for name in RingPlaces.of_ring(ring).of if (name, "current") in ring.properties)
    context = PictureContext(RingPlaces.of_ring(ring), ring.nominal, "model")
    chosen = tuple(name for name in steerers if context.response((name,), monitors) is not None)[:2]
    model = context.response(chosen, monitors)
    assert model is not None
    run = sample_runs.orm()
    outcome = {**(run.outcome or {}), "monitors": monitors, "steerers": chosen}
    found = list(run_pictures(run.model_copy(update={"outcome": outcome}), context))
    shown = [
        titled(found, f"{kind}, horizontal").figure["data"][0]["z"] for kind in ("Measured", "Model", "Difference")
    ]
    np.testing.assert_allclose(np.array(shown[0]) - np.array(shown[1]), np.array(shown[2]), atol=1e-4)
    order = [titled(found, "Model, horizontal").figure["data"][0]["x"].index(name) for name in chosen]
    np.testing.assert_allclose(np.array(shown[1])[:, order], model[0], rtol=1e-5)


def test_a_dead_monitor_is_a_gap() -> None:
    before = curves(titled(pictures("orbit"), "Orbit"), "before")[0]
    assert before["y"] == [0.5, -0.5, None]


def test_a_steerer_near_its_limit_is_marked() -> None:
    picture = titled(pictures("orbit"), "Steerers against their limits")
    marks = curves(picture, "near a limit")
    assert [trace["x"] for trace in marks] == [["H1"]] or not marks
    outcome = typed(sample_runs.orbit())[2]
    assert isinstance(outcome, sample_runs.orbit_correction.OrbitCorrectionOutcome)
    used = limit_use(outcome.proposed, np.full(2, -10.0), np.full(2, 10.0))
    assert bool(marks) == bool((np.abs(used) >= 0.9).any())
    assert curves(picture, "after")[0]["y"] == pytest.approx((100.0 * used).tolist(), rel=1e-5)


def test_limits_that_are_equal_have_no_part_to_use() -> None:
    assert np.isnan(limit_use(np.ones(1), np.ones(1), np.ones(1))[0])


def test_lines_of_a_quadrupole_cross_zero_where_the_beam_is_in_its_centre() -> None:
    run = sample_runs.bba()
    data, parameters, outcome = typed(run)
    figure = quadrupole_lines(data, parameters, outcome, "Q1")  # type: ignore[arg-type]
    assert figure["layout"]["xaxis"]["title"]["text"] == "reading of M1 [mm]"
    for plane, shape in enumerate(figure["layout"]["shapes"]):
        assert shape["x0"] == pytest.approx(sample_runs.ZERO[0, plane])
    for trace in figure["data"]:
        plane = 0 if trace["yaxis"] == "y" else 1
        assert np.interp(sample_runs.ZERO[0, plane], trace["x"], trace["y"]) == pytest.approx(0.0, abs=1e-6)
    alone = quadrupole_lines(data, parameters, outcome, "Q2")  # type: ignore[arg-type]
    assert alone["layout"]["xaxis"]["title"]["text"] == "beam less magnetic centre [mm]"


def test_old_offsets_stand_beside_new_ones_and_their_change_is_drawn() -> None:
    old = sample_runs.bba(at="20261126T101502.123")
    new = sample_runs.bba(shift_mm=0.02)
    found = list(run_pictures(new, PictureContext(PLACES, beside=old)))
    offsets = titled(found, "Offsets of monitors")
    assert curves(offsets, old.name)[0]["y"][0] == pytest.approx(300.0)
    assert curves(offsets, "this run")[0]["y"][0] == pytest.approx(320.0)
    change = titled(found, "New offsets less old ones").figure["data"][0]
    assert change["y"][0] == pytest.approx(20.0)
    assert change["y"][1] is None  # no monitor beside it


def test_errors_are_those_of_the_outcome() -> None:
    run = sample_runs.dispersion_run()
    outcome = typed(run)[2]
    assert isinstance(outcome, sample_runs.dispersion.DispersionOutcome)
    shown = titled(pictures("dispersion"), "Dispersion").figure["data"][0]
    assert shown["y"] == pytest.approx(outcome.x_m.tolist(), rel=1e-5)
    assert shown["x"] == [0.0, 10.0, 20.0]


def test_devices_of_an_unknown_ring_are_numbered() -> None:
    found = run_pictures(sample_runs.dispersion_run())
    assert found[0].figure["layout"]["xaxis"]["title"]["text"] == "number"
    assert found[0].figure["data"][0]["x"] == [1.0, 2.0, 3.0]


def test_the_working_point_stands_among_resonances() -> None:
    picture = titled(pictures("working-point"), "Tunes and resonances")
    assert curves(picture, "measured")[0]["x"] == [17.84]
    lines = resonance_traces((0.0, 0.4), (0.0, 0.4), 2)
    assert any("2 Qx = 0" not in text and "Qx - Qy = 0" in text for trace in lines for text in trace["text"])


def test_a_map_of_losses_marks_resonances_and_lost_beams() -> None:
    picture = titled(pictures("losses"), "Losses over working points")
    (line,) = curves(picture, "2 Qx - Qy = 29")
    assert [2 * x - y for x, y in zip(line["x"], line["y"], strict=True)] == pytest.approx([29.0, 29.0], abs=1e-4)
    assert curves(picture, "beam lost")[0]["x"] == pytest.approx([17.8])


def test_walls_are_drawn_where_they_were_found() -> None:
    outcome = typed(sample_runs.aperture_run())[2]
    assert isinstance(outcome, sample_runs.aperture.ApertureOutcome)
    picture = pictures("aperture")[0]
    walls = [shape["x0"] for shape in picture.figure["layout"]["shapes"] if shape["line"].get("width") == 2]
    assert walls == pytest.approx([outcome.wall_mm[1]])
    assert "low wall not reached" in picture.text


def test_markup_in_names_is_text() -> None:
    name = '<b>M1</b><a href="https://example.org">x</a>&amp;'
    shown = plain(name)
    assert "<" not in shown
    assert "&lt;b&gt;" in shown
    assert shown.endswith("&amp;amp;")
    trace = marked([1.0], np.ones(1), "var(--x)", name=name, labels=[name], unit="<i>A</i>")
    assert "<b>" not in json.dumps(trace)
    assert "<i>" not in trace["hovertemplate"]


def test_a_run_that_failed_has_no_pictures() -> None:
    assert not run_pictures(sample_runs.orm().model_copy(update={"outcome": None, "status": "failed"}))


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - {"losses"}))  # which are numbered lines
def test_a_run_in_which_nothing_was_found_is_drawn_all_the_same(name: str) -> None:
    def without(value: Any) -> Any:
        if isinstance(value, list):
            return [without(each) for each in value]
        return None if isinstance(value, float) else value

    run = SAMPLES[name]()
    lists = {field: without(value) for field, value in (run.outcome or {}).items() if isinstance(value, list)}
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # means of nothing
        found = run_pictures(run.model_copy(update={"outcome": {**(run.outcome or {}), **lists}}))
    assert found
    json.dumps([picture.figure for picture in found], allow_nan=False)


def own(**outcome: Any) -> list[Picture]:
    run = Run(name="mine-20261127T101502.123", procedure="mine", data={}, parameters={}, outcome=outcome)
    return list(run_pictures(run, PictureContext(PLACES)))


def test_arrays_of_an_own_procedure_are_drawn_with_units_names_and_errors() -> None:
    found = own(monitors=list(MONITORS), orbit_mm=[1.0, None, 3.0], orbit_error_mm=[0.1, 0.1, 0.2], note="text")
    assert [each.title for each in found] == ["orbit"]
    trace = found[0].figure["data"][0]
    assert (trace["x"], trace["y"], trace["text"]) == ([0.0, 10.0, 20.0], [1.0, None, 3.0], list(MONITORS))
    assert trace["error_y"]["array"] == [0.1, 0.1, 0.2]
    assert found[0].figure["layout"]["yaxis"]["title"]["text"] == "orbit [mm]"


def test_tables_of_an_own_procedure_are_maps_and_anything_else_is_left_out() -> None:
    found = own(loss=[[1.0, 2.0], [3.0, 4.0]], ragged=[[1.0], [2.0, 3.0]], mixed=[1, "two"], one=3.0, flags=[True])
    assert [(each.title, each.figure["data"][0]["type"]) for each in found] == [("loss", "heatmap")]
    assert found[0].figure["data"][0]["colorscale"] == "Cividis"


def test_places_are_those_of_the_ring() -> None:
    ring = Ring(find_document("bessy2"))
    places = RingPlaces.of_ring(ring)
    first = ring.bpms[0]
    assert places.of[first.name] == ring.s[first.element]
    assert places.along([first.name, "NOTHERE"])[1] == "number"
    assert all(magnet.supply in places.of for magnet in ring.magnets if magnet.supply)
