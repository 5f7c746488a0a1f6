"""The net of a recording: written once, all settings together, in steps that the gate allows."""

from pathlib import Path

import pytest

from gnomon.lattice import Outcome, Ring, Setting
from gnomon.recorder import ReplayError
from gnomon.recorder.filters import Filter
from gnomon.recorder.gate import GateLimits, check_step
from gnomon.recorder.net_steps import make_net_plan
from gnomon.recorder.reader import Reader
from gnomon.recorder.recorded_states import state_before
from gnomon.recorder.replay_steps import Plan
from unit.recorder.test_replay_steps import Recording, current, fake_beam, specs


@pytest.fixture
def recording(tmp_path: Path, ring: Ring) -> Recording:
    return Recording(tmp_path / "twin.journal", ring)


def net(recording: Recording, first: int, last: int, max_step: float = 0.1) -> Plan:
    with Reader(recording.path) as reader:
        before = state_before(reader, first)
        entries = tuple(reader.entries(Filter(first=first, last=last)))
    start = recording.start.updated(before.settings)
    found = specs("MACH:", start.ring)
    return make_net_plan(entries, before.run, "MACH:", start, found, fake_beam, max_step)


def writes(plan: Plan) -> list[tuple[str, float, float]]:
    return [(step.pv.removeprefix("MACH:"), step.start, step.target) for step in plan.steps]


def test_only_the_settings_at_the_end_of_the_range_are_written(recording: Recording) -> None:
    for value in (0.5, -0.7, 0.2):
        recording.put(current("HS4P1D1R", value))
    recording.put(current("VS3P2T5R", 0.3))
    recording.put(current("VS3P2T5R", 0.0))
    recording.put(current("HS1PD1R", 0.4), outcome=Outcome.ABANDONED)
    plan = net(recording, 1, 6)
    assert writes(plan) == [("HS4P1D1R:set", 0.0, 0.2)]
    assert plan.steps[0].sequence == 3
    assert plan.moves == ({"MACH:HS4P1D1R:set": 0.2, "MACH:HS4P1D1R:rdbk": 0.2},)


def test_a_long_way_is_divided_and_what_belongs_together_goes_together(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 4.5))  # of a range of 20 A
    recording.put(current("HS1PD1R", -1.5))
    plan = net(recording, 1, 2)
    assert [(pv, start, round(target, 12)) for pv, start, target in writes(plan)] == [
        ("HS4P1D1R:set", 0.0, 1.5), ("HS1PD1R:set", 0.0, -0.5),
        ("HS4P1D1R:set", 1.5, 3.0), ("HS1PD1R:set", -0.5, -1.0),
        ("HS4P1D1R:set", 3.0, 4.5), ("HS1PD1R:set", -1.0, -1.5),
    ]  # fmt: skip
    for step in plan.steps:
        assert check_step(step, (step.low, step.high), GateLimits(0.1)) == []
    assert (plan.steps[-2].target, plan.steps[-1].target) == (4.5, -1.5)
    assert writes(net(recording, 1, 2, max_step=1.0)) == [("HS4P1D1R:set", 0.0, 4.5), ("HS1PD1R:set", 0.0, -1.5)]


def test_a_strength_is_written_through_its_pv_and_a_switch_at_once(recording: Recording) -> None:
    strength = recording.lattice["Q1M1D1R", "k1"]
    recording.put(Setting("TWIN:Q1M1D1R:Cm:set", "Q1M1D1R", "k1", strength * 1.01))
    recording.put(Setting("TWIN:QSPAZR:cmd1", "QSPAZR", "on", 0.0))
    recording.put(current("HS4P1D1R", 4.0))
    found = writes(net(recording, 1, 3))
    assert ("QSPAZR:cmd1", 1.0, 0.0) in found
    assert [pv for pv, _, _ in found].count("QSPAZR:cmd1") == 1
    ways = [(start, target) for pv, start, target in found if pv == "Q1M1D1R:Cm:set"]
    assert len(ways) == 2, "as many steps as the steerer: both go together"
    assert ways[0][0] == pytest.approx(strength, rel=1e-12)
    assert ways[0][1] == ways[1][0] == pytest.approx(strength * 1.005, rel=1e-9)
    assert ways[-1][1] == pytest.approx(strength * 1.01, rel=1e-12)


def test_a_range_that_ends_where_it_began_has_nothing_to_write(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 0.5))
    recording.put(current("HS4P1D1R", 0.0))
    with pytest.raises(ReplayError, match="the range ends where it began: there is nothing to write"):
        net(recording, 1, 2)


def test_a_step_size_that_never_arrives_is_refused(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 4.0))
    with pytest.raises(ReplayError, match="allow larger ones with --max-step"):
        net(recording, 1, 1, max_step=1e-6)
