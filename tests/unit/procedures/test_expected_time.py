"""The time of a measurement is expected from its plan and the document's times, and nothing is set for that."""

from typing import Any

import pytest

from gnomon.clients.machine_pvs import MachinePvs, find_machine_pvs
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.expected_time import Expected, expected_time
from gnomon.procedures.measuring import MeasureOptions, measure, measure_options
from gnomon.procedures.runnable import checked_options, find_runnable
from unit.procedures.noisy_ring import NoisyRing
from unit.procedures.plans.fake_ring import FakeSession, fake_devices


@pytest.fixture(scope="module")
def pvs() -> MachinePvs:
    return find_machine_pvs("bessy2", "T:")


def session(pvs: MachinePvs, role: str) -> Any:
    found: Any = FakeSession(NoisyRing(pvs.ring.nominal, 1))
    found.pvs, found.ring, found.role = pvs, pvs.ring, role
    return found


@pytest.mark.parametrize(("name", "devices"), [("orm", ("HS4P1D1R", "VS3P1D1R")), ("bba", ("Q3M2T7R", "Q3M1T1R"))])
def test_as_many_readings_are_expected_as_are_taken(pvs: MachinePvs, name: str, devices: tuple[str, ...]) -> None:
    at, options = session(pvs, "machine"), MeasureOptions(devices=devices)
    before = at.ring_now.lattice.id
    expected = expected_time(name, at, options, 1.0)
    assert at.ring_now.lattice.id == before
    rows: list[int] = []
    _, failure = measure(name, at, fake_devices(at.ring_now), options, lambda row, total: rows.append(total))
    assert failure is None
    assert expected.readings == len(rows) == rows[0]


def test_hardware_and_readings_take_their_time_on_a_machine_and_none_on_a_twin(pvs: MachinePvs) -> None:
    options = MeasureOptions(devices=("HS4P1D1R",))
    slow, quick, twin = (
        expected_time("orm", session(pvs, role), options, period)
        for role, period in (("machine", 1.0), ("machine", 0.0), ("twin", 1.0))
    )
    # Two of three readings follow a setting: 0.5 s of the supply and 0.1 s of the monitors; the third only the period.
    assert slow.time_s - quick.time_s == pytest.approx(3.0, abs=0.3)
    assert quick.time_s == pytest.approx(2 * 0.6 + 0.1, abs=0.2)
    assert twin.time_s < 0.1
    assert (slow.settings, slow.readings) == (3, 3)


def test_a_time_that_depends_on_the_beam_is_not_guessed(pvs: MachinePvs) -> None:
    options = measure_options("lifetime", checked_options(find_runnable("lifetime"), {}))
    with pytest.raises(ProcedureError, match="depends on the beam"):
        expected_time("lifetime", session(pvs, "machine"), options)


def test_times_are_told_in_the_unit_that_fits() -> None:
    assert [Expected(1, 2, time_s).text.partition("about ")[2] for time_s in (5.0, 150.0, 9000.0)] == [
        "5 s", "2 min", "2 h",
    ]  # fmt: skip
