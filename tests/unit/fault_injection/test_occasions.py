"""Faults that last act on occasions: once, as long as a condition holds, or again and again."""

from typing import Any

import pytest

from gnomon.fault_injection import Fault, Injector
from gnomon.fault_injection.occasions import Look, Occasions
from unit.fault_injection.test_injector import Clock

DUMP = {"kind": "beam_dump"}
LOSS = {"kind": "beam_loss", "fraction": 0.5}


class Rig:
    """An injector with one fault, looked at every half second."""

    def __init__(self, request: dict[str, Any], **options: Any) -> None:
        self.clock, self.values = Clock(), {"pv": 0.0}
        self.injector = Injector(clock_s=self.clock, value_of=self.values.get, **options)
        self.id = self.injector.add(Fault.from_request(request))

    def look(self) -> tuple[float, int] | None:
        """For how long it acts, and the number of the occasion; None if it does not."""
        acting = self.injector.on_occasion("beam")
        return (round(acting[0].since_s, 6), acting[0].times) if acting else None

    def looks(self, count: int) -> list[tuple[float, int] | None]:
        found = []
        for _ in range(count):
            found.append(self.look())
            self.clock.s += 0.5
        return found


def test_a_fault_without_more_acts_until_it_is_cleared() -> None:
    rig = Rig(DUMP)
    assert rig.looks(3) == [(0.0, 1), (0.5, 1), (1.0, 1)]
    rig.injector.clear(rig.id)
    assert rig.look() is None


def test_it_begins_and_ends_with_its_window() -> None:
    assert Rig({**DUMP, "after_s": 1, "for_s": 1}).looks(6) == [None, None, (0.0, 1), (0.5, 1), None, None]


def test_it_comes_again_and_lasts_as_asked() -> None:
    rig = Rig({**DUMP, "every_s": 2, "lasts_s": 1, "count": 2})
    assert rig.looks(7) == [(0.0, 1), (0.5, 1), None, None, (0.0, 2), (0.5, 2), None]
    assert rig.injector.active() == ()


def test_a_condition_that_becomes_true_is_an_occasion() -> None:
    rig = Rig({**DUMP, "condition": "pv > 1", "count": 2})
    assert rig.looks(2) == [None, None]
    rig.values["pv"] = 2.0
    assert rig.looks(2) == [(0.0, 1), (0.5, 1)]
    rig.values["pv"] = 0.0
    assert rig.looks(1) == [None]
    rig.values["pv"] = 2.0
    assert rig.looks(2) == [(0.0, 2), (0.5, 2)]
    assert [fault.remaining for fault in rig.injector.active()] == [0]
    rig.values["pv"] = 0.0
    assert rig.looks(1) == [None]
    assert rig.injector.active() == ()


def test_momentary_fault_is_told_once_and_goes() -> None:
    rig = Rig(LOSS)
    assert rig.looks(3) == [(0.0, 1), None, None]
    assert rig.injector.active() == ()
    assert Rig({**LOSS, "count": 2}).looks(5) == [(0.0, 1), None, (0.0, 2), None, None]


def test_a_probability_is_drawn_for_each_occasion_from_the_seed() -> None:
    request = {**LOSS, "probability": 0.3, "count": None}
    one, same, other = (Rig(request, seed=seed).looks(400) for seed in (1, 1, 2))
    assert one == same != other
    happened = sum(each is not None for each in one)
    assert 40 <= happened <= 80  # of 200 occasions; 60 are expected, with a deviation of 6.5


def test_without_luck_a_fault_that_begins_once_never_acts() -> None:
    seeds = [seed for seed in range(20) if Rig({**DUMP, "probability": 0.5}, seed=seed).look() is None]
    assert 2 <= len(seeds) <= 18
    assert set(Rig({**DUMP, "probability": 0.5}, seed=seeds[0]).looks(5)) == {None}


def test_an_occasion_that_somebody_ends_is_over_and_so_is_a_fault_without_another() -> None:
    rig = Rig(DUMP)
    assert rig.look() is not None
    rig.injector.end_occasion(rig.id)
    assert rig.injector.active() == ()
    again = Rig({**DUMP, "every_s": 1})
    assert again.look() == (0.0, 1)
    again.injector.end_occasion(again.id)
    assert again.looks(3) == [None, None, (0.0, 2)]


def test_while_faults_are_suspended_none_acts() -> None:
    rig = Rig(DUMP)
    assert rig.look() is not None
    rig.injector.suspended = "it follows a machine"
    assert rig.look() is None


@pytest.mark.parametrize("late_s", [0.0, 0.3])
def test_an_occasion_begins_when_it_is_due_not_when_somebody_looks(late_s: float) -> None:
    request: Any = Fault.from_request({**DUMP, "every_s": 2}).request
    occasions = Occasions()
    assert occasions.look(request, 10.0 + late_s, 10.0, holds=True, draw=lambda _: True) is Look.BEGINS
    assert occasions.look(request, 12.0 + late_s, 10.0, holds=True, draw=lambda _: True) is Look.BEGINS
    assert occasions.began_s == 12.0
