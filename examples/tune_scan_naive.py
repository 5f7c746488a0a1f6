"""The same scan as most of us have written it once: whatever comes is taken for the tune."""

import os
import time

import epics
import numpy as np

PREFIX = os.environ.get("GNOMON_PREFIX", "TWIN:")
STEPS_A, SETTLE_S = np.linspace(-0.08, 0.08, 5), 0.5

centre = epics.caget(f"{PREFIX}Q1PDR:set")
tunes = []
for step in STEPS_A:
    epics.caput(f"{PREFIX}Q1PDR:set", centre + step, wait=True, timeout=5)
    time.sleep(SETTLE_S)
    tunes.append(epics.caget(f"{PREFIX}TUNEZR:rdH", timeout=1))
    print(f"{centre + step:.4f} A  {tunes[-1]:.4f} kHz", flush=True)
epics.caput(f"{PREFIX}Q1PDR:set", centre, wait=True, timeout=5)
print(f"slope {np.polyfit(STEPS_A, tunes, 1)[0]:.3f} kHz/A")
