"""A check of steerers and monitors after a shutdown: small steps, and the orbit must answer as the model says.

It tells a steerer with wrong polarity or gain from monitors with swapped cables, and names what does not move.
"""

import time

from careful import Trouble, main, put, read, restored

STEP_A = 0.02
MONITORS = ("BPMZ5D1R", "BPMZ6D1R", "BPMZ1T1R", "BPMZ3T1R", "BPMZ5T1R")
#: Response of each steerer at the monitors, from the model [mm/A], and the largest relative error that is allowed.
EXPECTED = {
    "HS4P1D1R": (9.88, 5.18, -12.44, 8.87, -7.97),
    "HS4P2D1R": (12.55, 7.03, -13.80, 8.44, -5.67),
    "HS1PT1R": (-17.68, -10.61, 16.45, -11.09, 9.71),
}
ERROR = 0.1


def check() -> None:
    """Check all, and say everything that is wrong."""
    measured, wrong = {}, []
    for steerer in EXPECTED:
        try:
            measured[steerer] = response(steerer)
        except Trouble as trouble:
            wrong.append(str(trouble))
    found = _factors(measured)
    monitors = [m for m in range(len(MONITORS)) if found and not any(_fits(row[m]) for row in found.values())]
    wrong += [f"{MONITORS[m]} shows another place: are its cables swapped?" for m in monitors]
    for steerer, row in found.items():
        factors = [factor for m, factor in enumerate(row) if m not in monitors]
        if not factors or all(map(_fits, factors)):
            continue
        mean = sum(factors) / len(factors)
        if all(_fits(-factor) for factor in factors):
            wrong.append(f"{steerer} has inverted polarity")
        elif all(abs(factor) < ERROR for factor in factors):
            wrong.append(f"{steerer} does not move the beam, though its readback follows")
        elif all(abs(factor - mean) < ERROR for factor in factors):
            wrong.append(f"{steerer} kicks {mean:.2f} times as much as it should")
        else:
            wrong.append(f"{steerer} moves the beam as another steerer would: are its cables swapped?")
    for line in wrong:
        print(line)
    if wrong:
        raise Trouble(f"{len(wrong)} findings")
    print("all steerers and monitors answer as they should")


def response(steerer: str) -> list[float]:
    """Measure at all monitors [mm/A]; the steerer is put back."""
    with restored(steerer):
        start, before = read(f"{steerer}:set"), positions()
        put(steerer, start + STEP_A)
        after = positions(fresh=True)
    return [(b - a) / STEP_A for a, b in zip(before, after, strict=True)]


def positions(*, fresh: bool = False) -> list[float]:
    """Positions at the monitors [mm], read when they have had time to settle; after a step they must be fresh."""
    time.sleep(0.1)
    return [float(read(f"{name}:rdX", fresh=fresh)) for name in MONITORS]


def _factors(measured: dict[str, list[float]]) -> dict[str, list[float]]:
    """Measured over expected response."""
    return {
        name: [value / wanted for value, wanted in zip(row, EXPECTED[name], strict=True)]
        for name, row in measured.items()
    }


def _fits(factor: float) -> bool:
    return abs(factor - 1.0) < ERROR


if __name__ == "__main__":
    main(check)
