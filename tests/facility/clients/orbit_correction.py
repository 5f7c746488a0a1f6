"""An orbit correction: the response of all steerers by measurement, its pseudo-inverse, and a few steps."""

from collections.abc import Callable

import numpy as np

from facility.clients.ca import get, put, put_all

Read = Callable[[], np.ndarray]


def interleaved() -> np.ndarray:
    """Positions (monitors, 2) [mm] from the array of BESSY II: x, y of each monitor in turn, in nm."""
    return np.asarray(get("ORBITCC:rdPos")).reshape(-1, 2) * 1e-6


def buffered() -> np.ndarray:
    """Positions (monitors, 2) [mm] from the buffer of the MLS: rows of 32 in um, each eighth slot empty."""
    rows = np.asarray(get("BPMZ1X003GP:rdBufBpm")).reshape(8, 32)
    slots = [slot for slot in range(32) if slot % 8 != 7]
    return rows[:2, slots].T * 1e-3


READERS: dict[str, Read] = {"interleaved": interleaved, "buffered": buffered}


def correct(
    reader: str, steerers: list[str], disturbed: dict[str, float], step_a: float, cut: float
) -> dict[str, object]:
    """Disturb the orbit by some steerers, and bring it back by all; returns the rms [mm] in x and y after each step."""
    read = READERS[reader]
    columns = []
    for name in steerers:
        put(name, step_a)
        up = read()
        put(name, -step_a)
        columns.append((up - read()).reshape(-1) / (2.0 * step_a))
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
    return {"rms": history, "names": [str(name) for name in get("dt:orbit:names")]}
