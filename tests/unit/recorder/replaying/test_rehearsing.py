"""A dry run decides about every write in the parts in which it would be made, and touches nothing."""

from dataclasses import replace

import numpy as np
import pytest

from gnomon.recorder.bounds import Reading
from gnomon.recorder.replaying import RehearsalClock, recorded_state, rehearse
from unit.recorder.replaying.simulated_machine import (
    Clock,
    LinearPredictor,
    Rules,
    SimulatedMachine,
    make_gate,
    make_plan,
    monitor_names,
    response,
)

PLAN = make_plan((0, 0.3), (1, -0.2), (0, 0.5))


def views(rules: Rules | None = None) -> list:
    gate = make_gate(PLAN, SimulatedMachine(Clock()))
    reading = Reading(np.zeros((len(monitor_names()), 2)), np.array([0.178, 0.232]), 0, 100.0, 5.0)
    state = recorded_state(PLAN, gate.commands, reading, 10**18)
    return list(rehearse(gate.commands, rules or Rules(), LinearPredictor(), state, RehearsalClock()))


def test_it_makes_the_same_writes_as_a_replay_that_goes_as_predicted() -> None:
    ways = [(v.command.step.pv, v.command.step.start, v.command.step.target) for v in views()]
    assert [way[2] for way in ways[:3]] == pytest.approx([0.1, 0.2, 0.3])
    assert {way[0]: way[2] for way in ways} == {PLAN.steps[1].pv: -0.2, PLAN.steps[2].pv: 0.5}


def test_each_write_begins_with_the_beam_that_is_expected_after_the_one_before() -> None:
    found = views()
    last = found[-1]
    expected = 0.5 * response()[0] - 0.2 * response()[1]
    band = last.verdict.band
    assert band is not None
    assert band.expected[:-2] == pytest.approx(expected[:-2])


def test_a_refused_write_is_shown_and_the_others_are_decided_as_if_it_were_made() -> None:
    found = views(Rules(orbit_mm=0.5))
    refused = [v for v in found if not v.verdict.accepted]
    assert refused
    assert {v.number for v in found} == {0, 1, 2}


def test_more_time_passes_before_each_write_than_its_rate_asks_for() -> None:
    gate, rules, clock = make_gate(PLAN, SimulatedMachine(Clock())), Rules(), RehearsalClock()
    reading = Reading(np.zeros((len(monitor_names()), 2)), np.array([0.178, 0.232]), 0, 100.0, 5.0)
    state = replace(recorded_state(PLAN, gate.commands, reading, 10**18), monotonic_s=2.0**20 / 3.0)
    before = state.monotonic_s
    for view in rehearse(gate.commands, rules, LinearPredictor(), state, clock):
        step = view.command.step
        assert clock.now - before > abs(step.target - step.start) / rules.rate(step.pv) + 1e-4
        before = clock.now
