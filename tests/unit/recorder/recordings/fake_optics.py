"""A beam for reviews: tunes follow one supply, orbit and beta functions one steerer; without a kernel."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Lattice, Ring
from unit.recorder.test_replay_steps import FakeBeam, fake_beam


@dataclass
class FakeOptics(FakeBeam):
    beta: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))


def fake_optics(lattice: Lattice) -> FakeOptics:
    """Beta grows by 1 % per ampere; the horizontal tune is 17.80 + 0.01 per ampere of Q1PDR above nominal."""
    beam = fake_beam(lattice)
    more = lattice["Q1PDR", "current"] - lattice.ring.nominal["Q1PDR", "current"]
    beta = np.full((len(lattice.ring.elements) + 1, 2), 10.0 * (1.0 + 0.01 * lattice["HS4P1D1R", "current"]))
    orbit = beam.orbit if beam.found else np.full_like(beam.orbit, np.nan)
    tune = np.array([17.80 + 0.01 * more, 6.72]) if beam.found else np.full(2, np.nan)
    return FakeOptics(orbit, tune, beam.found, beam.reason, beta if beam.found else np.full_like(beta, np.nan))


class FakePropagator:
    """Stands in for the propagator, whose kernels take a second to load."""

    def __init__(self, ring: Ring, momentum: str, *, chromatic: bool) -> None:
        self.made_for = ring

    def __call__(self, lattice: Lattice) -> FakeOptics:
        return fake_optics(lattice)
