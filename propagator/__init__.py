"""The beam: closed orbit, optics, and the asynchronous service around them."""

from gnomon.propagator.beam import BeamState
from gnomon.propagator.beam_loss import Resonance, acceptance, quantum_loss_rate, resonance_loss_rate
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
    "Resonance",
    "StoredBeam",
    "acceptance",
    "compile_kernels",
    "kernels_are_cached",
    "quantum_loss_rate",
    "resonance_loss_rate",
]
