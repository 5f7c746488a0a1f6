"""Recordings made of a journal: what acted, without faults, from the settings of then."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.db import shipped_machine
from gnomon.lattice import Client, Outcome, Ring, Setting
from gnomon.recorder import Reader, RecordingError, ReplayError
from gnomon.recorder.filters import Filter
from gnomon.recorder.recorded_states import state_before
from gnomon.recorder.recordings import MONTH_NS, Label, Past, lattices_of, make_recording, plan_of, start_state
from gnomon.recorder.recordings.recording import Recording as Document
from unit.recorder.records import MORNING
from unit.recorder.test_replay_steps import FakeBeam, Recording, current, fake_beam, specs

LABEL = Label("bump", "a bump", "alice@console1", MORNING)


@pytest.fixture
def twin(tmp_path: Path, ring: Ring) -> Recording:
    return Recording(tmp_path / "twin.journal", ring)


def excerpt(twin: Recording, first: int, last: int, **more: Any) -> Document:
    twin.journal.close()
    with Reader(twin.path) as reader:
        before = state_before(reader, first)
        entries = tuple(reader.entries(Filter(first=first, last=last)))
        ranges = reader.ranges(before.run.machine, entries[0].wall_ns - MONTH_NS, first - 1)
    past = Past(before.run, before.settings, ranges)
    ring = twin.start.ring
    return make_recording(LABEL, entries, past, ring.nominal, specs("TWIN:", ring), fake_beam, **more)


def test_the_plan_of_a_recording_is_that_of_the_commands(twin: Recording, ring: Ring) -> None:
    supply, strength = ring.nominal["Q1PDR", "current"], ring.nominal["Q1M1D1R", "k1"]
    twin.put(current("HS4P1D1R", 0.1))
    twin.put(current("HS4P1D1R", 0.5), current("Q1PDR", supply + 1.0))
    twin.put(Setting("TWIN:Q1M1D1R:Cm:set", "Q1M1D1R", "k1", strength * 1.01))
    made = excerpt(twin, 2, 3)
    (planned, plan) = twin.plan(2, 3), plan_of(made, "MACH:", ring, specs("MACH:", ring), fake_beam)
    assert [(s.pv, s.start, s.target, s.wall_ns) for s in plan.steps] == [
        (s.pv, s.start, s.target, s.wall_ns) for s in planned.steps
    ]
    assert (plan.starts, plan.moves, plan.predictions) == (planned.starts, planned.moves, planned.predictions)
    assert [step.sequence for step in made.steps] == [2, 3]
    assert made.steps[0].who == "alice@console1"


def test_the_start_state_has_settings_orbit_tunes_and_optics(twin: Recording, ring: Ring) -> None:
    twin.put(current("HS4P1D1R", 0.1))
    twin.put(current("HS4P1D1R", 0.5))
    start = excerpt(twin, 2, 2).start
    assert [(s.device, s.setting, s.value, s.unit) for s in start.settings] == [("HS4P1D1R", "current", 0.1, "A")]
    assert (len(start.orbit), start.orbit[0].monitor) == (len(ring.bpms), ring.bpms[0].name)
    assert start.orbit[0].x == pytest.approx(1e-3)
    assert start.tunes == (ring.nominal["Q1PDR", "current"] * 1e-3, 6.7)
    assert start.optics == "", "this ring has one optics"


def test_the_optics_of_the_start_is_named() -> None:
    ring = shipped_machine("mls")
    beam = FakeBeam(np.zeros((len(ring.elements) + 1, 4)), np.array([3.1, 2.2]))
    assert start_state(ring.optics["low_alpha"], beam).optics == "low_alpha"
    assert start_state(ring.nominal, beam).optics == "nominal"


def test_without_a_beam_a_recording_begins_without_orbit_and_tunes(twin: Recording) -> None:
    twin.put(current("HS4P1D1R", 6.0))
    twin.put(current("HS4P1D1R", 0.5))
    start = excerpt(twin, 2, 2).start
    assert (start.orbit, start.tunes) == ((), None)


def test_effects_of_faults_are_left_out(twin: Recording) -> None:
    fault = Client("fault", "twin", "fault")
    twin.put(current("HS4P1D1R", 0.5), outcome=Outcome.MODIFIED, factor=0.9, reason="fault 1: scaled")
    twin.put(current("HS4P1D1R", 0.5), client=fault)
    twin.put(current("HS4P1D1R", 0.8), outcome=Outcome.ABANDONED, reason="fault 2: lost")
    made = excerpt(twin, 1, 3)
    assert [(c.old, c.new) for step in made.steps for c in step.changes] == [(0.0, 0.5), (0.5, 0.8)]


def test_commands_that_changed_nothing_are_no_steps(twin: Recording) -> None:
    twin.put(current("HS4P1D1R", 0.5))
    twin.put(current("HS4P1D1R", 0.5))
    twin.put(current("HS4P1D1R", 0.8), outcome=Outcome.REJECTED)
    assert [step.sequence for step in excerpt(twin, 1, 3).steps] == [1]


def test_nothing_to_record_is_refused(twin: Recording) -> None:
    twin.put(current("HS4P1D1R", 0.8), outcome=Outcome.REJECTED)
    with pytest.raises(RecordingError, match="nothing to record"):
        excerpt(twin, 1, 1)


def test_a_command_that_still_waits_is_refused(twin: Recording) -> None:
    twin.put(current("HS4P1D1R", 0.5))
    twin.put(current("HS4P1D1R", 0.8), outcome=Outcome.DELAYED)
    with pytest.raises(RecordingError, match="command 2 has no outcome yet"):
        excerpt(twin, 1, 2)


def test_commands_of_two_runs_are_refused(twin: Recording) -> None:
    twin.put(current("HS4P1D1R", 0.5))
    twin.begin()
    twin.put(current("HS4P1D1R", 0.8))
    with pytest.raises(ReplayError, match="restarted between them"):
        excerpt(twin, 1, 2)


def test_the_usual_range_is_that_of_the_month_before(twin: Recording) -> None:
    for value in (0.2, -0.1, 0.3):
        twin.put(current("HS4P1D1R", value))
    twin.put(current("Q1PDR", 219.0))
    twin.put(current("HS4P1D1R", 8.0))
    (usual,) = excerpt(twin, 5, 5).usual
    assert (usual.device, usual.low, usual.high, usual.commands) == ("HS4P1D1R", -0.1, 0.3, 3)
    with Reader(twin.path) as reader:
        assert reader.ranges("bessy2", MORNING + 3_500_000_000, 4).keys() == {("Q1PDR", "current")}
        assert reader.ranges("mls", 0, 4) == {}


def test_the_recording_can_be_checked_against_the_ring(twin: Recording, ring: Ring) -> None:
    twin.put(current("HS4P1D1R", 0.5))
    assert [lattice["HS4P1D1R", "current"] for lattice in lattices_of(excerpt(twin, 1, 1), ring)] == [0.0, 0.5]
