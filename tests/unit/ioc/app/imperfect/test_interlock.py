"""The interlock: what dumps the beam, and what brings it back."""

from dataclasses import replace

import pytest

from gnomon.ioc.app.imperfect.interlock import Envelope, Interlock
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine
from gnomon.propagator import Answer, BeamState, Propagator

RING = find_machine(Config(machine="mls")).ring
NOMINAL = RING.nominal


@pytest.fixture(scope="module")
def beam() -> BeamState:
    return Propagator(RING)(NOMINAL)


def interlock(current_ma: float = 200.0, x_m: float = 1e-3, y_m: float = 1e-3) -> Interlock:
    names = tuple(bpm.name for bpm in RING.bpms)
    return Interlock(Envelope(x_m, y_m), names, RING.monitors, lambda: current_ma)


def answer(beam: BeamState | None) -> Answer:
    return Answer(1, 1, NOMINAL, beam)


def displaced(beam: BeamState, x_m: float, at: int = 3) -> BeamState:
    orbit = beam.orbit.copy()
    orbit[RING.monitors[at], 0] = x_m
    return replace(beam, orbit=orbit)


def test_a_beam_within_the_envelope_passes_as_it_is(beam: BeamState) -> None:
    passed = answer(displaced(beam, 0.9e-3))
    assert interlock().passed(passed) is passed


def test_a_beam_outside_is_dumped_with_place_value_and_limit(beam: BeamState) -> None:
    guarded = interlock()
    dumped = guarded.passed(answer(displaced(beam, -1.5e-3))).beam
    assert dumped is not None
    assert not dumped.found
    assert f"x = -1.500 mm at {RING.bpms[3].name}, outside +-1 mm" in dumped.reason
    assert "dt:inject" in dumped.reason


def test_no_beam_is_back_before_somebody_injects(beam: BeamState) -> None:
    guarded = interlock()
    guarded.passed(answer(displaced(beam, 2e-3)))
    still = guarded.passed(answer(beam)).beam
    assert still is not None
    assert not still.found
    guarded.inject()
    back = guarded.passed(answer(beam)).beam
    assert back is not None
    assert back.found


def test_a_beam_without_a_closed_orbit_has_to_be_injected_again(beam: BeamState) -> None:
    guarded = interlock()
    guarded.passed(answer(replace(beam, found=False, reason="no closed orbit")))
    again = guarded.passed(answer(beam)).beam
    assert again is not None
    assert not again.found
    assert "no closed orbit" in again.reason


def test_a_model_without_a_result_dumps_nothing(beam: BeamState) -> None:
    guarded = interlock()
    assert guarded.passed(answer(None)).beam is None
    assert guarded.passed(answer(beam)).beam is beam


def test_a_current_that_has_decayed_is_noticed_once(beam: BeamState) -> None:
    current = [200.0]
    names = tuple(bpm.name for bpm in RING.bpms)
    guarded = Interlock(Envelope(1e-3, 1e-3), names, RING.monitors, lambda: current[0])
    assert [guarded.is_all_lost() for _ in range(2)] == [False, False]
    current[0] = 0.0
    assert [guarded.is_all_lost() for _ in range(3)] == [True, False, False]
    lost = guarded.passed(answer(beam)).beam
    assert lost is not None
    assert not lost.found
