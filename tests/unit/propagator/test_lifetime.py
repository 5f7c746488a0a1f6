"""The stored current: closed solution, top-up, loss, lifetimes that follow current and volume."""

import math
from itertools import pairwise

import pytest

from gnomon.lattice.document import StoredBeamPart
from gnomon.propagator.lifetime import HOUR_S, StoredBeam, decayed

PART = StoredBeamPart(gas_lifetime_h=20.0, touschek_lifetime_h=10.0)
TOP_UP = StoredBeamPart(gas_lifetime_h=60.0, touschek_lifetime_h=10.0, top_up_s=60.0)


def test_the_closed_solution_satisfies_the_differential_equation() -> None:
    gas, touschek = 1e-4, 2e-6
    current, steps = 150.0, 200_000
    for _ in range(steps):
        middle = current + 0.5 * (10_000.0 / steps) * -(gas * current + touschek * current * current)
        current -= 10_000.0 / steps * (gas * middle + touschek * middle * middle)
    assert decayed(150.0, 10_000.0, gas, touschek) == pytest.approx(current, rel=1e-8)


def test_gas_and_touschek_rates_add_up_and_scale_with_current_and_volume() -> None:
    beam = StoredBeam(PART, 150.0)
    beam.advance(0.0, 1.0)
    assert beam.current_ma == 150.0
    assert beam.lifetime_s(1.0) == pytest.approx(HOUR_S / (1 / 20 + 1 / 10))
    assert beam.lifetime_s(2.0) == pytest.approx(HOUR_S / (1 / 20 + 1 / 20))
    beam.current_ma = 75.0
    assert beam.lifetime_s(1.0) == pytest.approx(HOUR_S / (1 / 20 + 1 / 20))


def test_without_top_up_it_falls_and_the_averages_span_their_seconds() -> None:
    beam = StoredBeam(PART, 150.0)
    for second in range(201):
        beam.advance(float(second), 1.0 if second < 150 else 2.0)
    assert beam.current_ma < 150.0
    assert beam.average_s(10.0) == pytest.approx(beam.lifetime_s(2.0), rel=1e-4)
    both = [beam.lifetime_s(1.0), beam.lifetime_s(2.0)]
    assert beam.average_s(100.0) == pytest.approx(0.49 * both[0] + 0.51 * both[1], rel=1e-3)


def test_top_up_makes_a_saw_tooth() -> None:
    beam = StoredBeam(TOP_UP, 250.0)
    currents = []
    for second in range(121):
        beam.advance(float(second), 1.0)
        currents.append(beam.current_ma)
    assert currents[0] == currents[60] == currents[120] == 250.0
    assert currents[59] == pytest.approx(250.0 * (1.0 - 59.0 / HOUR_S * (1 / 60 + 1 / 10)), rel=1e-4)
    assert all(a > b for a, b in pairwise(currents[:60]))
    beam.advance(120.0 + 90.0, 1.0)  # nobody asked for a while: topped up 30 s ago
    assert beam.current_ma == pytest.approx(250.0 * (1.0 - 30.0 / HOUR_S * (1 / 60 + 1 / 10)), rel=1e-4)


def test_a_lost_beam_is_0_and_comes_back_nominal() -> None:
    beam = StoredBeam(PART, 150.0)
    for second in range(100):
        beam.advance(float(second), 1.0)
    beam.advance(100.0, math.nan)
    assert (beam.current_ma, beam.stored) == (0.0, False)
    assert math.isnan(beam.average_s(100.0))
    beam.advance(200.0, 1.0)
    assert beam.current_ma == 150.0
    assert beam.average_s(100.0) == pytest.approx(beam.lifetime_s(1.0))


def test_a_document_without_a_model_keeps_its_current() -> None:
    beam = StoredBeam(None, 100.0)
    for hour in range(3):
        beam.advance(hour * HOUR_S, 1.0)
    assert beam.current_ma == 100.0
    assert math.isnan(beam.average_s(10.0))


def test_a_clock_that_is_set_back_stops_neither_top_up_nor_averages() -> None:
    beam = StoredBeam(TOP_UP, 250.0)
    for second in range(5000, 5030):
        beam.advance(float(second), 1.0)
    for second in range(1000, 1032):  # the first of them is no later than the last above
        beam.advance(float(second), 2.0)
    fallen_s = 29.0 + 31.0 - 60.0
    assert beam.current_ma == pytest.approx(250.0 * (1.0 - fallen_s / HOUR_S * (1 / 60 + 1 / 10)), rel=1e-6)
    assert beam.average_s(10.0) == pytest.approx(beam.lifetime_s(2.0), rel=1e-3)


