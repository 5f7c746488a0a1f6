"""A feedback that keeps the horizontal tune: at most one small step a second, and none by a reading that does not move.

It runs until Ctrl-C, and puts the quadrupoles back when it gives up.
"""

import time

from careful import Trouble, main, put, put_back, read

QUADRUPOLES, TUNE = "Q1PDR", "TUNEZR:rdH"
SLOPE_KHZ_PER_A, GAIN = 61.4, 0.5
#: Deviations that are left alone [kHz], the largest step and the largest way from the start [A].
DEADBAND_KHZ, STEP_A, RANGE_A = 0.3, 0.05, 0.3
#: Time between two steps [s]; steps in the same direction without an answer of the tune, after which it gives up.
PERIOD_S, UNANSWERED = 1.0, 3


def feedback() -> None:
    """Keep the tune that is there at the start."""
    start, target = read(f"{QUADRUPOLES}:set"), float(read(TUNE, fresh=True))
    unanswered, last = 0, target
    print(f"keeping {target:.2f} kHz", flush=True)
    try:
        while True:
            tune = median_tune()
            error = tune - target
            unanswered = unanswered + 1 if abs(error) > DEADBAND_KHZ and abs(tune - last) < 0.01 else 0
            if unanswered >= UNANSWERED:
                raise Trouble(f"{TUNE} does not answer to {QUADRUPOLES}: is the reading frozen?")
            last = tune
            if abs(error) > DEADBAND_KHZ:
                step = max(-STEP_A, min(STEP_A, -GAIN * error / SLOPE_KHZ_PER_A))
                wanted = read(f"{QUADRUPOLES}:set") + step
                if abs(wanted - start) > RANGE_A:
                    raise Trouble(
                        f"{QUADRUPOLES} would be {wanted - start:+.2f} A from the start; the limit is {RANGE_A}"
                    )
                put(QUADRUPOLES, wanted)
            time.sleep(PERIOD_S)
    except Trouble:
        put_back({QUADRUPOLES: start})
        raise
    except KeyboardInterrupt:
        print("ended", flush=True)


def median_tune() -> float:
    """The middle one of three readings [kHz]: one wrong reading moves nothing."""
    readings = []
    for _ in range(3):
        readings.append(float(read(TUNE, fresh=True)))
        time.sleep(0.1)
    return sorted(readings)[1]


if __name__ == "__main__":
    main(feedback)
