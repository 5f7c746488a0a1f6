"""Channel Access as clients of a control room use it: a connected PV for each name, puts with and without waiting."""

import time
from collections.abc import Iterable
from functools import cache
from typing import Any

import epics
from patience import PATIENCE_S

PREFIX = "T:"
TIMEOUT_S = PATIENCE_S


@cache
def pv(name: str) -> epics.PV:
    """A connected PV. Raises TimeoutError."""
    found = epics.PV(PREFIX + name)
    if not found.wait_for_connection(TIMEOUT_S):
        raise TimeoutError(f"{name} does not connect")
    return found


def get(name: str) -> Any:
    """The value as it is at the server now."""
    value = pv(name).get(timeout=TIMEOUT_S, use_monitor=False)
    if value is None:
        raise TimeoutError(f"{name} does not answer")
    return value


def put(name: str, value: Any) -> None:
    """Put and wait for completion. Raises RuntimeError when the PV does not show the value then."""
    pv(name).put(value, wait=True, timeout=TIMEOUT_S)
    if get(name) != value:
        raise RuntimeError(f"{name}: {value} was put, and {get(name)} is there")


def send(name: str, value: Any) -> None:
    """Put without waiting for anything."""
    pv(name).put(value, wait=False)


def put_all(values: Iterable[tuple[str, float]]) -> None:
    """Put many and wait for the last; the others are done by then."""
    *first, last = values
    for name, value in first:
        send(name, value)
    put(*last)


def until(condition: Any, timeout_s: float = TIMEOUT_S) -> None:
    """Wait until something is so. Raises TimeoutError."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(condition)
        time.sleep(0.002)
