"""A scenario against its machine, without a server: names, patterns, limits and states that are not there."""

from pathlib import Path

import pytest
from each_case import each_case

from gnomon.testing.scenarios import find_scenario, scenario_checking, shipped_scenarios
from unit.testing.scenarios.made import HEAD, complaints, write

WRONG = [
    ("fault: {kind: abandon, device: HS4P1D1}", "fault.device", "near names: HS4P1D1R"),
    ("fault: {kind: reading_stuck, device: BPMZ6D1R, property: z}", "fault.property", "readings: x, y"),
    ("fault: {kind: swap, device: HS4P1D1R, other: HS4P2D1}", "fault.other", "near names: HS4P2D1R"),
    ("fault: {kind: abandon, device: HS*, condition: 'MDIZ3T5G:curent < 2'}", "fault.condition", "MDIZ3T5G:current"),
    ("fault: {kind: connection_lost, pv: 'HS4P1D1R:st'}", "fault.pv", "HS4P1D1R:set"),
    ("fault: {kind: connection_put_hangs, pv: 'HS4P1D1R:rdbk'}", "fault.pv", "no PV that can be written matches"),
    ("fault: {kind: supply_trip, device: HS4P1D1}", "fault.device", "HS4P1D1R"),
    ("put: {'HS4P1D1R:set': 20}", "put.HS4P1D1R:set", "outside the drive limits -10 to 10 A"),
    ("put: {'HS4P1D1R:rdbk': 1}", "put.HS4P1D1R:rdbk", "cannot be written"),
    ("put: {'HS4P1D1R:set': high}", "put.HS4P1D1R:set", "'high' is not a number"),
    ("put: {'dt:active': maybe}", "put.dt:active", "not one of its states"),
    ("until: {condition: 'HS4P1D1R:st > 0'}", "until.condition", "near names: HS4P1D1R:set"),
    ("expect_pv: {pv: 'HS4P1D1R:st', value: 0}", "expect_pv.pv", "near names: HS4P1D1R:set"),
    ("expect_pv: {pv: 'ORBITCC:rdPos', value: 0}", "expect_pv.pv", "is not a single value"),
    ("expect_pv: {pv: 'HS4P1D1R:set', value: x}", "expect_pv.value", "is a number"),
    ("expect_pv: {pv: 'beam:orbit:found', value: lost}", "expect_pv.value", "not one of its states"),
    ("expect_journal: {commands: 'HX*', count: 0}", "expect_journal.commands", "no setpoint or device matches 'HX*'"),
    ("expect_journal: {order: ['HS*', 'HX*']}", "expect_journal.order.2", "no setpoint or device matches 'HX*'"),
]


@pytest.mark.parametrize(("step", "key", "reason"), WRONG, ids=lambda text: text[:40])
def test_a_name_that_the_machine_does_not_have_is_refused(tmp_path: Path, step: str, key: str, reason: str) -> None:
    found = complaints(write(tmp_path, f"  - {step}\n"), machine=True)
    assert [(line, place) for line, place, _ in found] == [(HEAD.count("\n") + 1, f"steps.1.{key}")]
    assert reason in found[0][2]


def test_a_machine_that_is_not_there_is_refused(tmp_path: Path) -> None:
    head = HEAD.replace("steps:", "ring: {machine: bessy3}\nsteps:")
    ((line, key, reason),) = complaints(write(tmp_path, "  - wait_s: 1\n", head), machine=True)
    assert (line, key) == (5, "ring.machine")
    assert "there is no machine 'bessy3'" in reason


def test_names_are_those_of_the_scenarios_machine(tmp_path: Path) -> None:
    head = HEAD.replace("steps:", "ring: {machine: mls}\nsteps:")
    assert not complaints(write(tmp_path, "  - expect_pv: {pv: 'HS1P2K1RP:setCur', value: 0}\n", head), machine=True)


@each_case(shipped_scenarios())
def test_every_shipped_scenario_is_valid(name: str) -> None:
    scenario_checking.check_scenario(find_scenario(name))
