"""What the careful programs of this folder share: puts that are checked, readings that are good, and a way back.

Nothing here knows gnomon: it is Channel Access as any control room has it, by pyepics.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import epics
import numpy as np

PREFIX = os.environ.get("GNOMON_PREFIX", "TWIN:")
#: Times that a PV has to connect, a put to complete, a readback to arrive [s].
CONNECT_S, PUT_S, READBACK_S = 3.0, 5.0, 3.0
#: Oldest reading of the beam that counts as fresh [s]; they come once a second at least.
FRESH_S = 5.0
#: Time that everything has to come back after an IOC was restarted, before the settings are given up [s].
PATIENCE_S = 20.0


class Trouble(Exception):
    """Something that a program must not pass over; the text is for the operator."""


@cache
def _pv(name: str) -> epics.PV:
    return epics.PV(PREFIX + name, form="time")


def pv(name: str) -> epics.PV:
    """A PV that is connected now."""
    found = _pv(name)
    if not found.wait_for_connection(CONNECT_S):
        raise Trouble(f"{name} does not connect")
    return found


def read(name: str, *, fresh: bool = False) -> float | np.ndarray:
    """Read a value that may be used: there, valid, finite and, if it must be, fresh."""
    try:
        got = pv(name).get_with_metadata(use_monitor=False, timeout=CONNECT_S)
    except epics.ca.ChannelAccessException:
        got = None
    if got is None or got["value"] is None:
        raise Trouble(f"{name} does not answer")
    value = np.asarray(got["value"], dtype=float)
    if got["severity"] == 3:
        raise Trouble(f"{name} is INVALID")
    if not np.all(np.isfinite(value)):
        raise Trouble(f"{name} is NaN")
    age = time.time() - got["timestamp"]
    if fresh and abs(age) > FRESH_S:
        raise Trouble(f"{name} has a wrong time stamp: it is {age:.0f} s old")
    return value if value.ndim else float(value)


def put(name: str, value: float) -> None:
    """Set a power supply, and see that it has arrived: the put completes, setpoint and readback are there."""
    setpoint = pv(f"{name}:set")
    if not setpoint.write_access:
        raise Trouble(f"{name}: no right to write")
    try:
        status = setpoint.put(value, wait=True, timeout=PUT_S)
    except epics.ca.ChannelAccessException as error:
        raise Trouble(f"{name}: no put: the connection or the right to write is gone") from error
    if status is None or status < 0:
        raise Trouble(f"{name}: the put of {value:g} A did not complete within {PUT_S:g} s")
    if abs(read(f"{name}:set") - value) > 1e-6:
        raise Trouble(f"{name} did not take {value:g} A: the setpoint is {read(f'{name}:set'):g} A")
    end = time.monotonic() + READBACK_S
    while abs(read(f"{name}:rdbk") - value) > 1e-3 * max(1.0, abs(value)):
        if time.monotonic() > end:
            raise Trouble(f"{name} is at {read(f'{name}:rdbk'):g} A, and was set to {value:g} A")
        time.sleep(0.05)


@contextmanager
def restored(*names: str) -> Iterator[None]:
    """Put the supplies back to where they were, however the program ends, and say so if that is not possible."""
    before = {name: read(f"{name}:set") for name in names}
    try:
        yield
    finally:
        put_back(before)


def put_back(before: dict[str, float]) -> None:
    """Set supplies to what they were, as often as it takes for a while, and say so if that is not possible."""
    end = time.monotonic() + PATIENCE_S
    left = list(before)
    while left and time.monotonic() < end:
        for name in list(left):
            try:
                put(name, before[name])
                left.remove(name)
            except Trouble as trouble:
                print(f"putting back: {trouble}", flush=True)
        time.sleep(0.5 if left else 0.0)
    if left:
        print(f"NOT restored: {', '.join(f'{name} to {before[name]:g} A' for name in left)}", flush=True)


def main(program) -> None:
    """Run a program; trouble is told in a line, with exit code 1."""
    try:
        program()
    except Trouble as trouble:
        raise SystemExit(f"stopped: {trouble}") from trouble
