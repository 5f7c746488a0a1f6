"""Verification of a step: how long it waits for setpoint and readback, and what it does not accept."""

import pytest

from gnomon.recorder import MachineError
from gnomon.recorder.gate import GateLimits
from gnomon.recorder.recorder_errors import MissedError
from gnomon.recorder.verifying import POLL_S, Verifier
from unit.recorder.fake_machine import FakeClock, FakeMachine, step, supplies

SETTLE_S = 1.0
STEP = step("Q", 1.0, 2.0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def machine() -> FakeMachine:
    made = supplies(Q=1.0)
    made.connect(("Q:set", "Q:rdbk"), 1.0)
    return made


@pytest.fixture
def verifier(machine: FakeMachine, clock: FakeClock) -> Verifier:
    return Verifier(machine, GateLimits(), 0.5, SETTLE_S, clock)


def test_a_readback_that_has_the_value_is_verified_at_once(
    verifier: Verifier, machine: FakeMachine, clock: FakeClock
) -> None:
    machine.pvs["Q:set"].value = 2.0
    verifier.verify(STEP, 2.0)
    assert clock.now == 0.0


def test_a_readback_may_take_its_time(verifier: Verifier, machine: FakeMachine, clock: FakeClock) -> None:
    machine.pvs["Q:set"].value = 2.0
    machine.pvs["Q:rdbk"].error = -0.5

    def arrive(now: float) -> None:
        machine.pvs["Q:rdbk"].error = 0.0 if now >= 0.4 else -0.5

    clock.on_sleep = arrive
    verifier.verify(STEP, 2.0)
    assert 0.4 <= clock.now <= 0.4 + 2 * POLL_S


@pytest.mark.parametrize(
    ("pv", "words"),
    [("Q:rdbk", "Q:rdbk = 1.5 A instead of 2 A after 1 s"), ("Q:set", "Q:set = 1.5 A instead of 2 A after 1 s")],
)
def test_a_value_that_does_not_come_in_time_is_a_miss(
    verifier: Verifier, machine: FakeMachine, clock: FakeClock, pv: str, words: str
) -> None:
    machine.pvs["Q:set"].value = 2.0
    machine.pvs[pv].error = -0.5
    with pytest.raises(MissedError, match=f"^{words}$"):
        verifier.verify(STEP, 2.0)
    assert SETTLE_S <= clock.now <= SETTLE_S + 2 * POLL_S


def test_a_value_that_means_nothing_is_a_miss(verifier: Verifier, machine: FakeMachine) -> None:
    machine.pvs["Q:set"].value = 2.0
    machine.pvs["Q:rdbk"].severity = 3
    with pytest.raises(MissedError, match="Q:rdbk"):
        verifier.look(STEP, 2.0)


def test_a_pv_that_does_not_answer_ends_it_at_once(verifier: Verifier, machine: FakeMachine, clock: FakeClock) -> None:
    machine.pvs["Q:rdbk"].connected = False
    with pytest.raises(MachineError, match="Q:rdbk: not connected"):
        verifier.verify(STEP, 2.0)
    assert clock.now == 0.0


def test_other_checks_have_the_same_time_as_the_readback(
    verifier: Verifier, machine: FakeMachine, clock: FakeClock
) -> None:
    machine.pvs["Q:set"].value = 2.0
    looks: list[float] = []

    def besides() -> None:
        looks.append(clock.now)
        if len(looks) < 3:
            raise MissedError("another setpoint moved")

    verifier.verify(STEP, 2.0, besides)
    assert looks == pytest.approx([0.0, POLL_S, 2 * POLL_S])
    looks.clear()

    def never() -> None:
        raise MissedError("another setpoint moved")

    with pytest.raises(MissedError, match="another setpoint moved"):
        verifier.verify(STEP, 2.0, never)
