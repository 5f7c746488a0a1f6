"""Effect of a command on the lattice, and its record in the journal: pure decisions."""

import pytest

from gnomon.fault_injection import Fault, Injector
from gnomon.ioc.commands.planning import Step, apply, plan, refuse
from gnomon.lattice import Client, Command, Outcome, Ring, Setting, parse_machine
from unit.lattice import small_ring

RING = Ring(parse_machine(small_ring.text(), "ring.json"))
NOMINAL = RING.nominal
CLIENT = Client("op", "console", "ca")


def command(*settings: tuple[str, str, float]) -> Command:
    return Command(7, tuple(Setting(f"T:{d}:set", d, p, v) for d, p, v in settings), CLIENT, 100, 50)


def planned(asked: Command, **fault: object) -> Step:
    injector = Injector()
    if fault:
        injector.add(Fault.from_request(fault))
    return plan(asked, NOMINAL, injector.decide, 200)


def test_an_applied_command_is_recorded_with_both_units_and_both_lattices() -> None:
    step = planned(command(("QFP", "current", 70.0)))
    (change,) = step.settled.changes
    assert step.settled.outcome is Outcome.APPLIED
    assert step.lattice["QFP", "current"] == 70.0
    assert (step.record.lattice_before, step.settled.lattice_after) == (NOMINAL.id, step.lattice.id)
    assert (change.old, change.new, change.done, change.unit) == (NOMINAL["QFP", "current"], 70.0, 70.0, "A")
    assert change.physics_old == {"QF.k1": pytest.approx(1.2, rel=1e-12)}
    assert change.physics_new == {"QF.k1": pytest.approx(70.0 * 0.05 / RING.rigidity, rel=1e-12)}


def test_a_strength_is_recorded_with_the_trim_behind_it() -> None:
    (change,) = planned(command(("QF", "k1", 1.3))).settled.changes
    assert (change.property, change.done) == ("k1", pytest.approx(1.3))
    assert (change.setting, change.setting_old) == ("k1_trim", 0.0)
    assert change.setting_done == pytest.approx(0.1)


def test_a_command_out_of_limits_is_rejected_and_moves_nothing() -> None:
    step = planned(command(("CP", "current", 1.0), ("QFP", "current", 1e6)))
    assert step.settled.outcome is Outcome.REJECTED
    assert "QFP current = 1e+06 A: outside the limits" in step.settled.reason
    assert step.lattice is NOMINAL
    assert not step.accepted
    assert [c.new for c in step.record.changes] == [1.0, 1e6]


def test_one_property_with_two_values_in_one_command_is_rejected() -> None:
    step = planned(command(("CP", "current", 1.0), ("CP", "current", 2.0)))
    assert step.settled.outcome is Outcome.REJECTED
    assert "set to two different values in one command" in step.settled.reason


def test_an_abandoned_command_looks_accepted_and_moves_nothing() -> None:
    step = planned(command(("QFP", "current", 70.0)), kind="abandon", device="QF*")
    assert step.settled.outcome is Outcome.ABANDONED
    assert step.accepted
    assert step.lattice is NOMINAL
    assert step.record.changes[0].new == 70.0
    assert step.settled.changes == ()


def test_a_modified_command_keeps_what_was_asked_and_what_was_done() -> None:
    step = planned(command(("CP", "current", 1.0)), kind="modify", device="CP", scale=2.0)
    assert step.settled.outcome is Outcome.MODIFIED
    assert step.record.changes[0].new == 1.0
    assert step.settled.changes[0].done == step.lattice["CP", "current"] == 2.0


def test_a_command_that_a_fault_modifies_out_of_limits_fails_and_moves_nothing() -> None:
    step = planned(command(("CP", "current", 1.0)), kind="modify", device="CP", scale=100.0)
    assert step.settled.outcome is Outcome.FAILED
    assert "fault 1" in step.settled.reason
    assert step.lattice is NOMINAL
    assert not step.accepted


def test_a_delayed_command_says_what_to_apply_and_when() -> None:
    step = planned(command(("CP", "current", 1.0)), kind="delay", device="CP", delay_s=2.0)
    assert (step.settled.outcome, step.delay_s) == (Outcome.DELAYED, 2.0)
    assert step.lattice is NOMINAL
    settled, after = apply(7, step.settings, NOMINAL, Outcome.APPLIED, 300, "")
    assert after["CP", "current"] == 1.0
    assert (settled.outcome, settled.changes[0].done) == (Outcome.APPLIED, 1.0)


def test_a_refusal_is_recorded_even_when_its_device_is_unknown() -> None:
    step = refuse(command(("NOPE", "current", float("nan"))), NOMINAL, "there is no such device", 200)
    assert step.settled.outcome is Outcome.REJECTED
    assert step.settled.reason == "there is no such device"
    assert step.record.changes[0].device == "NOPE"
