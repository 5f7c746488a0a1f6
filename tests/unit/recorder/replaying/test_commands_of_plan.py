"""Commands at the gate for steps and parts of them: settings, changes, and what else they move."""

import pytest

from unit.recorder.replaying.simulated_machine import Clock, SimulatedMachine, make_gate, make_plan, mls, steerers

PLAN = make_plan((0, 0.3), (1, -0.2), (0, 0.5))
COMMANDS = make_gate(PLAN, SimulatedMachine(Clock())).commands
KEYS = [(spec.device, spec.property) for spec in steerers()]


def test_a_part_has_its_own_ends_and_the_changes_of_its_setting() -> None:
    command = COMMANDS.command(0, 0.1, 0.25)
    assert (command.step.start, command.step.target, command.step.pv) == (0.1, 0.25, PLAN.steps[0].pv)
    assert command.key == KEYS[0]
    assert command.changes[command.key] == pytest.approx((0.1, 0.25))
    assert command.number == 0


def test_settings_are_those_on_the_way() -> None:
    assert COMMANDS.settings(0, 0.1)[KEYS[0]] == pytest.approx(0.1)
    last = COMMANDS.settings(2, 0.4)
    assert [last[key] for key in KEYS[:2]] == pytest.approx([0.4, -0.2])


def test_settings_with_a_changed_current_give_the_strength_that_it_makes() -> None:
    """A strength beside its current would undo the change of the current."""
    ring, _ = mls()
    settings = COMMANDS.settings(0, 0.1)
    moved = ring.nominal.updated({**settings, KEYS[0]: 0.3})
    assert moved.id == ring.nominal.updated({KEYS[0]: 0.3}).id
    assert all(ring.strength_of(*key) is None for key in settings)
