"""The beam: closed orbit, optics, and the asynchronous service around them."""

from gnomon.propagator.beam import BeamState
from gnomon.propagator.lifetime import HOUR_S, StoredBeam
from gnomon.propagator.propagator import Propagator
from gnomon.propagator.service import Answer, Compute, PropagatorService
from gnomon.propagator.warmup import Progress, compile_kernels, kernels_are_cached

__all__ = [
    "HOUR_S",
    "Answer",
    "BeamState",
    "Compute",
    "Progress",
    "Propagator",
    "PropagatorService",
    "StoredBeam",
    "compile_kernels",
    "kernels_are_cached",
]
