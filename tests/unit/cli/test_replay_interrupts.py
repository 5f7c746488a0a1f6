"""One interrupt puts back, two take over the machine as it is."""

import os
import signal

import pytest

from gnomon.cli.replay_interrupts import interruptible


def test_a_request_to_end_is_an_interrupt_and_the_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_two_interrupts_in_a_row_take_over_and_one_does_not(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("gnomon.cli.replay_interrupts.time.monotonic", lambda: now[0])
    with interruptible() as operator:
        operator.listen()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert not operator.taken_over()
        now[0] += 6.0
        os.kill(os.getpid(), signal.SIGINT)
        assert not operator.taken_over()
        now[0] += 1.0
        os.kill(os.getpid(), signal.SIGINT)
        assert operator.taken_over()
    said = capfd.readouterr().err
    assert said.count("press Ctrl-C again within 5 s") == 2
    assert "you have taken over" in said
