"""An orbit correction: the response of all steerers by one kind of readings, the orbit by another, and a few steps.

As a response is measured or computed once and used for long, its monitors and planes are those of other PVs than the
array from which the orbit is read: what stands where in that array decides whether the orbit becomes flat.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from facility.clients.ca import get, put, put_all

Read = Callable[[], np.ndarray]


def packed(slots: list[int]) -> np.ndarray:
    """Positions (monitors, 2) [mm] from the packed data of BESSY II: rows of 128 slots, 2^15 for 10 mm."""
    rows = np.asarray(get("MDIZ2T5G:bdata"))[:1024].reshape(8, 128)
    found: np.ndarray = rows[:2, np.array(slots) - 1].T * 10.0 / 2**15
    return found


def interleaved(which: list[int]) -> np.ndarray:
    """Positions (monitors, 2) [mm] of some monitors from the array of BESSY II: x, y of each in turn, in nm."""
    return np.asarray(get("ORBITCC:rdPos")).reshape(-1, 2)[which] * 1e-6


def single(monitors: list[str]) -> np.ndarray:
    """Positions (monitors, 2) [mm] from the PVs of each monitor."""
    return np.array([[get(f"{monitor}:rd{plane}") for plane in "XY"] for monitor in monitors])


def buffered() -> np.ndarray:
    """Positions (monitors, 2) [mm] from the buffer of the MLS: rows of 32 in um, each eighth slot empty."""
    rows = np.asarray(get("BPMZ1X003GP:rdBufBpm")).reshape(8, 32)
    found: np.ndarray = rows[:2, [slot for slot in range(32) if slot % 8 != 7]].T * 1e-3
    return found


def bessy2(slots: list[int | None], **more: Any) -> list[list[float]]:
    """Correct the orbit of BESSY II; `slots` are those of all its monitors in beam order, None for one without."""
    which = [i for i, slot in enumerate(slots) if slot is not None]
    known = [slot for slot in slots if slot is not None]
    return correct(lambda: packed(known), lambda: interleaved(which), **more)


def mls(monitors: list[str], **more: Any) -> list[list[float]]:
    """Correct the orbit of the MLS, whose monitors these are in beam order."""
    return correct(lambda: single(monitors), buffered, **more)


def correct(
    measure: Read, read: Read, steerers: list[str], disturbed: dict[str, float], step_a: float, cut: float
) -> list[list[float]]:
    """Disturb the orbit by some steerers, and bring it back by all; the rms [mm] in x and y after each step."""
    columns = []
    for name in steerers:
        put(name, step_a)
        up = measure()
        put(name, -step_a)
        columns.append((up - measure()).reshape(-1) / (2.0 * step_a))
        put(name, 0.0)
    inverse = np.linalg.pinv(np.column_stack(columns), rcond=cut)
    currents = np.array([disturbed.get(name, 0.0) for name in steerers])
    history = []
    try:
        for _ in range(5):
            put_all(zip(steerers, currents.tolist(), strict=True))
            orbit = read()
            history.append(np.sqrt((orbit**2).mean(axis=0)).tolist())
            currents = currents - inverse @ orbit.reshape(-1)
    finally:
        put_all((name, 0.0) for name in steerers)
    return history
