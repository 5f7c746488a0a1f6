"""An orbit correction as it is often written first: it believes every monitor, every put and every sign.

It corrects the orbit of a healthy ring. `test_orbit_correction.py` shows what it does to one that is not healthy, and
`orbit_correction.py` is the same program as it should be.
"""

import csv
import os
import time
from pathlib import Path

import epics
import numpy as np

PREFIX = os.environ.get("GNOMON_PREFIX", "TWIN:")

with (Path(__file__).parent / "orbit_response.csv").open(newline="") as file:
    (_, *steerers), *rows = csv.reader(file)
monitors = [row[0] for row in rows]
inverse = np.linalg.pinv(np.array([row[1:] for row in rows], dtype=float))

for _ in range(4):
    orbit = np.array([epics.caget(f"{PREFIX}{monitor}:rdX") for monitor in monitors])
    for steerer, change in zip(steerers, -inverse @ orbit, strict=True):
        present = epics.caget(f"{PREFIX}{steerer}:set")
        epics.caput(f"{PREFIX}{steerer}:set", present + change)
    time.sleep(0.3)
print("orbit corrected")
