"""The model's present beam, for those who ask about it."""

import numpy as np
import pytest

from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.reference_orbit import ReferenceOrbit
from gnomon.propagator import Answer, BeamState
from unit.ioc.rig import RING, beam

MONITORS = len(RING.bpms)
REFERENCE = ReferenceOrbit("golden", np.full(MONITORS, 1e-3), np.zeros(MONITORS))


def answer(found: BeamState | None, seconds: float = 0.0) -> Answer:
    return Answer(1, 1, RING.nominal, found, "" if found else "the model failed", seconds)


def test_there_are_no_readings_before_a_beam_was_found_and_none_after_it_is_lost() -> None:
    state = ModelState(MONITORS)
    assert state.read_again() is None
    results = [beam(RING.nominal), beam(RING.nominal, found=False), beam(RING.nominal), None]
    taken = [(state.take(answer(result)), state.readings) for result in results]
    assert [returned is not None for returned, _ in taken] == [True, False, True, False]
    assert all(returned is kept for returned, kept in taken)


def test_every_reading_has_a_number_of_its_own() -> None:
    state = ModelState(MONITORS)
    taken = state.take(answer(beam(RING.nominal)))
    again = state.read_again()
    state.take(answer(None))
    after = state.take(answer(beam(RING.nominal)))
    assert taken is not None
    assert again is not None
    assert after is not None
    assert [taken.count, again.count, after.count] == [1, 2, 3]
    assert again.beam is taken.beam


def test_a_reference_holds_for_the_present_beam_and_for_those_to_come() -> None:
    state = ModelState(MONITORS)
    assert state.compare_with(REFERENCE) is None
    taken = state.take(answer(beam(RING.nominal)))
    assert taken is not None
    assert taken.from_reference_x == pytest.approx(taken.x - 1e-3)
    zero = state.compare_with(ReferenceOrbit.zero(MONITORS))
    assert zero is not None
    assert zero.from_reference_x == pytest.approx(zero.x)
    assert zero.count == taken.count


def test_only_results_that_were_computed_have_taken_time() -> None:
    state = ModelState(MONITORS)
    state.take(answer(beam(RING.nominal), 0.25))
    state.take(answer(None, 0.0))
    assert state.times.percentile(0.0) == state.times.percentile(100.0) == 0.25
