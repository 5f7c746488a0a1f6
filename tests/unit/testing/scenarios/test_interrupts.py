"""Signals wait until what has begun is known, or have no effect while the ring is brought back."""

import signal

import pytest

from gnomon.testing.scenarios.interrupts import deferred, uninterrupted


def begin(reached: list[str]) -> None:
    with deferred():
        signal.raise_signal(signal.SIGINT)
        reached.append("the end")


def test_a_deferred_interrupt_comes_at_the_end() -> None:
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        begin(reached)
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_comes_too_late_has_no_effect() -> None:
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
