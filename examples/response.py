"""A measurement of the orbit's response to a steerer that looks whether the orbit stays where it is meanwhile.

It steps up and down a few times. Single wrong readings do not count; it is repeated while the orbit is not quiet, and
given up when that does not end. The steerer is put back, however it ends.
"""

import time

import numpy as np
from careful import Trouble, main, put, pv, read, restored

STEERER, STEP_A, MONITORS = "HS4P1D1R", 0.05, 123
#: Steps up and down; the response is their median, and most of them must agree [mm].
ROUNDS, SCATTER_MM = 5, 0.03
#: Largest way of the orbit during the measurement [mm].
DRIFT_MM = 0.05
TRIES, PAUSE_S, SETTLE_S = 4, 0.7, 0.05


class Unquiet(Trouble):
    """An orbit that does not stay where it is, which may pass."""


def measure() -> None:
    """Measure, and print the response at some monitors."""
    names = [str(name) for name in pv("ORBITCC:rdBpmNames").get(timeout=3.0)]
    centre = read(f"{STEERER}:set")
    with restored(STEERER):
        for attempt in range(1, TRIES + 1):
            try:
                response = once(centre)
                break
            except Unquiet as trouble:
                print(f"attempt {attempt}: {trouble}", flush=True)
                if attempt == TRIES:
                    raise
                time.sleep(PAUSE_S)
    for name in ("BPMZ5D1R", "BPMZ6D1R", "BPMZ1T1R"):
        print(f"response {name} {response[names.index(name)]:+.2f} mm/A")


def once(centre: float) -> np.ndarray:
    """Measure once [mm/A]. Raises Unquiet if the orbit moves by itself."""
    halves, rests = [], []
    for _ in range(ROUNDS):
        up, down, rest = orbit(centre + STEP_A), orbit(centre - STEP_A), orbit(centre)
        halves.append((up - down) / 2)
        rests.append(rest)
    near = np.sort(np.abs(halves - np.median(halves, axis=0)), axis=0)[ROUNDS // 2]
    if near.max() > SCATTER_MM:
        raise Unquiet(f"the orbit scatters by {near.max():.3f} mm")
    drift = np.abs(np.median(rests[-3:], axis=0) - np.median(rests[:3], axis=0)).max()
    if drift > DRIFT_MM:
        raise Unquiet(f"the orbit has drifted by {drift:.3f} mm during the measurement")
    return np.median(halves, axis=0) / STEP_A


def orbit(current_a: float) -> np.ndarray:
    """Set the steerer, and read all monitors, horizontally [mm]."""
    put(STEERER, current_a)
    time.sleep(SETTLE_S)
    every = np.atleast_1d(read("ORBITCC:rdPos", fresh=True))
    if len(every) != 2 * MONITORS:
        raise Trouble(f"the orbit has {len(every)} values instead of {2 * MONITORS}")
    return every[0::2] * 1e-6


if __name__ == "__main__":
    main(measure)
