"""From the machine's values to commands: what differs, and in which order it is sent."""

from typing import Any

import pytest

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.shadow.follower import MachineValue, differing, in_order
from gnomon.ioc.shadow.watched_pvs import Setpoint
from gnomon.lattice import Setting
from unit.ioc.rig import RING

QFP = RING.nominal["QFP", "current"]


def value(device: str, name: str, number: float, time_ns: int = 0, strength: bool = False) -> MachineValue:
    spec = PvSpec(name=device, kind=Kind.FLOAT, source="set", description="", device=device, property=name)
    made: Any = Setpoint(0, spec, required=True, strength=strength)
    return MachineValue(made, number, (Setting(device, device, name, number),), time_ns)


def current(device: str, number: float, time_ns: int = 0) -> MachineValue:
    return value(device, "current", number, time_ns)


def strength(number: float, time_ns: int = 0) -> MachineValue:
    return value("QF", "k1", number, time_ns, strength=True)


def test_settings_that_the_lattice_has_already_do_not_differ() -> None:
    asked = {1: current("CP", 0.0), 2: current("QFP", 1.01 * QFP), 3: strength(RING.nominal["QF", "k1"])}
    after = RING.nominal.updated({("QFP", "current"): 1.01 * QFP})
    assert differing(RING.nominal, asked).keys() == {2, 3}  # the strength follows the current
    assert differing(after, {2: asked[2], 3: strength(after["QF", "k1"] * (1 + 1e-15))}) == {}
    assert differing(after, {3: strength(after["QF", "k1"] * (1 + 1e-9))}).keys() == {3}


def test_a_strength_beside_an_impossible_current_is_compared_with_the_present_lattice() -> None:
    asked = {1: current("CP", 1e9), 2: strength(RING.nominal["QF", "k1"])}
    assert differing(RING.nominal, asked).keys() == {1}


@pytest.mark.parametrize(
    ("changes", "groups"),
    [
        ({1: current("CP", 1.0, 5), 2: current("QFP", 1.0, 3)}, [[2, 1]]),
        ({1: current("CP", 1.0, 1), 2: strength(1.2, 2)}, [[1, 2]]),
        ({1: strength(1.2, 1), 2: current("CP", 1.0, 2)}, [[1], [2]]),
        ({1: strength(1.2, 1), 2: current("CP", 1.0, 1)}, [[1, 2]]),  # at one time: the strength is what counts
        (
            {1: strength(1.2, 1), 2: current("CP", 1.0, 2), 3: strength(1.3, 3), 4: current("QFP", 1.0, 4)},
            [[1], [2, 3], [4]],
        ),
    ],
)
def test_a_current_set_after_a_strength_is_a_command_of_its_own(
    changes: dict[int, MachineValue], groups: list[list[int]]
) -> None:
    assert [list(group) for group in in_order(changes)] == groups
