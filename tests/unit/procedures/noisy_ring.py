"""A ring to measure without a server: settings in, noisy readings out, and the truth beside them."""

from collections.abc import Mapping

import numpy as np

from gnomon.lattice import Key, Lattice, Ring
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import supply_response

#: Sizes of the errors of gradients (relative) and of magnets' positions [m].
GRADIENT, POSITION = 1e-3, 1e-5


def imperfect(ring: Ring, seed: int, gradient: float = GRADIENT, position: float = POSITION) -> Lattice:
    """Draw quadrupole gradients and positions of magnets that the model of a procedure does not know."""
    random = np.random.default_rng(seed)
    settings: dict[Key, float] = {}
    for magnet in ring.magnets:
        if magnet.main == "k1":
            nominal = ring.nominal.strength(magnet)
            settings[magnet.name, "k1_trim"] = gradient * random.standard_normal() * nominal
            settings[magnet.name, "dx"] = position * random.standard_normal()
            settings[magnet.name, "dy"] = position * random.standard_normal()
    return ring.nominal.updated(settings)


class NoisyRing:
    def __init__(self, lattice: Lattice, seed: int, noise_mm: float = 1e-3, tune_noise: float = 2e-5) -> None:
        self.lattice = lattice
        self.random = np.random.default_rng(seed)
        self.noise_mm, self.tune_noise = noise_mm, tune_noise
        self.propagate = Propagator(lattice.ring)

    def set(self, settings: Mapping[Key, float]) -> None:
        self.lattice = self.lattice.updated(settings)

    def true_orbit(self) -> np.ndarray:
        """Readings without noise, x then y [mm]."""
        beam = self.propagate(self.lattice)
        assert beam.found, beam.reason
        at = list(self.lattice.ring.monitors)
        return 1e3 * np.array(self.lattice.monitor_errors().readings(beam.orbit[at, 0], beam.orbit[at, 2]))

    def orbit(self) -> np.ndarray:
        true = self.true_orbit()
        return true + self.noise_mm * self.random.standard_normal(true.shape)

    def tunes(self) -> np.ndarray:
        return self.propagate(self.lattice).tune % 1.0 + self.tune_noise * self.random.standard_normal(2)

    def response(self, supplies: tuple[str, ...]) -> np.ndarray:
        """The true response (2, monitors, supplies) [mm/A], the frequency held."""
        found = supply_response(self.propagate, self.lattice, supplies)
        return 1e3 * np.array(self.lattice.monitor_errors().changes(found.orbit[:, 0], found.orbit[:, 2]))
