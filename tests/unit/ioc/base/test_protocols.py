"""A put under way: shown before it is complete, and whoever waits for that is told once."""

import pytest

from gnomon.ioc.base.protocols import PutFuture, PutReply


def test_a_put_is_shown_before_it_is_complete() -> None:
    future, told = PutFuture(), [0]
    future.when_shown(lambda: told.append(1))
    assert told == [0]
    future.show()
    future.show()
    assert told == [0, 1]
    assert not future.done()
    future.set_result(PutReply(True))
    assert told == [0, 1]


def test_a_callback_that_is_added_after_the_event_is_called_at_once() -> None:
    future, told = PutFuture(), [0]
    future.show()
    future.when_shown(lambda: told.append(1))
    assert told == [0, 1]


@pytest.mark.parametrize("end", [lambda f: f.set_result(PutReply(False)), lambda f: f.set_exception(OSError())])
def test_a_put_that_ends_is_shown(end: object) -> None:
    future, told = PutFuture(), [0]
    future.when_shown(lambda: told.append(1))
    end(future)  # type: ignore[operator]
    assert told == [0, 1]
