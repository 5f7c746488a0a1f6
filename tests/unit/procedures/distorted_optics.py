"""BESSY II with wrong gradients, skews, gains and rolls, its measured response and dispersion, and the truth."""

import numpy as np

from gnomon.lattice import Key, Lattice, Ring
from gnomon.procedures.optics_fit import OpticsFitData
from gnomon.procedures.optics_model import Optics, OpticsModel
from gnomon.propagator import Propagator
from gnomon.propagator.studies import steering_supplies

#: Sizes of errors: gradients (relative), skew gradients [1/m^2], gains, rolls [rad].
GRADIENT, SKEW, GAIN, ROLL = 1.5e-3, 1e-3, 0.02, 5e-3
#: Largest movement of the orbit [mm], and readings at the outer two of three settings.
MOVE, READINGS = 0.2, 1
#: Span of the RF frequency [kHz], and frequencies.
SPAN, POINTS = 1.0, 5


class DistortedOptics:
    def __init__(self, ring: Ring, seed: int, every: int = 1, noise_mm: float = 1e-3, gradient: float = GRADIENT):
        random = np.random.default_rng(seed)
        nominal = ring.nominal
        settings: dict[Key, float] = {}
        for magnet in ring.magnets:
            if magnet.main == "k1":
                settings[magnet.name, "k1_trim"] = gradient * random.standard_normal() * nominal.strength(magnet)
                settings[magnet.name, "k1s"] = SKEW * random.standard_normal()
        for bpm in ring.bpms:
            for plane in "xy":
                settings[bpm.name, f"gain_{plane}"] = 1.0 + GAIN * random.standard_normal()
            settings[bpm.name, "roll"] = ROLL * random.standard_normal()
        self.lattice = nominal.updated(settings)
        self.steerers = steering_supplies(nominal)[::every]
        self.steerer_gain = 1.0 + GAIN * random.standard_normal(len(self.steerers))
        self.steerer_roll = ROLL * random.standard_normal(len(self.steerers))
        self.optics: Optics = OpticsModel(self.lattice, self.steerers, ()).optics(self.lattice)
        beam = self.optics.response * self.steerer_gain + self.optics.rolled * self.steerer_roll
        show = self.lattice.monitor_errors().changes
        response = np.array(show(beam[0], beam[1]))
        steps = MOVE / np.abs(response).max(axis=(0, 1))
        error = np.broadcast_to(noise_mm / steps / np.sqrt(2.0 * READINGS), response.shape)
        dispersion = np.array(show(*self.optics.dispersion))
        rf = np.linspace(-SPAN, SPAN, POINTS)
        rf_error = np.full(dispersion.shape, noise_mm / np.sqrt((rf**2).sum()))
        response = response + error * random.standard_normal(error.shape)
        self.data = OpticsFitData(
            steerers=self.steerers, monitors=tuple(bpm.name for bpm in ring.bpms), x=response[0], y=response[1],
            x_error=error[0], y_error=error[1],
            dispersion=dispersion + rf_error * random.standard_normal(dispersion.shape), dispersion_error=rf_error,
        )  # fmt: skip

    def beating(self, of: Lattice, relative_to: Lattice) -> np.ndarray:
        """Beta beating (2, elements) of a lattice."""
        propagate = Propagator(self.lattice.ring)
        first = propagate(of).beta.copy()
        return (first / propagate(relative_to).beta - 1.0).T
