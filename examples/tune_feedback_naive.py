"""The same feedback as fast as it goes: every reading makes a step, however large, without an end."""

import os

import epics

PREFIX = os.environ.get("GNOMON_PREFIX", "TWIN:")

target = epics.caget(f"{PREFIX}TUNEZR:rdH")
print(f"keeping {target:.2f} kHz", flush=True)
try:
    while True:
        error = epics.caget(f"{PREFIX}TUNEZR:rdH") - target
        present = epics.caget(f"{PREFIX}Q1PDR:set")
        epics.caput(f"{PREFIX}Q1PDR:set", present - 0.5 * error / 61.4, wait=True, timeout=2)
except KeyboardInterrupt:
    print("ended", flush=True)
