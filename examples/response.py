"""A measurement of the orbit's response to a steerer, up and down, with a look whether the orbit stayed meanwhile.

Readings are averaged, and single wrong ones do not count. It is repeated while the orbit is not quiet; the steerer is
put back, however it ends.
"""

import time

import numpy as np
from careful import Trouble, main, put, read, restored

STEERER, STEP_A, MONITORS = "HS4P1D1R", 0.05, 123
#: Readings for an average; the largest scatter of a monitor and the largest drift of the orbit that are allowed [mm].
READINGS, SCATTER_MM, DRIFT_MM = 5, 0.03, 0.02
TRIES, PAUSE_S = 4, 0.5


def measure() -> None:
    """Measure, and print the response at some monitors."""
    names = [str(name) for name in read_names()]
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


class Unquiet(Trouble):
    """An orbit that does not stay where it is, which may pass."""


def once(centre: float) -> np.ndarray:
    """Measure once [mm/A]: up, down, and the orbit before and after."""
    put(STEERER, centre)
    before = orbit()
    put(STEERER, centre + STEP_A)
    up = orbit()
    put(STEERER, centre - STEP_A)
    down = orbit()
    put(STEERER, centre)
    drift = np.abs(orbit() - before).max()
    if drift > DRIFT_MM:
        raise Unquiet(f"the orbit has drifted by {drift:.3f} mm during the measurement")
    lopsided = np.abs(up + down - 2 * before).max()
    if lopsided > 4 * DRIFT_MM:
        raise Unquiet(f"up and down differ by {lopsided:.3f} mm: the orbit has moved during the measurement")
    return (up - down) / (2 * STEP_A)


def orbit() -> np.ndarray:
    """The median of some readings of all monitors, horizontally [mm]."""
    rows = []
    for _ in range(READINGS):
        every = np.atleast_1d(read("ORBITCC:rdPos", fresh=True))
        if len(every) != 2 * MONITORS:
            raise Trouble(f"the orbit has {len(every)} values instead of {2 * MONITORS}")
        rows.append(every[0::2] * 1e-6)
        time.sleep(0.05)
    scatter = np.ptp(rows, axis=0)
    if np.sort(scatter)[-3] > SCATTER_MM:  # one or two monitors with a spike are no matter
        raise Unquiet(f"the orbit scatters by {scatter.max():.3f} mm")
    return np.median(rows, axis=0)


def read_names() -> list[str]:
    """Names of the monitors."""
    from careful import pv

    return list(pv("ORBITCC:rdBpmNames").get(timeout=3.0))


if __name__ == "__main__":
    main(measure)
