"""Waiting until something is so."""

import pytest

from gnomon.testing.waiting import WaitedTooLong, wait_until


def test_the_first_true_value_of_the_condition_is_returned() -> None:
    answers = iter([0, "", [], "ready"])
    assert wait_until(lambda: next(answers)) == "ready"


def test_a_failed_assertion_counts_as_not_yet() -> None:
    values = iter([1, 2, 3])

    def three() -> bool:
        assert next(values) == 3
        return True

    assert wait_until(three)


def test_the_message_says_what_was_waited_for_and_what_was_there_instead() -> None:
    with pytest.raises(WaitedTooLong, match=r"(?s)not within 0 s: the orbit is flat\n.*it returned 0 last"):
        wait_until(lambda: 0, timeout_s=0.0, what="the orbit is flat")
    with pytest.raises(WaitedTooLong, match=r"returned None last \(and must return something true\)"):
        wait_until(lambda: None, timeout_s=0.0)


def test_the_message_has_the_last_failed_assertion() -> None:
    def flat() -> bool:
        raise AssertionError("0.3 mm")

    with pytest.raises(WaitedTooLong, match=r"0\.3 mm") as raised:
        wait_until(flat, timeout_s=0.0)
    assert isinstance(raised.value.__cause__, AssertionError)


def test_another_error_ends_the_wait_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 / 0, timeout_s=60.0)
