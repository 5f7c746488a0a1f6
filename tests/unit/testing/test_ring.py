"""The ring in the hands of a test: numbers of its orbit, and how it prints."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gnomon.testing.client_commands import Journal
from gnomon.testing.ring import Orbit, ServedRing

ORBIT = Orbit(("M1", "M2", "M3"), np.array([1.0, 2.0, 3.0]), np.array([0.3, -0.4, np.nan]), np.zeros(3))


def test_figures_of_an_orbit_leave_dead_monitors_out() -> None:
    assert ORBIT.rms_x == pytest.approx(np.sqrt((0.09 + 0.16) / 2))
    assert (ORBIT.max_x, ORBIT.max_y, ORBIT.rms_y) == (0.4, 0.0, 0.0)
    assert ORBIT.at("M2") == (-0.4, 0.0)
    with pytest.raises(ValueError, match="M9"):
        ORBIT.at("M9")
    assert repr(ORBIT) == "<orbit at 3 monitors: rms x 0.3536, y 0.0000 mm>"


class FakeRemote:
    """A `RemoteRing` that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.client = SimpleNamespace(call=lambda *_: [], put=lambda *given: self.told.append(("put", *given)))
        self.prefix = "T:"

    def set(self, settings: Any, note: str, **more: float) -> str:
        self.told.append(("set", settings, note, more))
        return "done"


def test_settings_of_the_test_carry_a_note_by_which_the_journal_leaves_them_out() -> None:
    remote: Any = FakeRemote()
    ring = ServedRing(remote, Journal(lambda: None), "bessy2", "twin")  # type: ignore[arg-type, return-value]
    assert ring.set({"HS1": 0.1}, Q1=2.0) == "done"
    ring.put("HS1:set", 0.2)
    assert remote.told == [("set", {"HS1": 0.1}, "test: set", {"Q1": 2.0}), ("put", "HS1:set", 0.2)]
    assert repr(ring) == "<bessy2, twin, prefix 'T:'>"
