"""The same bump without a look back: three puts for each step, and nobody asks whether they have arrived."""

import os
import sys

import epics

PREFIX = os.environ.get("GNOMON_PREFIX", "TWIN:")
BUMP = {"HS4P2T1R": 1.0, "HS4P1D2R": 0.515, "HS4P2D2R": -1.478}
STEPS, STEP_A = 3, 0.02

before = {name: epics.caget(f"{PREFIX}{name}:set") for name in BUMP}
for step in range(1, STEPS + 1):
    currents = {name: before[name] + step * STEP_A * part for name, part in BUMP.items()}
    if "--together" in sys.argv:
        import gnomon

        gnomon.connect(PREFIX, server="epics").set(currents, note="closed bump")
    else:
        for name, current in currents.items():
            epics.caput(f"{PREFIX}{name}:set", current, wait=True, timeout=3)
    print(f"step {step} done", flush=True)
print("the bump stands")
