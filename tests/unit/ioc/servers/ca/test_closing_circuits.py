"""Answers to searches wait for the end of circuits that are being closed."""

import asyncio

from gnomon.ioc.servers.ca.closing_circuits import GRACE_S, PATIENCE_S, REST_S, ClosingCircuits

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nobody_waits_for_a_circuit_in_use() -> None:
    closing = ClosingCircuits(Clock())
    closing.opened(HERE)
    assert closing.wait_s(HERE) == 0.0


def test_an_answer_waits_for_a_circuit_without_channels_but_not_for_ever() -> None:
    clock = Clock()
    closing = ClosingCircuits(clock)
    closing.opened(HERE)
    closing.emptied(HERE, 1)
    assert closing.wait_s(HERE) > 0.0
    assert closing.wait_s(THERE) == 0.0
    clock.now += PATIENCE_S + 0.001
    assert closing.wait_s(HERE) == 0.0


def test_an_answer_waits_a_moment_after_the_end_of_a_circuit() -> None:
    clock = Clock()
    closing = ClosingCircuits(clock)
    closing.opened(HERE)
    closing.emptied(HERE, 1)
    closing.closed(HERE, 1)
    assert closing.wait_s(HERE) > 0.0
    assert closing.wait_s(THERE) == 0.0
    clock.now += REST_S + 0.001
    assert closing.wait_s(HERE) == 0.0


def test_a_circuit_that_gets_a_channel_again_holds_nobody_up() -> None:
    closing = ClosingCircuits(Clock())
    closing.opened(HERE)
    closing.emptied(HERE, 1)
    closing.used(HERE, 1)
    assert closing.wait_s(HERE) == 0.0


def test_an_answer_is_sent_at_once_to_who_has_no_circuit_and_once_to_who_has() -> None:
    sent: list[str] = []

    async def ask() -> None:
        closing = ClosingCircuits()
        closing.answer(HERE, lambda: sent.append("here"))
        closing.opened(THERE)
        closing.emptied(THERE, 1)
        closing.answer(THERE, lambda: sent.append("there"))
        assert sent == ["here"]
        await asyncio.sleep(5 * GRACE_S)
        assert sent == ["here"]
        closing.closed(THERE, 1)
        await asyncio.sleep(10 * REST_S)
        assert sent == ["here", "there"]

    asyncio.run(ask())
