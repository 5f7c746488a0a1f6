"""Pictures of `gnomon watch`: bars, resonances, magnets, and its choice of steps."""

import math

import pytest

from gnomon.cli.watch import screen
from gnomon.cli.watch.braille import Canvas, draw_bars, scale_for
from gnomon.cli.watch.magnets import BEND, CHOSEN, FOCUSING, draw_magnets, map_of
from gnomon.cli.watch.supply_steps import (
    Step,
    find_setpoints,
    first_size,
    larger,
    setpoints,
    smaller,
    stepped,
    undo_refusal,
)
from gnomon.cli.watch.tune_diagram import draw_tunes
from gnomon.clients.epics_client import PvInfo
from gnomon.clients.reading import Reading
from gnomon.db import shipped_document
from gnomon.lattice import Ring
from unit.cli.fake_feed import ring_map
from unit.cli.fake_overview import overview


def test_bars_go_up_and_down_from_the_middle() -> None:
    assert draw_bars([1.0, -1.0], [0.0, 0.5], 1.0, 2, 2) == ["⡇ ", " ⡇"]


def test_a_small_value_has_a_dot_and_nan_has_none() -> None:
    assert draw_bars([1e-9, math.nan], [0.0, 0.75], 1.0, 2, 2) == ["⡀ ", "  "]


def test_a_value_beyond_the_scale_ends_at_the_edge() -> None:
    assert draw_bars([50.0], [0.0], 1.0, 1, 1) == ["⠃"]


def test_the_largest_of_several_values_in_one_column_is_drawn() -> None:
    assert draw_bars([0.25, 1.0, 0.5], [0.0, 0.01, 0.02], 1.0, 1, 2) == ["⡇", " "]


def test_places_outside_the_window_are_left_out() -> None:
    assert draw_bars([1.0, 1.0], [-0.1, 1.1], 1.0, 3, 2) == ["   ", "   "]
    canvas = Canvas(1, 1)
    canvas.dot(5, 5)
    assert canvas.lines() == [" "]


def test_the_scale_is_round_and_keeps_still() -> None:
    assert scale_for([0.13, -0.3]) == 0.5
    assert scale_for([0.13], 0.5) == 0.5  # no jump at each small change
    assert scale_for([0.09], 0.5) == 0.1
    assert scale_for([0.6], 0.5) == 1.0
    assert scale_for([math.nan]) == scale_for([]) == 1e-4


def test_the_working_point_stands_where_it_is_in_its_square() -> None:
    rows, (column, row) = draw_tunes(17.75, 6.999, 20, 8)
    assert (len(rows), {len(line) for line in rows}) == (8, {20})
    assert (column, row) == (10, 0)


def test_magnets_of_the_ring_and_the_places_of_a_supply() -> None:
    row = draw_magnets(ring_map(), (0.0, 48.0), 48, "HS1")
    assert row[0] == BEND
    assert row[3] == FOCUSING
    assert row[20] == CHOSEN
    assert draw_magnets(ring_map(), (18.0, 22.0), 4, "Q1") == f"─{FOCUSING}──"


def test_a_shipped_ring_has_its_magnets_on_the_map() -> None:
    shown = map_of(Ring(shipped_document("mls")))
    assert shown.circumference_m == pytest.approx(48.0)
    assert sum(magnet.sign == BEND for magnet in shown.magnets) == 8
    assert all(shown.places_m.values())


PVS = [
    PvInfo("TWIN:HS1:set", "set", "HS1", "current", "A", True, ""),
    PvInfo("TWIN:HS2:set", "set", "HS2", "current", "A", True, ""),
    PvInfo("TWIN:Q1:set", "set", "Q1", "current", "A", False, ""),
    PvInfo("TWIN:Q1:rdbk", "readback", "Q1", "current", "A", True, ""),
]


def test_only_setpoints_that_may_be_written_can_be_stepped() -> None:
    assert [pv.device for pv in setpoints(PVS)] == ["HS1", "HS2"]


@pytest.mark.parametrize(
    ("pattern", "found"), [("hs", 2), ("HS1", 1), ("h?1", 1), ("TWIN:HS2:set", 1), ("*:set", 3), ("", 4), ("none", 0)]
)
def test_supplies_are_found_by_a_part_of_the_name_or_a_pattern(pattern: str, found: int) -> None:
    assert len(find_setpoints(PVS, pattern, "TWIN:")) == found


def test_steps_are_round() -> None:
    assert stepped(0.1, 0.2, 1) == 0.3
    assert first_size((-10.0, 10.0)) == 0.02
    assert first_size(None, 218.4) == 0.2
    assert first_size(None) == 0.001
    assert [larger(0.02), larger(0.05), smaller(0.1), smaller(1e-6)] == [0.05, 0.1, 0.05, 1e-6]


def test_a_step_is_undone_only_while_its_value_stands() -> None:
    step = Step("TWIN:HS1:set", 0.1, 0.3, "A")
    assert undo_refusal(step, Reading(step.name, 0.3)) == ""
    assert "no longer 0.3 A" in undo_refusal(step, Reading(step.name, 0.5))


def test_the_top_line_keeps_its_width_whatever_the_reason() -> None:
    seen = overview(beam__found="no beam", beam__reason="x" * 300, faults__count=3)
    assert [len(screen.head(seen, width)) for width in (30, 80, 200)] == [30, 80, 200]
    assert "no beam; 3 injected faults" in screen.head(seen, 80).plain


def test_a_supply_at_its_limit_has_its_mark_at_the_end_of_the_bar() -> None:
    reading = Reading("TWIN:HS1:set", 10.0, "A", limits=(-10.0, 10.0))
    assert "-| 10 A" in screen.supply(screen.Supply("TWIN:HS1:set", reading, 0.02), 60).plain.replace("]", "")


def test_an_invalid_setpoint_is_not_shown_as_a_number() -> None:
    reading = Reading("TWIN:HS1:set", 4.25, "A", severity=3)
    assert "4.25" not in screen.supply(screen.Supply("TWIN:HS1:set", reading, 0.02), 60).plain


def test_faults_leave_room_for_commands() -> None:
    seen = overview(faults__count=9, faults__active=[f"fault {number}" for number in range(9)])
    lines = screen.commands(seen, 40, 6).plain.splitlines()
    assert lines == ["faults fault 0", "       fault 1", "       fault 2", "no commands yet"]


@pytest.mark.parametrize("largest", [0.0, 3e-5, 4e-3, 0.7, 12.0, 990.0])
def test_rows_of_an_orbit_have_the_width_of_the_screen_whatever_its_size(largest: float) -> None:
    seen = overview(orbit__difference__x=[largest, -largest, 0.0], monitor__s=[1.0, 2.0, 3.0])
    text, _ = screen.orbit(seen, 0, (0.0, 4.0), (60, 5), 0.0)
    assert max(map(len, text.plain.splitlines())) <= 60
    assert text.plain.splitlines()[1].lstrip().startswith("+")