def test_the_countdown_runs_to_each_top_up_and_the_gate_is_on_around_it() -> None:
    beam = StoredBeam(TOP_UP.model_copy(update={"gate_s": 1.5}), 250.0)
    shown: list[tuple[float, bool]] = []
    for second in range(125):
        beam.advance(float(second), 1.0)
        shown.append((beam.countdown_s(), beam.injecting()))
    countdowns = [60.0 - second % 60 for second in range(125)]
    assert [countdown for countdown, _ in shown] == countdowns
    assert [second for second, (_, on) in enumerate(shown) if on] == [59, 60, 61, 119, 120, 121]  # not at the start
    assert beam.current_ma < 250.0


@pytest.mark.parametrize("start", [0.0, 1000.0])
def test_a_top_up_between_two_looks_is_dated_back_to_when_it_was_due(start: float) -> None:
    beam = StoredBeam(TOP_UP.model_copy(update={"gate_s": 35.0}), 250.0)
    beam.advance(start, 1.0)
    beam.advance(start + 20.0, 1.0)
    assert (beam.countdown_s(), beam.injecting()) == (40.0, False)
    beam.advance(start + 90.0, 1.0)
    assert beam.countdown_s() == 30.0
    assert beam.injecting(), "30 s after one, and 30 s before the next"
    narrow = StoredBeam(TOP_UP.model_copy(update={"gate_s": 20.0}), 250.0)
    narrow.advance(start, 1.0)
    narrow.advance(start + 90.0, 1.0)
    assert not narrow.injecting()


def test_the_gate_goes_off_in_time_after_a_clock_was_set_back() -> None:
    beam = StoredBeam(TOP_UP.model_copy(update={"gate_s": 1.5}), 250.0)
    beam.advance(5000.0, 1.0)
    beam.advance(5060.0, 1.0)
    assert beam.injecting()
    shown = []
    for now in (1000.0, 1001.0, 1002.0, 1030.0):
        beam.advance(now, 1.0)
        shown.append(beam.injecting())
    assert shown == [True, True, False, False]


def test_without_top_up_or_without_a_beam_there_is_no_countdown_and_the_gate_is_off() -> None:
    falling, lost = StoredBeam(PART, 150.0), StoredBeam(TOP_UP, 250.0)
    for second in range(61):
        falling.advance(float(second), 1.0)
        lost.advance(float(second), 1.0)
    assert lost.injecting()
    lost.lose()
    for beam in (falling, lost):
        assert math.isnan(beam.countdown_s())
        assert not beam.injecting()
    lost.advance(62.0, 1.0)
    assert (lost.countdown_s(), lost.injecting()) == (60.0, False)


@pytest.mark.parametrize("part", [PART, TOP_UP, None])
def test_a_part_of_the_current_is_lost_at_once_and_can_be_filled_up(part: StoredBeamPart | None) -> None:
    beam = StoredBeam(part, 150.0)
    assert not beam.fill()
    beam.advance(0.0, 1.0)
    assert not beam.fill()
    beam.lose_part(0.2)
    assert beam.current_ma == pytest.approx(120.0)
    assert beam.fill()
    assert beam.current_ma == 150.0


def test_a_top_up_fills_what_was_lost() -> None:
    beam = StoredBeam(TOP_UP, 150.0)
    beam.advance(0.0, 1.0)
    beam.lose_part(0.5)
    beam.advance(59.0, 1.0)
    assert beam.current_ma < 75.0
    beam.advance(61.0, 1.0)
    assert beam.current_ma > 149.9


def test_a_factor_on_the_lifetime_is_one_on_all_that_takes_the_beam() -> None:
    beams = [StoredBeam(PART, 150.0), StoredBeam(PART, 150.0)]
    for beam, factor in zip(beams, (1.0, 0.1), strict=True):
        beam.advance(0.0, 1.0, 1e-5)
        beam.lifetime_factor = factor
    assert beams[1].lifetime_s(1.0) == pytest.approx(0.1 * beams[0].lifetime_s(1.0))
    for beam, seconds in zip(beams, (1000.0, 100.0), strict=True):
        beam.advance(seconds, 1.0, 1e-5)
    assert beams[1].current_ma == pytest.approx(beams[0].current_ma)
