"""Power supplies: against a numerical solution of their equation, and against closed formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from gnomon.fault_injection.dynamics import Hysteresis, SupplyDynamics, SupplyState


def supplies(
    n: int = 1, *, rate: float = np.inf, lag_s: float = 0.0, resolution: float = 0.0, remanence: float = 0.0
) -> SupplyDynamics:
    def each(value: float) -> np.ndarray:
        return np.full(n, value)

    hysteresis = Hysteresis.of_remanence(each(-10.0), each(10.0), each(remanence))
    zero = np.zeros(n)
    return SupplyDynamics(each(rate), each(lag_s), each(resolution), zero, zero, zero, hysteresis)


def put(dynamics: SupplyDynamics, state: SupplyState, *values: float) -> SupplyState:
    return dynamics.accept(state, np.array(values))


def test_a_supply_without_dynamics_is_there_at_once() -> None:
    ideal = supplies()
    state = ideal.advance(put(ideal, ideal.cycled(np.zeros(1)), 3.0), 0.0)
    assert state.current[0] == 3.0
    assert ideal.is_at_rest(state).all()


def test_a_ramp_has_its_rate_and_ends_exactly_at_the_setpoint() -> None:
    ramping = supplies(2, rate=0.5)
    state = put(ramping, ramping.cycled(np.zeros(2)), 3.0, -1.0)
    assert ramping.advance(state, 1.0).current == pytest.approx([0.5, -0.5])
    assert ramping.advance(state, 4.0).current == pytest.approx([2.0, -1.0])
    assert ramping.advance(state, 6.0).current.tolist() == [3.0, -1.0]


def test_a_lag_falls_by_e_in_its_time_constant_and_arrives_in_the_end() -> None:
    lagging = supplies(lag_s=0.2)
    state = put(lagging, lagging.cycled(np.zeros(1)), 1.0)
    assert lagging.advance(state, 0.2).current[0] == pytest.approx(1.0 - np.exp(-1.0))
    arrived = lagging.advance(state, 20.0)
    assert arrived.current[0] == 1.0
    assert lagging.is_at_rest(arrived).all()


def test_setpoints_are_quantised() -> None:
    coarse = supplies(2, resolution=0.25)
    assert put(coarse, coarse.cycled(np.zeros(2)), 0.37, -0.88).target.tolist() == [0.25, -1.0]


@settings(deadline=None, max_examples=15)
@given(
    puts=st.lists(st.tuples(st.floats(-10.0, 10.0), st.floats(0.01, 3.0)), min_size=1, max_size=5),
    rate=st.floats(0.3, 20.0),
    lag_s=st.floats(0.02, 2.0),
)
def test_ramp_and_lag_solve_their_equation(puts: list[tuple[float, float]], rate: float, lag_s: float) -> None:
    dynamics = supplies(rate=rate, lag_s=lag_s)
    state = dynamics.cycled(np.zeros(1))
    ramp, current = 0.0, 0.0
    for setpoint, seconds in puts:
        state = dynamics.advance(put(dynamics, state, setpoint), seconds)

        def ramp_at(t: float, start: float = ramp, end: float = setpoint) -> float:
            return start + float(np.clip(end - start, -rate * t, rate * t))

        solved = solve_ivp(lambda t, y: (ramp_at(t) - y) / lag_s, (0, seconds), [current], max_step=0.02, rtol=1e-8)
        ramp, current = ramp_at(seconds), solved.y[0, -1]
        assert state.ramp[0] == pytest.approx(ramp, abs=1e-12)
        assert state.current[0] == pytest.approx(current, abs=2e-4)


@settings(deadline=None, max_examples=10)
@given(
    puts=st.lists(st.floats(-10.0, 10.0), min_size=1, max_size=6),
    times=st.lists(st.floats(0.01, 2.0), min_size=6, max_size=6),
)
def test_the_length_of_a_step_changes_nothing_for_the_iron_either(puts: list[float], times: list[float]) -> None:
    dynamics = supplies(rate=4.0, lag_s=0.3, remanence=0.01)
    whole = fine = dynamics.cycled(np.array([2.0]))
    for setpoint, seconds in zip(puts, times, strict=False):
        whole = dynamics.advance(put(dynamics, whole, setpoint), seconds)
        fine = put(dynamics, fine, setpoint)
        for _ in range(100):
            fine = dynamics.advance(fine, seconds / 100)
    assert whole.current == pytest.approx(fine.current, abs=1e-9)
    assert dynamics.field_currents(whole, 0.0) == pytest.approx(dynamics.field_currents(fine, 0.0), abs=2e-5)


def test_the_field_ripples_with_its_amplitude_at_its_frequency() -> None:
    still = supplies()
    zero = np.zeros(1)
    rippling = SupplyDynamics(
        still.rate, still.lag_s, still.resolution, zero + 0.01, zero + 50.0, zero + 0.5, still.hysteresis
    )
    state = rippling.cycled(np.array([3.0]))
    times = np.arange(1000) * 1e-4
    field = np.array([rippling.field_currents(state, t)[0] for t in times])
    spectrum = np.abs(np.fft.rfft(field - 3.0)) * 2.0 / len(times)
    assert spectrum.argmax() == 5  # 50 Hz in bins of 10 Hz
    assert spectrum[5] == pytest.approx(0.01, rel=1e-9)
