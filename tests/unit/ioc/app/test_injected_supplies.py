"""Faults of supplies in a server: what they act on, what resets them, and what the journal is told."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from gnomon.fault_injection import Fault, Injector
from gnomon.ioc.app.fault_notes import FaultNotes
from gnomon.ioc.app.injected_supplies import InjectedSupplies

NAMES = tuple(f"Q{n}P" for n in range(1, 8))


class Rig:
    def __init__(self, **keys: Any) -> None:
        self.now_s = 1.0
        self.noted: list[str] = []
        self.injector = Injector(clock_s=lambda: self.now_s)
        notes = FaultNotes()
        notes.begin(lambda text, client: self.noted.append(text))
        self.faults = InjectedSupplies(NAMES, np.zeros(7), np.ones(7), self.injector, notes)
        self.injector.add(Fault.from_request(keys))

    @property
    def off(self) -> list[str]:
        effects = self.faults.effects()
        return [] if effects is None else [name for name, off in zip(NAMES, effects.off, strict=True) if off]

    def put(self, *names: str, property: str = "current") -> None:
        changes: Any = [SimpleNamespace(device=name, property=property) for name in names]
        self.faults.acted(changes)


def test_it_acts_on_the_supplies_of_its_pattern_and_names_some_of_them_once() -> None:
    rig = Rig(kind="supply_trip", device="*")
    assert rig.off == list(NAMES)
    assert rig.off == list(NAMES)
    assert rig.noted == ["fault 1 acts: supply_trip *: Q1P, Q2P, Q3P, Q4P, Q5P and 2 more"]
    assert not rig.faults.listens
    rig.put(*NAMES)
    assert rig.off == list(NAMES)


def test_supplies_are_reset_one_by_one_and_the_fault_ends_with_the_last() -> None:
    rig = Rig(kind="supply_trip", device="Q[12]P", reset="setpoint")
    assert (rig.off, rig.faults.listens) == (["Q1P", "Q2P"], True)
    rig.put("Q3P", "S1")
    rig.put("Q1P", property="k1")
    assert rig.off == ["Q1P", "Q2P"]
    rig.put("Q1P")
    assert rig.off == ["Q2P"]
    rig.put("Q2P")
    assert (rig.off, rig.faults.listens, rig.injector.active()) == ([], False, ())
    again = "fault 1 lets its supplies be switched on again"
    assert rig.noted[1:] == [f"{again}: Q1P", f"{again}: Q2P", "fault 1 is over"]


def test_a_supply_that_trips_again_and_again_does_so_after_each_reset() -> None:
    rig = Rig(kind="supply_trip", device="Q1P", reset="setpoint", every_s=10)
    assert rig.off == ["Q1P"]
    rig.put("Q1P")
    assert rig.off == []
    rig.now_s += 10.0
    assert rig.off == ["Q1P"]
    assert len(rig.injector.active()) == 1


def test_a_trip_that_has_ended_is_forgotten() -> None:
    rig = Rig(kind="supply_trip", device="Q1P", reset="setpoint", for_s=5)
    assert rig.off == ["Q1P"]
    rig.now_s += 6.0
    assert (rig.off, rig.faults.listens) == ([], False)
