"""Effects of faults on supplies: each by itself against its formula, and several on one supply."""

from typing import Any

import numpy as np
import pytest

from gnomon.fault_injection import Active, Draws, Fault, SupplyFault
from gnomon.fault_injection.dynamics import Hysteresis, SupplyDynamics, SupplyEffects, combined_effects, fitting

NAMES = ("A", "B", "C")
LOW, HIGH = np.full(3, -10.0), np.full(3, 10.0)
SPAN = HIGH - LOW
OWN = SupplyDynamics.ideal(LOW, HIGH)
WIDE = Hysteresis.of_remanence(LOW, HIGH, SPAN)
CURRENTS = np.array([1.0, 2.0, 3.0])


def effects(*faults: dict[str, Any], since_s: float = 1.0) -> SupplyEffects:
    acting = []
    for number, keys in enumerate(faults, 1):
        request = Fault.from_request({"device": "A", **keys}).request
        assert isinstance(request, SupplyFault)
        active = Active(Fault(request, id=number), since_s, 1)
        acting.append((active, fitting(request, NAMES)))
    return combined_effects(acting, SPAN, Draws(1))


def fields(found: SupplyEffects) -> list[float]:
    return [float(value) for value in found.fields(CURRENTS, CURRENTS, OWN.cycled(CURRENTS), WIDE)]


def test_without_faults_nothing_changes() -> None:
    none = effects()
    assert none.readbacks(CURRENTS).tolist() == fields(none) == CURRENTS.tolist()
    assert none.dynamics(OWN).rate.tolist() == OWN.rate.tolist()
    assert none.accepted(OWN, OWN.cycled(CURRENTS), CURRENTS).target.tolist() == CURRENTS.tolist()


def test_a_trip_lets_the_current_fall_with_its_time_constant_to_0() -> None:
    off = effects({"kind": "supply_trip", "decay_s": 2.0})
    dynamics = off.dynamics(OWN)
    state = dynamics.advance(off.accepted(OWN, OWN.cycled(CURRENTS), CURRENTS), 2.0)
    assert state.current == pytest.approx([np.exp(-1.0), 2.0, 3.0])
    assert dynamics.advance(state, 1000.0).current.tolist() == [0.0, 2.0, 3.0]


@pytest.mark.parametrize(("since_s", "swing"), [(0.0, 0.0), (1.0, 0.5), (2.0, 0.0), (3.0, -0.5)])
def test_a_limit_cycle_swings_readback_and_field_from_the_setpoint_on(since_s: float, swing: float) -> None:
    found = effects({"kind": "supply_limit_cycle", "amplitude_a": 0.5, "period_s": 4.0}, since_s=since_s)
    assert found.readbacks(CURRENTS) == pytest.approx([1.0 + swing, 2.0, 3.0])
    assert fields(found) == pytest.approx([1.0 + swing, 2.0, 3.0])


def test_ripple_is_in_the_field_alone_with_its_frequency_and_a_phase_of_each_supply() -> None:
    keys = {"kind": "supply_ripple", "device": "*", "amplitude_a": 0.5, "frequency_hz": 0.5}
    times = np.linspace(0.0, 2.0, 41)
    seen = np.array([fields(effects(keys, since_s=t)) - CURRENTS for t in times])
    assert effects(keys).readbacks(CURRENTS).tolist() == CURRENTS.tolist()
    assert np.abs(seen).max(axis=0) == pytest.approx(0.5, abs=0.01)
    assert seen[0] == pytest.approx(seen[-1])
    assert len({round(float(value), 6) for value in seen[0]}) == 3


def test_a_readback_is_off_alone_or_with_the_field() -> None:
    keys = {"kind": "supply_readback", "scale": 1.1, "offset_a": -0.2}
    assert effects(keys).readbacks(CURRENTS) == pytest.approx([0.9, 2.0, 3.0])
    assert fields(effects(keys)) == CURRENTS.tolist()
    assert fields(effects({**keys, "field": "readback"})) == pytest.approx([0.9, 2.0, 3.0])


def test_a_slow_ramp_is_the_range_in_its_time_and_the_slowest_counts() -> None:
    rates = effects({"kind": "supply_slow", "ramp_s": 40.0}, {"kind": "supply_slow", "ramp_s": 10.0}).dynamics(OWN).rate
    assert rates.tolist() == [0.5, np.inf, np.inf]


def test_the_error_of_hysteresis_grows_to_its_width_half_way_up() -> None:
    keys = {"kind": "supply_hysteresis", "width": 0.01, "grow_s": 10.0}
    at_bottom = OWN.advance(OWN.accept(OWN.cycled(HIGH), LOW), 0.0)
    middle = np.zeros(3)
    up = OWN.advance(OWN.accept(at_bottom, middle), 0.0)
    for since_s, part in ((0.0, 0.0), (5.0, 0.5), (10.0, 1.0), (99.0, 1.0)):
        found = effects(keys, since_s=since_s)
        assert found.fields(middle, middle, up, WIDE) == pytest.approx([-part * 0.01 * SPAN[0], 0.0, 0.0])
    assert effects({**keys, "grow_s": 0}, since_s=0.0).width.tolist() == [0.01, 0.0, 0.0]


def test_a_supply_that_is_off_neither_hunts_nor_ramps_slowly_and_its_readback_may_be_off() -> None:
    found = effects(
        {"kind": "supply_limit_cycle", "amplitude_a": 0.5, "period_s": 4.0},
        {"kind": "supply_ripple", "amplitude_a": 0.5},
        {"kind": "supply_slow", "ramp_s": 40.0},
        {"kind": "supply_readback", "offset_a": 0.25},
        {"kind": "supply_trip", "decay_s": 3.0},
        {"kind": "supply_trip", "decay_s": 1.0},
    )
    dynamics = found.dynamics(OWN)
    assert (dynamics.rate[0], dynamics.lag_s[0]) == (np.inf, 3.0)
    off = np.array([0.0, 2.0, 3.0])
    assert found.readbacks(off).tolist() == [0.25, 2.0, 3.0]
    assert found.fields(off, off, OWN.cycled(off), WIDE).tolist() == off.tolist()


def test_readbacks_are_changed_in_the_order_of_the_faults_and_swings_add_up() -> None:
    double, add = {"kind": "supply_readback", "scale": 2.0}, {"kind": "supply_readback", "offset_a": 1.0}
    swing = {"kind": "supply_limit_cycle", "amplitude_a": 0.5, "period_s": 4.0}
    assert effects(double, add).readbacks(CURRENTS)[0] == 3.0
    assert effects(add, double).readbacks(CURRENTS)[0] == 4.0
    assert effects(swing, swing, double).readbacks(CURRENTS)[0] == 4.0
