"""Plans for Bluesky: what each measurement does with the devices of `gnomon.clients.devices`.

This package needs the extra `gnomon[bluesky]`. Every plan leaves the machine as it found it (`restoring`).
"""

from gnomon.procedures.plans.alignment import alignment_plan
from gnomon.procedures.plans.aperture_bump import ApertureSearch, aperture_plan
from gnomon.procedures.plans.gated_plan import gated
from gnomon.procedures.plans.measured_rows import MeasuredRow, Recording
from gnomon.procedures.plans.putting_back import NotRestoredError, restoring, restoring_what_moves, setpoint_of
from gnomon.procedures.plans.quadrupole_scan import KnobChange, local_beta_plan
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
from gnomon.procedures.plans.stored_beam import NoInjectionError, StoredBeamKeeper
from gnomon.procedures.plans.working_points import WorkingPoints, lifetime_plan, loss_map_plan

__all__ = [
    "ApertureSearch",
    "Interrupted",
    "KnobChange",
    "MeasuredRow",
    "NoInjectionError",
    "NotRestoredError",
    "Recording",
    "StoredBeamKeeper",
    "WorkingPoints",
    "alignment_plan",
    "aperture_plan",
    "chromaticity_plan",
    "connected_run",
    "dispersion_plan",
    "gated",
    "lifetime_plan",
    "local_beta_plan",
    "loss_map_plan",
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
