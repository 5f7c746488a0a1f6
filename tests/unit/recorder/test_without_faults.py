"""A replay leaves the effects of injected faults out: it writes what was asked for and told as done."""

from pathlib import Path

import pytest

from gnomon.lattice import Client, Lattice, Outcome, Ring
from gnomon.recorder import Filter, Reader, ReplayError
from gnomon.recorder.entries import Entry
from gnomon.recorder.replay_steps import make_plan
from gnomon.recorder.without_faults import BY_FAULT, disturbed, without_faults
from unit.recorder.test_replay_steps import Recording, current, fake_beam, specs

FAULT = "fault 1: modify H* to 0.9 * value"


@pytest.fixture
def recording(tmp_path: Path, ring: Ring) -> Recording:
    return Recording(tmp_path / "twin.journal", ring)


def asked(recording: Recording) -> tuple[Entry, ...]:
    recording.journal.close()
    with Reader(recording.path) as reader:
        return without_faults(tuple(reader.entries(Filter())), recording.start)


def targets(entries: tuple[Entry, ...], start: Lattice, recording: Recording) -> list[tuple[int, str, float]]:
    with Reader(recording.path) as reader:
        run = reader.newest_run()
    plan = make_plan(entries, run, "MACH:", start, specs("MACH:", start.ring), fake_beam)
    return [(s.sequence, s.pv, s.target) for s in plan.steps]


def test_commands_that_faults_lost_or_changed_are_replayed_as_they_were_asked(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 0.5), outcome=Outcome.ABANDONED, reason="fault 2: abandon H*")
    recording.put(current("HS4P1D1R", 1.0), outcome=Outcome.MODIFIED, factor=0.9, reason=FAULT)
    recording.put(current("HS1PD1R", 2.0))
    found = targets(asked(recording), recording.start, recording)
    assert found == [(1, "MACH:HS4P1D1R:set", 0.5), (2, "MACH:HS4P1D1R:set", 1.0), (3, "MACH:HS1PD1R:set", 2.0)]


def test_commands_that_faults_made_or_refused_are_left_out(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 0.5))
    recording.put(current("HS4P1D1R", 0.7), outcome=Outcome.REJECTED, reason="fault 2: refuse H*: local mode")
    recording.put(current("HS4P1D1R", 0.9), outcome=Outcome.FAILED, reason=FAULT + ": outside the limits")
    recording.put(current("HS4P1D1R", 0.1), client=Client("op", "console", BY_FAULT))
    assert targets(asked(recording), recording.start, recording) == [(1, "MACH:HS4P1D1R:set", 0.5)]


def test_a_recording_without_faults_stays_as_it_is(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 0.5))
    recording.put(current("HS4P1D1R", 0.7), outcome=Outcome.REJECTED, reason="outside the drive limits")
    recording.journal.close()
    with Reader(recording.path) as reader:
        entries = tuple(reader.entries(Filter()))
    assert not any(map(disturbed, entries))
    assert without_faults(entries, recording.start) == entries


def test_a_strength_that_was_set_after_a_fault_is_replayed_as_that_strength(recording: Recording) -> None:
    start = recording.start["Q1PDR", "current"]
    recording.put(current("Q1PDR", start + 1.0), outcome=Outcome.MODIFIED, factor=0.999, reason=FAULT)
    strength = recording.lattice["Q1M1D1R", "k1"] * 1.01
    recording.put(type(current("A", 1.0))("TWIN:Q1M1D1R:Cm:set", "Q1M1D1R", "k1", strength))
    (_, effect) = (entry.outcomes[-1].effects[0] for entry in asked(recording))
    assert effect.done == pytest.approx(strength, rel=1e-12)
    assert effect.setting == "k1_trim"


def test_a_value_that_the_ring_cannot_have_names_the_command(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 1e6), outcome=Outcome.ABANDONED, reason="fault 2: abandon H*")
    with pytest.raises(ReplayError, match="command 1: HS4P1D1R current"):
        asked(recording)
