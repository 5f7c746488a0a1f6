"""The plan of a recording is that of a replay; a recording that does not belong to the machine or itself is refused."""

import pytest

from gnomon.db import shipped_machine
from gnomon.lattice import Ring
from gnomon.recorder import RecordingError
from gnomon.recorder.recordings import lattices_of, plan_of, seal
from gnomon.recorder.recordings.recording import RecordingContent
from unit.recorder.recordings.samples import make_recording
from unit.recorder.test_replay_steps import fake_beam, specs


def test_steps_are_numbered_from_one_on_and_predicted(ring: Ring) -> None:
    both = (("HS4P1D1R", "current", 0.8), ("Q1PDR", "current", ring.nominal["Q1PDR", "current"] + 1.0))
    plan = plan_of(
        make_recording(ring, ("HS4P1D1R", "current", 0.5), both), "MACH:", ring, specs("MACH:", ring), fake_beam
    )
    assert [(s.sequence, s.pv, s.start, s.target, s.asked) for s in plan.steps] == [
        (1, "MACH:HS4P1D1R:set", 0.0, 0.5, 0.5),
        (2, "MACH:HS4P1D1R:set", 0.5, 0.8, 0.8),
        (2, "MACH:Q1PDR:set", *[ring.nominal["Q1PDR", "current"] + step for step in (0.0, 1.0, 1.0)]),
    ]
    assert [p.max_mm[0] for p in plan.predictions] == pytest.approx([0.005, 0.003, 0.0])
    assert {s.pv: s.value for s in plan.starts}["MACH:HS4P1D1R:set"] == 0.0


def test_the_plan_starts_from_the_recorded_settings(ring: Ring) -> None:
    start = ring.nominal.updated(
        {("HS4P1D1R", "current"): 0.4, ("Q1M1D1R", "k1"): ring.nominal["Q1M1D1R", "k1"] * 1.01}
    )
    recording = make_recording(ring, ("HS4P1D1R", "current", 0.5), start=start)
    plan = plan_of(recording, "MACH:", ring, specs("MACH:", ring), fake_beam)
    starts = {s.pv: s.value for s in plan.starts}
    assert starts["MACH:HS4P1D1R:set"] == 0.4
    assert starts["MACH:Q1M1D1R:Cm:rdbk"] == start["Q1M1D1R", "k1"]
    assert lattices_of(recording, ring)[0].id == start.id


def test_a_missing_step_is_found(ring: Ring) -> None:
    whole = make_recording(ring, ("HS4P1D1R", "current", 0.5), ("HS4P1D1R", "current", 0.8))
    content = whole.model_dump(by_alias=True, exclude={"id"})
    gap = seal(RecordingContent.model_validate(content | {"steps": content["steps"][1:]}))
    with pytest.raises(RecordingError, match=r"step 1, HS4P1D1R current: it begins at .*, but the steps"):
        plan_of(gap, "MACH:", ring, specs("MACH:", ring), fake_beam)


def test_another_machine_is_refused(ring: Ring) -> None:
    recording = make_recording(ring, ("HS4P1D1R", "current", 0.5))
    with pytest.raises(RecordingError, match="give the recorded document with --machine"):
        lattices_of(recording, shipped_machine("mls"))


def test_a_start_that_is_not_that_of_its_settings_is_refused(ring: Ring) -> None:
    recording = make_recording(ring, ("HS4P1D1R", "current", 0.5))
    content = recording.model_dump(by_alias=True, exclude={"id"})
    content["start"]["lattice_id"] = "f" * 64
    with pytest.raises(RecordingError, match="record it again"):
        lattices_of(seal(RecordingContent.model_validate(content)), ring)
