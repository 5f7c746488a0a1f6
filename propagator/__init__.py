"""What the beam does: closed orbit, optics, and the asynchronous service around them."""

from gnomon.propagator.beam import BeamState
from gnomon.propagator.propagator import Propagator
from gnomon.propagator.service import Answer, PropagatorService
from gnomon.propagator.warmup import compile_kernels, kernels_are_cached

__all__ = ["Answer", "BeamState", "Propagator", "PropagatorService", "compile_kernels", "kernels_are_cached"]
