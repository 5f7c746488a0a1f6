"""Verification of a step: wait until the machine's setpoint and readback have the wanted value."""

import time
from collections.abc import Callable
from typing import Protocol

from gnomon.recorder.gate import GateLimits, check_state, equal
from gnomon.recorder.recorder_errors import MissedError
from gnomon.recorder.replay_machine import MachineClient
from gnomon.recorder.replay_steps import Step

#: Time between readings of a PV that does not have the wanted value yet [s].
POLL_S = 0.05


class Clock(Protocol):
    """A clock that tests can replace."""

    def monotonic(self) -> float:
        """Return a time that never goes back [s]."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class WallClock(Clock, Protocol):
    """A clock that knows the time of day, too."""

    def time_ns(self) -> int:
        """Return the time, nanoseconds since 1970."""
        ...


class SystemClock:
    """The computer's clock."""

    def time_ns(self) -> int:
        """See `WallClock`."""
        return time.time_ns()

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        time.sleep(seconds)


class Verifier:
    """Comparison of a step's setpoint and readback with their wanted value, which may take up to `settle_s`."""

    def __init__(
        self, machine: MachineClient, limits: GateLimits, timeout_s: float, settle_s: float, clock: Clock
    ) -> None:
        self.timeout_s = timeout_s
        self._machine = machine
        self._limits = limits
        self._settle_s = settle_s
        self._clock = clock

    def look(self, step: Step, wanted: float) -> None:
        """Compare once. Raises MissedError unless setpoint and readback have the value, MachineError if no answer."""
        for pv in dict.fromkeys((step.readback, step.pv)):
            state = self._machine.get(pv, self.timeout_s)
            for reason in check_state(pv, state):
                raise MissedError(reason)
            if not equal(state.value, wanted, step, self._limits):
                raise MissedError(
                    f"{pv} = {state.value:.9g} {step.unit} instead of {wanted:.9g} {step.unit} "
                    f"after {self._settle_s:g} s"
                )

    def verify(self, step: Step, wanted: float, besides: Callable[[], None] = lambda: None) -> None:
        """Wait until both have the wanted value and `besides` raises no MissedError.

        Raises MissedError if that does not happen in time, and MachineError at once if a PV does not answer.
        """
        deadline = self._clock.monotonic() + self._settle_s
        while True:
            try:
                self.look(step, wanted)
                besides()
            except MissedError:
                if self._clock.monotonic() >= deadline:
                    raise
            else:
                return
            self._clock.sleep(POLL_S)
