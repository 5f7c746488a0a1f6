"""The same measurement by one reading above and one below."""

import os
import time

import epics

PREFIX = os.environ.get("GNOMON_PREFIX", "TWIN:")
STEERER, STEP_A, SETTLE_S = "HS4P1D1R", 0.05, 0.7

names = [str(name) for name in epics.caget(f"{PREFIX}ORBITCC:rdBpmNames")]
epics.caput(f"{PREFIX}{STEERER}:set", STEP_A, wait=True, timeout=5)
time.sleep(SETTLE_S)
up = epics.caget(f"{PREFIX}ORBITCC:rdPos")
epics.caput(f"{PREFIX}{STEERER}:set", -STEP_A, wait=True, timeout=5)
time.sleep(SETTLE_S)
down = epics.caget(f"{PREFIX}ORBITCC:rdPos")
epics.caput(f"{PREFIX}{STEERER}:set", 0.0, wait=True, timeout=5)
for name in ("BPMZ5D1R", "BPMZ6D1R", "BPMZ1T1R"):
    at = 2 * names.index(name)
    print(f"response {name} {(up[at] - down[at]) * 1e-6 / (2 * STEP_A):+.2f} mm/A")
