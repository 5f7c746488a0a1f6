"""The review of a recording: numbers, marks, tables, document and page."""

import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from gnomon.clients.reading import jsonable
from gnomon.lattice import Ring
from gnomon.recorder.recordings import (
    MarkCode,
    Recording,
    RecordingFile,
    Review,
    StartSetting,
    UsualRange,
    beam_of,
    facts_of,
    marks_of,
    picture,
    review,
    review_document,
    review_page,
    steps_of,
    totals_of,
)
from gnomon.recorder.recordings.review_data import review_curves
from unit.recorder.conftest import bessy2
from unit.recorder.recordings.fake_optics import fake_optics
from unit.recorder.recordings.samples import Asked, make_recording
from unit.recorder.test_replay_steps import specs

STEERER = "HS4P1D1R"
SUPPLY = "Q1PDR"


def reviewed(ring: Ring, *steps: Asked, **more: Any) -> Review:
    return of(make_recording(ring, *steps, **more), ring)


def of(recording: Recording, ring: Ring) -> Review:
    return review(recording, ring, specs("TWIN:", ring), fake_optics)


def steerer(*values: float) -> list[Asked]:
    return [(STEERER, "current", value) for value in values]


def supply(ring: Ring, *more: float) -> list[Asked]:
    return [(SUPPLY, "current", ring.nominal[SUPPLY, "current"] + value) for value in more]


def codes(found: Review) -> list[tuple[str, tuple[int, ...]]]:
    return [(str(mark.code), mark.steps) for mark in found.marks]


def test_states_have_orbit_tunes_and_beating_from_the_start_on(ring: Ring) -> None:
    found = reviewed(ring, *steerer(0.5, 0.2), *supply(ring, 1.0))
    assert [state.orbit[0, 0] for state in found.states] == pytest.approx([0.0, 0.005, 0.002, 0.002])
    assert [state.tune[0] for state in found.states] == pytest.approx([17.80, 17.80, 17.80, 17.81])
    assert [state.beating_max[1] for state in found.states] == pytest.approx([0.0, 0.005, 0.002, 0.002])
    assert (found.worst_state, found.worst[0, 0]) == (1, pytest.approx(0.005))
    assert found.beating[0, 0] == pytest.approx(0.002)


def test_strengths_are_in_physics_units(ring: Ring) -> None:
    found = reviewed(
        ring, *steerer(0.5), *supply(ring, 1.0), ("rf", "frequency", ring.nominal["rf", "frequency"] + 1.0)
    )
    kick, gradient, clock = (step[0] for step in found.strengths)
    end = ring.nominal.updated({(STEERER, "current"): 0.5})
    magnet = next(m for m in ring.magnets if m.supply == STEERER)
    assert (kick.name, kick.unit, kick.old, kick.count) == ("HS4M1D1R.kick", "mrad", 0.0, 1)
    assert kick.new == pytest.approx(1e3 * end.strength(magnet))
    assert (gradient.unit, gradient.count) == ("1/m^2", 16)
    assert (clock.name, clock.unit) == ("rf.frequency", "Hz")
    assert clock.new - clock.old == pytest.approx(1e3)


