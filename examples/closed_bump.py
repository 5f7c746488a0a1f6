"""A closed orbit bump by three steerers: each put is checked, the orbit outside stays, or all of it is taken back.

With `--together`, the three are set as one command (`dt:set`), which gnomon offers over PV Access.
"""

import sys
import time

import numpy as np
from careful import PREFIX, Trouble, main, put, put_back, read

#: Steerers with the parts that close the bump, from the model; its height between them [mm/A].
BUMP = {"HS4P2T1R": 1.0, "HS4P1D2R": 0.515, "HS4P2D2R": -1.478}
HEIGHT_MM_PER_A = 6.45
STEPS, STEP_A = 3, 0.02
#: Time between a step and the look at the orbit: what fails through the step shows by then [s].
SETTLE_S = 0.3
#: Monitors between the steerers, where the orbit is to move; the largest rms outside [mm].
INSIDE, LEAK_MM = slice(8, 16), 0.005


def bump() -> None:
    """Raise the bump in steps; keep it only if it is closed."""
    before = {name: read(f"{name}:set") for name in BUMP}
    orbit = positions()
    try:
        for step in range(1, STEPS + 1):
            set_all({name: before[name] + step * STEP_A * part for name, part in BUMP.items()})
            time.sleep(SETTLE_S)
            moved = positions() - orbit
            leak = np.sqrt(np.mean(np.delete(moved, INSIDE) ** 2))
            height = np.abs(moved[INSIDE]).max()
            print(f"step {step}: {height:.3f} mm, {leak:.4f} mm rms outside", flush=True)
            if leak > LEAK_MM:
                raise Trouble(f"the bump is not closed: {leak:.3f} mm rms outside")
            if height < 0.5 * HEIGHT_MM_PER_A * step * STEP_A:
                raise Trouble(f"the orbit does not follow: {height:.3f} mm instead of the asked one")
    except Trouble:
        print("taking the bump back", flush=True)
        put_back(before)
        raise
    print("the bump stands")


def positions() -> np.ndarray:
    """Horizontal positions at all monitors [mm]."""
    every = read("ORBITCC:rdPos", fresh=True)
    if len(every) != 2 * 123:
        raise Trouble(f"the orbit has {len(every)} values instead of 246")
    return every[0::2] * 1e-6


def set_all(currents: dict[str, float]) -> None:
    """Set the steerers, and see that all of them have arrived."""
    if "--together" in sys.argv:
        import gnomon

        with gnomon.connect(PREFIX, server="epics") as ring:
            ring.set(currents, note="closed bump")
        for name, current in currents.items():
            if abs(read(f"{name}:rdbk") - current) > 1e-4:
                raise Trouble(f"{name} is at {read(f'{name}:rdbk'):g} A, and was set to {current:g} A")
        return
    for name, current in currents.items():
        put(name, current)


if __name__ == "__main__":
    main(bump)
