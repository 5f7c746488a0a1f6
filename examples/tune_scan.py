"""A scan of the horizontal tune over a quadrupole current: stops when a reading or the beam cannot be trusted.

After an IOC was restarted, the point is taken again. The quadrupoles are put back, however the scan ends.
"""

import time

import numpy as np
from careful import PATIENCE_S, Trouble, main, put, read, restored

QUADRUPOLES, TUNE, CURRENT, LIFETIME = "Q1PDR", "TUNEZR:rdH", "MDIZ3T5G:current", "MDIZ3T5G:lt10"
STEPS_A, DWELL_S = np.linspace(-0.08, 0.08, 5), 0.5
#: Change of the tune by the current, from the model [kHz/A]; the smallest part of it that counts as an answer.
SLOPE_KHZ_PER_A, LEAST = 61.4, 0.3


def scan() -> None:
    """Scan, and print the slope."""
    centre, stored, lifetime = read(f"{QUADRUPOLES}:set"), read(CURRENT, fresh=True), read(LIFETIME)
    tunes: list[float] = []
    with restored(QUADRUPOLES):
        for step in STEPS_A:
            tunes.append(point(centre + step, stored, lifetime))
            print(f"{centre + step:.4f} A  {tunes[-1]:.4f} kHz", flush=True)
            if len(tunes) > 1 and tunes[-1] - tunes[-2] < LEAST * SLOPE_KHZ_PER_A * (STEPS_A[1] - STEPS_A[0]):
                raise Trouble(f"{TUNE} does not follow {QUADRUPOLES}: is the reading frozen, or the supply off?")
    print(f"slope {np.polyfit(STEPS_A, tunes, 1)[0]:.3f} kHz/A")


def point(current_a: float, stored: float, lifetime: float) -> float:
    """Take one point; again for a while, if the PVs have gone."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            put(QUADRUPOLES, current_a)
            time.sleep(DWELL_S)
            now = read(CURRENT, fresh=True)
            if now < 0.9 * stored:
                raise SystemExit(f"stopped: beam lost, {now:.1f} of {stored:.1f} mA are left")
            if read(LIFETIME) < 0.9 * lifetime:
                raise SystemExit(f"stopped: the lifetime has dropped from {lifetime:.1f} to {read(LIFETIME):.1f} h")
            return float(read(TUNE, fresh=True))
        except Trouble as trouble:
            passing = any(word in str(trouble) for word in ("connect", "answer", "write"))
            if not passing or time.monotonic() > end:
                raise
            print(f"waiting: {trouble}", flush=True)
            time.sleep(0.5)


if __name__ == "__main__":
    main(scan)
