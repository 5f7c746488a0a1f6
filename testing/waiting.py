"""Waiting until something is so, with a message that says what it was instead."""

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["WaitedTooLong", "wait_until"]

#: Time between two looks [s].
PERIOD_S = 0.02

Found = TypeVar("Found")


class WaitedTooLong(AssertionError):
    """Something that has not become so in time."""


def wait_until(
    condition: Callable[[], Found],
    timeout_s: float = 5.0,
    what: str = "",
    clock_s: Callable[[], float] = time.monotonic,
) -> Found:
    """Wait until a function returns something true, and return that.

    A failed assertion in it counts as not yet. Raises WaitedTooLong with what it returned last, or with its last failed
    assertion; `what` says for people what was waited for.
    """
    end = clock_s() + timeout_s
    while True:
        failed: AssertionError | None = None
        try:
            if found := condition():
                return found
            last = f"it returned {found!r} last" + (" (and must return something true)" if found is None else "")
        except AssertionError as error:
            failed, last = error, str(error)
        if clock_s() >= end:
            raise WaitedTooLong(f"not within {timeout_s:g} s{f': {what}' if what else ''}\n{last}") from failed
        time.sleep(PERIOD_S)
