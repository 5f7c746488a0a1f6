"""A measurement of the chromaticity: sweep the master clock, read the tunes, fit.

The clock is put without waiting for completion; a pause is all that comes before the tunes are read.
"""

import time

import numpy as np

from facility.clients.ca import get, send


def measure(setter: str, reader: str, tunes: list[str], sweep_khz: float, harmonic: int) -> dict[str, object]:
    """Sweep by +-`sweep_khz`; tunes are read as frequencies [kHz]. The clock goes back at the end."""
    reference, compaction = float(get(setter)), float(get("beam:alphac"))
    rows = []
    try:
        for change in np.linspace(-sweep_khz, sweep_khz, 9):
            send(setter, reference + change)
            time.sleep(0.1)
            turns_khz = float(get(reader)) / harmonic
            rows.append([change, get(reader) - reference, get("beam:delta"), *(get(t) / turns_khz for t in tunes)])
    finally:
        send(setter, reference)
        time.sleep(0.1)
    changes, moved, deltas, *planes = np.array(rows).T
    momenta = -changes / reference / compaction
    return {
        "moved": (moved - changes).tolist(),
        "deltas": deltas.tolist(),
        "expected": momenta.tolist(),
        "chromaticity": [float(np.polyfit(momenta, plane, 3)[-2]) for plane in planes],
        "model": [float(get(f"beam:chromaticity:{plane}")) for plane in "xy"],
        "found": int(get("beam:orbit:found")),
        "orbit": float(np.abs(get("beam:orbit:x")).max()),
    }
