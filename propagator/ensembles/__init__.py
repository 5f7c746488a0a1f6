"""Many particles around a ring: tracking, losses, apertures, and steps in which particles see each other."""

from gnomon.propagator.ensembles.apertures import Aperture, Elliptic, Rectangular, everywhere
from gnomon.propagator.ensembles.ensemble import Ensemble, Losses, Tracked
from gnomon.propagator.ensembles.errors import TrackingError
from gnomon.propagator.ensembles.tracking import CollectiveStep, track

__all__ = [
    "Aperture",
    "CollectiveStep",
    "Elliptic",
    "Ensemble",
    "Losses",
    "Rectangular",
    "Tracked",
    "TrackingError",
    "everywhere",
    "track",
]
