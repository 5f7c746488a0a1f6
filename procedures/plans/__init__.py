"""Plans for Bluesky: what each measurement does with the devices of `gnomon.clients.devices`.

This package needs the extra `gnomon[bluesky]`. Every plan leaves the machine as it found it (`restoring`).
"""

from gnomon.procedures.plans.alignment import alignment_plan
from gnomon.procedures.plans.putting_back import NotRestoredError, restoring, restoring_what_moves, setpoint_of
from gnomon.procedures.plans.recording import MeasuredRow, Recording
from gnomon.procedures.plans.running import Interrupted, run_plan
from gnomon.procedures.plans.scans import (
    chromaticity_plan,
    connected_run,
    dispersion_plan,
    orbit_plan,
    orm_plan,
    read_planes,
    tune_response_plan,
    tunes_plan,
)

__all__ = [
    "Interrupted",
    "MeasuredRow",
    "NotRestoredError",
    "Recording",
    "alignment_plan",
    "chromaticity_plan",
    "connected_run",
    "dispersion_plan",
    "orbit_plan",
    "orm_plan",
    "read_planes",
    "restoring",
    "restoring_what_moves",
    "run_plan",
    "setpoint_of",
    "tune_response_plan",
    "tunes_plan",
]
