"""Many particles around a ring: tracking, losses, apertures and collective effects."""

from gnomon.propagator.ensembles.aperture_scan import ApertureStudy, aperture_study
from gnomon.propagator.ensembles.apertures import Aperture, Elliptic, Rectangular, everywhere
from gnomon.propagator.ensembles.beam_loading import BeamLoadingCavity
from gnomon.propagator.ensembles.dynamic_aperture import DynamicAperture, dynamic_aperture
from gnomon.propagator.ensembles.ensemble import Ensemble, Losses, Tracked
from gnomon.propagator.ensembles.momentum_aperture import MomentumAperture, momentum_aperture
from gnomon.propagator.ensembles.resonator import Resonator
from gnomon.propagator.ensembles.tracking import CollectiveStep, track
from gnomon.propagator.ensembles.tracking_errors import TrackingError

__all__ = [
    "Aperture",
    "ApertureStudy",
    "BeamLoadingCavity",
    "CollectiveStep",
    "DynamicAperture",
    "Elliptic",
    "Ensemble",
    "Losses",
    "MomentumAperture",
    "Rectangular",
    "Resonator",
    "Tracked",
    "TrackingError",
    "aperture_study",
    "dynamic_aperture",
    "everywhere",
    "momentum_aperture",
    "track",
]