def test_a_quiet_recording_has_no_marks(ring: Ring) -> None:
    assert codes(reviewed(ring, *steerer(0.1, 0.2))) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.9, 1.9, 2.9, 3.9), []),
        ((2.0,), []),
        ((2.5,), [("large_step", (1,))]),
        ((0.5, -0.5), [("polarity", (2,)), ("non_monotone", (2,))]),
        ((0.5, 0.0, -0.5), [("polarity", (3,)), ("non_monotone", (2,))]),
        ((0.5, 0.7, 0.4, 0.6), [("non_monotone", (3, 4))]),
    ],
)
def test_steerers_are_marked_by_their_way(
    ring: Ring, values: tuple[float, ...], expected: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert codes(reviewed(ring, *steerer(*values))) == expected


def test_steps_towards_a_limit_are_marked_near_it(ring: Ring) -> None:
    start = ring.nominal.updated({("VS3P2T5R", "current"): 9.0})
    low, high = -10.0, 10.0
    steps: list[Asked] = [("VS3P2T5R", "current", value) for value in (8.95, 9.05, 9.6, 9.3)]
    found = reviewed(ring, *steps, start=start)
    (near,) = (mark for mark in found.marks if mark.code is MarkCode.NEAR_LIMIT)
    assert (near.steps, near.pv) == ((2, 3), "TWIN:VS3P2T5R:set")
    assert f"9.6 A is within 5% of its range from a limit, {low:g} to {high:g} A" in near.text


def test_a_path_through_a_resonance_is_marked(ring: Ring) -> None:
    found = reviewed(ring, *supply(ring, 4.0, 8.0))  # 17.80 -> 17.84 -> 17.88; 2 Qx - Qy = 29 at 17.86
    (mark,) = (mark for mark in found.marks if mark.code is MarkCode.RESONANCE)
    assert mark.steps == (2,)
    assert mark.text == "the tunes cross the resonance 2 Qx - Qy = 29 of order 3 in step 2"


def test_an_end_beside_a_resonance_is_marked(ring: Ring) -> None:
    found = reviewed(ring, *supply(ring, 3.0, 5.8))
    (mark,) = (mark for mark in found.marks if mark.code is MarkCode.NEAR_RESONANCE)
    assert mark.steps == (2,)
    assert "come to 0.0018 from the resonance 2 Qx - Qy = 29" in mark.text


def test_values_far_from_those_of_the_last_month_are_marked(ring: Ring) -> None:
    usual = (UsualRange(device=STEERER, setting="current", low=0.0, high=0.1, commands=5),)
    assert codes(reviewed(ring, *steerer(0.5, 0.54), usual=usual)) == []
    found = reviewed(ring, *steerer(0.5, 0.56), usual=usual)
    assert codes(found) == [("unusual_value", (2,))]
    assert "goes to 0.56; in the month before it was between 0 and 0.1" in found.marks[0].text


def test_a_lost_beam_is_marked_and_shown_without_numbers(ring: Ring) -> None:
    found = reviewed(ring, *steerer(1.5, 3.0, 4.5, 6.0))
    assert codes(found)[0] == ("no_beam", (4,))
    assert math.isnan(found.last.tune[0])
    row = steps_of(found).rows[3]
    assert row[7:14] == ("-",) * 7
    assert "NaN" not in json.dumps(jsonable(review_document(found, RecordingFile(recording=found.recording))))


def test_the_tables_have_values_strengths_and_totals(ring: Ring) -> None:
    found = reviewed(ring, *steerer(0.5, 0.7, 0.4))
    table = steps_of(found)
    row = dict(zip(table.columns, table.rows[2], strict=True))
    assert (row["step"], row["PV"], row["from"], row["to"], row["unit"]) == ("3", "HS4P1D1R:set", "0.7", "0.4", "A")
    assert row["drives"].startswith("HS4M1D1R.kick -0.54")
    assert (row["max x"], row["marks"]) == ("0.003", "non_monotone")
    assert totals_of(found).rows == (("HS4P1D1R:set", "0", "0.4", "+0.4", "A", "3"),)
    assert {row[0]: row[1:] for row in beam_of(found).rows}["beta beating on the way, largest"] == (
        "0.700", "0.700", "%",
    )  # fmt: skip
    assert marks_of(found).rows[0][0] == "step 3"
    assert dict(facts_of(found, RecordingFile(recording=found.recording)))["purpose"] == "a bump for the beamline"


def test_the_document_has_what_the_tables_have(ring: Ring) -> None:
    found = reviewed(ring, *steerer(0.5), *supply(ring, 1.0))
    document = json.loads(json.dumps(jsonable(review_document(found, RecordingFile(recording=found.recording)))))
    assert [step["pv"] for step in document["steps"]] == ["TWIN:HS4P1D1R:set", "TWIN:Q1PDR:set"]
    assert document["steps"][0]["change"]["orbit_max_mm"] == pytest.approx([0.005, 0.0])
    assert document["steps"][1]["physics"][0]["elements"] == 16
    assert document["total"]["change"]["tune"] == pytest.approx([0.01, 0.0])
    assert document["recording"]["id"] == found.recording.id


def test_the_curves_follow_the_setpoints_by_write(ring: Ring) -> None:
    curves = review_curves(reviewed(ring, *steerer(0.5), *supply(ring, 1.0), *steerer(0.2)))
    assert curves.setpoints["A"]["HS4P1D1R:set"].tolist() == [0.0, 0.5, 0.5, 0.2]
    assert curves.setpoints["A"]["Q1PDR:set"][[0, 1, 2]].tolist() == [
        ring.nominal[SUPPLY, "current"] + more for more in (0.0, 0.0, 1.0)
    ]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.sources += [value or "" for key, value in attrs if key in ("src", "href", "action")]


@pytest.mark.slow(2)  # four pictures
def test_the_page_is_whole_in_itself_and_escapes_texts_of_others(ring: Ring) -> None:
    found = reviewed(ring, *steerer(0.5, 0.2), purpose="<script>alert(1)</script> \x1b[31m")
    page = review_page(found, RecordingFile(recording=found.recording))
    tags = _Tags()
    tags.feed(page)
    assert len(tags.sources) == 4
    assert all(source.startswith("data:image/svg+xml;base64,") for source in tags.sources)
    assert not {"script", "link", "iframe", "object"} & set(tags.names)
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert re.search(r"turns back 1 time", page)
    assert "not machine protection" in page


def test_pictures_are_drawn_without_a_beam_and_as_png() -> None:
    found = reviewed(bessy2(), *steerer(6.0))
    assert picture(found, "tunes", "png").startswith(b"\x89PNG")


def test_a_start_without_a_beam_can_be_reviewed(ring: Ring) -> None:
    start = ring.nominal.updated({(STEERER, "current"): 6.0})
    found = reviewed(ring, *steerer(0.5), start=start)
    assert found.recording.start.settings == (StartSetting(device=STEERER, setting="current", value=6.0, unit="A"),)
    assert ("no_beam", (0,)) in codes(found)
    assert beam_of(found).rows[0][1] == "-"
