"""Readings of the beam: all of them begun after the call, in the ring's order and units; dead ones are NaN."""

from dataclasses import replace

import numpy as np
import pytest

from gnomon.recorder.recorder_errors import MachineError, MissedError
from gnomon.recorder.replay_machine import PvState
from gnomon.recorder.replaying.beam_meter import BeamMeter, beam_pvs
from unit.recorder.replaying.simulated_machine import Clock, SimulatedMachine, mls, monitor_names, response, steerers

PVS = beam_pvs(mls()[1], monitor_names())


def meter(machine: SimulatedMachine) -> BeamMeter:
    return BeamMeter(machine, PVS, 1.0, 3.0, machine.clock)


@pytest.fixture
def machine() -> SimulatedMachine:
    return SimulatedMachine(Clock())


def test_orbit_and_tunes_come_in_the_rings_order_and_units(machine: SimulatedMachine) -> None:
    machine.values[steerers()[0].name] = 1.0
    reading = meter(machine).measure()
    m = len(monitor_names())
    assert reading.orbit.shape == (m, 2)
    assert reading.orbit[:, 0] == pytest.approx(response()[0, :m], abs=0.01)
    assert reading.orbit[:, 1] == pytest.approx(response()[0, m:-2], abs=0.01)
    assert reading.tune == pytest.approx(response()[0, -2:] + (0.178, 0.232), abs=1e-4)
    assert (reading.current_ma, reading.lifetime_h) == (150.0, 10.0)


def test_a_measurement_is_newer_than_its_call_and_a_monitor_that_stays_is_nan(machine: SimulatedMachine) -> None:
    x = PVS.monitors[3][0].name
    machine.frozen[x] = PvState(0.5, 0, machine.clock.time_ns())
    made = meter(machine)
    assert made.read().orbit[3, 0] == 0.5
    called = machine.clock.time_ns()
    reading = made.measure()
    assert np.isnan(reading.orbit[3, 0])
    assert np.isfinite(reading.orbit).sum() == reading.orbit.size - 1
    assert reading.time_ns > called
    assert machine.clock.now >= 3.0, "it was waited for"


@pytest.mark.parametrize("ahead_s", [-3600.0, 0.0, 3600.0])
@pytest.mark.parametrize("phase_s", [0.02, 0.3, 0.6, 0.98])
@pytest.mark.parametrize(("period_s", "averaging_s"), [(1.0, 1.0), (0.1, 1.0), (0.7, 0.7), (3.0, 1.0)])
def test_an_average_that_began_before_the_write_is_not_a_measurement(
    machine: SimulatedMachine, period_s: float, averaging_s: float, phase_s: float, ahead_s: float
) -> None:
    """The first new reading after a write was a mean of both states, whatever the clocks say."""
    machine.clock.now = 20.0 + phase_s
    machine.period_s, machine.averaging_s, machine.delay_s, machine.ahead_s = period_s, averaging_s, 0.4, ahead_s
    made = meter(machine)
    machine.put(steerers()[0].name, 1.0, 1.0)
    orbit = made.measure(settle_s=0.4).orbit
    assert orbit[:, 0] == pytest.approx(response()[0, : len(orbit)], abs=0.01)


def test_the_averaging_time_is_that_of_the_slowest_meter_by_the_pv_document() -> None:
    assert PVS.averaging_s == 1.0
    quick = beam_pvs([replace(spec, averaging_s=min(spec.averaging_s, 0.2)) for spec in mls()[1]], monitor_names())
    assert quick.averaging_s == 0.2


def test_a_dead_monitor_is_not_waited_for(machine: SimulatedMachine) -> None:
    machine.frozen[PVS.monitors[3][0].name] = PvState(0.5, 3, 0)
    assert np.isnan(meter(machine).measure().orbit[3, 0])
    assert machine.clock.now < 1.2, "one average of the tune meter"


def test_a_current_that_stays_is_not_a_measurement_and_an_old_lifetime_neither(machine: SimulatedMachine) -> None:
    assert PVS.current is not None
    assert PVS.lifetime is not None
    machine.clock.now = 100.0
    now_ns = machine.clock.time_ns()
    for pv, age_s in ((PVS.current.name, 0), (PVS.lifetime.name, 70)):
        machine.frozen[pv] = PvState(90.0, 0, now_ns - age_s * 10**9)
    assert meter(machine).read().current_ma == 90.0
    reading = meter(machine).measure()
    assert np.isnan(reading.current_ma)
    assert np.isnan(reading.lifetime_h)
    assert np.isfinite(reading.orbit).all()


def test_without_a_beam_it_says_so(machine: SimulatedMachine) -> None:
    machine.beam = False
    with pytest.raises(MissedError, match="0 of 28 monitors show a new position: there is no beam"):
        meter(machine).measure()


def test_monitors_and_tunes_without_pvs_are_named() -> None:
    specs = mls()[1]
    with pytest.raises(MachineError, match="monitor NOBODY: the PV document has no PVs"):
        beam_pvs(specs, ["NOBODY"])
    with pytest.raises(MachineError, match="fractional tunes"):
        beam_pvs([spec for spec in specs if not spec.source.startswith("tune")], monitor_names())
