"""Waiting until a machine has done what it was told."""

import time
from collections.abc import Callable
from typing import Protocol

from gnomon.recorder.errors import MissedError
from gnomon.recorder.gate import GateLimits, check_state, equal
from gnomon.recorder.machine import MachineClient
from gnomon.recorder.steps import Step

#: Time between readings of a PV that is on its way [s].
POLL_S = 0.05


class Clock(Protocol):
    """Time that a test can run."""

    def monotonic(self) -> float:
        """Seconds, never going back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The computer's time."""

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        time.sleep(seconds)


class Verifier:
    """Compares setpoint and readback of a step with what they should be; `settle_s` is how long that may take."""

    def __init__(
        self, machine: MachineClient, limits: GateLimits, timeout_s: float, settle_s: float, clock: Clock
    ) -> None:
        self.timeout_s = timeout_s
        self._machine = machine
        self._limits = limits
        self._settle_s = settle_s
        self._clock = clock

    def look(self, step: Step, wanted: float) -> None:
        """Compare once. Raises MissedError unless setpoint and readback have the value, MachineError for no answer."""
        for pv in dict.fromkeys((step.readback, step.pv)):
            state = self._machine.get(pv, self.timeout_s)
            for reason in check_state(pv, state):
                raise MissedError(reason)
            if not equal(state.value, wanted, step, self._limits):
                raise MissedError(
                    f"{pv}: reads {state.value:.9g} {step.unit} instead of {wanted:.9g} {step.unit} "
                    f"after {self._settle_s:g} s"
                )

    def verify(self, step: Step, wanted: float, besides: Callable[[], None] = lambda: None) -> None:
        """Wait until both have a value and `besides` misses nothing.

        Raises MissedError when they do not in time, MachineError at once when one does not answer.
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
