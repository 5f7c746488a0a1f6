"""Versions of a recording: dropped and edited steps; the parent stays."""

import pytest

from gnomon.lattice import Ring
from gnomon.recorder import RecordingError
from gnomon.recorder.recordings import Edit, Label, Recording, edited, lattices_of
from unit.recorder.recordings.samples import make_recording
from unit.recorder.records import MORNING
from unit.recorder.test_replay_steps import specs

LABEL = Label("bump-2", "smaller", "bob@console2", MORNING)


@pytest.fixture
def bump(ring: Ring) -> Recording:
    two = (("HS4P1D1R", "current", 0.8), ("Q1PDR", "current", 219.0))
    return make_recording(ring, ("HS4P1D1R", "current", 0.5), two, ("HS4P1D1R", "current", 0.2))


def version(bump: Recording, ring: Ring, drop: tuple[int, ...] = (), *edits: Edit) -> Recording:
    made = edited(bump, ring, specs("TWIN:", ring), LABEL, drop, edits)
    lattices_of(made, ring)
    return made


def values(recording: Recording) -> list[list[tuple[str, float, float]]]:
    return [[(c.device, c.old, c.new) for c in step.changes] for step in recording.steps]


def test_a_dropped_step_is_gone_and_those_after_it_begin_elsewhere(bump: Recording, ring: Ring) -> None:
    made = version(bump, ring, (2,))
    assert values(made) == [[("HS4P1D1R", 0.0, 0.5)], [("HS4P1D1R", 0.5, 0.2)]]
    assert (made.parent, made.name, made.author, made.purpose) == (bump.id, "bump-2", "bob@console2", "smaller")
    assert [step.sequence for step in made.steps] == [11, 13]


def test_an_edited_step_asks_for_the_new_value_and_says_so(bump: Recording, ring: Ring) -> None:
    made = version(bump, ring, (), Edit(1, 0.4))
    assert values(made)[0] == [("HS4P1D1R", 0.0, 0.4)]
    assert values(made)[1][0] == ("HS4P1D1R", 0.4, 0.8)
    assert made.steps[0].note == "edited by bob@console2: 0.5 -> 0.4 A"


def test_one_of_several_pvs_of_a_step_is_chosen_by_its_name(bump: Recording, ring: Ring) -> None:
    assert values(version(bump, ring, (), Edit(2, 219.5, "Q1PDR:set")))[1][1][2] == 219.5
    with pytest.raises(RecordingError, match="changes 2 settings: say which with one of 2:HS4P1D1R:set, 2:Q1PDR:set"):
        version(bump, ring, (), Edit(2, 0.7))
    with pytest.raises(RecordingError, match="step 2 does not set Q2PDR:set"):
        version(bump, ring, (), Edit(2, 0.7, "Q2PDR:set"))


def test_a_value_is_in_the_unit_of_the_pv(ring: Ring) -> None:
    clock = ring.nominal["rf", "frequency"]
    spec = next(s for s in specs("TWIN:", ring) if (s.device, s.property, s.source) == ("rf", "frequency", "set"))
    recording = make_recording(ring, ("rf", "frequency", clock + 1.0))
    made = version(recording, ring, (), Edit(1, (clock + 0.5) * spec.scale))
    assert made.steps[0].changes[0].new == pytest.approx(clock + 0.5, rel=1e-13)


def test_a_step_that_changes_nothing_any_more_is_left_out(bump: Recording, ring: Ring) -> None:
    assert len(version(bump, ring, (2,), Edit(3, 0.5)).steps) == 1
    with pytest.raises(RecordingError, match="no step is left"):
        version(bump, ring, (1, 2, 3))


@pytest.mark.parametrize("number", [0, 4])
def test_a_step_that_is_not_there_is_named(bump: Recording, ring: Ring, number: int) -> None:
    with pytest.raises(RecordingError, match=f"there is no step {number}; 'bump' has steps 1 to 3"):
        version(bump, ring, (number,))


def test_a_value_outside_the_limits_is_refused(bump: Recording, ring: Ring) -> None:
    with pytest.raises(RecordingError, match="step 1: HS4P1D1R current = 50 A: outside the limits"):
        version(bump, ring, (), Edit(1, 50.0))
