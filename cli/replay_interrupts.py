"""Interrupts of a replay: a request to end puts back what was written, and two take over the machine as it is."""

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: Longest time between two interrupts by which an operator takes over [s].
TAKE_OVER_S = 5


@contextmanager
def interruptible() -> "Iterator[Operator]":
    """Treat requests to end (SIGTERM, SIGHUP) like an interrupt, and set the handlers again afterwards."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        yield Operator()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Operator:
    """The operator, who takes over the machine with two interrupts (Ctrl-C) in a row while values are put back.

    One interrupt, or the signals of a closing terminal or a service manager, must not leave the machine halfway.
    """

    def __init__(self) -> None:
        self.has_taken_over = False
        self._asked = -math.inf

    def listen(self) -> None:
        """Handle interrupts from now on, instead of letting them raise."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._interrupt)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)

    def taken_over(self) -> bool:
        """True if the operator has taken over."""
        return self.has_taken_over

    def _interrupt(self, number: int, frame: object) -> None:
        now = time.monotonic()
        self.has_taken_over = self.has_taken_over or now - self._asked <= TAKE_OVER_S
        self._asked = now
        if self.has_taken_over:
            text = b"you have taken over: no further values are put back\n"
        else:
            text = b"putting previous values back; to take over the machine as it is, press Ctrl-C again within %d s\n"
            text %= TAKE_OVER_S
        with suppress(OSError):
            os.write(2, text)
