"""Losses of the stored beam of an imperfect machine: at its aperture, and on resonances of the third order."""

from dataclasses import dataclass

from gnomon.propagator import BeamState, Resonance, acceptance, quantum_loss_rate, resonance_loss_rate
from gnomon.propagator.six import RadiationSummary

#: Resonances of the third order that sextupoles drive, and skew ones: 3 Qx, Qx + 2 Qy, Qx - 2 Qy, 3 Qy, 2 Qx +- Qy.
THIRD_ORDER = ((3, 0), (1, 2), (1, -2), (0, 3), (2, 1), (2, -1))


@dataclass(frozen=True, slots=True)
class Losses:
    """Rate of losses [1/s] of a beam in a chamber of these half apertures [m] with this coupling of the emittances."""

    half_x_m: float
    half_y_m: float
    coupling: float
    resonances: tuple[Resonance, ...]

    def __call__(self, beam: BeamState, equilibrium: RadiationSummary) -> float:
        """See `Losses`; inf where the orbit touches the aperture."""
        emittance = equilibrium.emittance_m / (1.0 + self.coupling)
        emittances = (emittance, max(self.coupling, 1e-6) * emittance)
        rate = 0.0
        for plane, half_m in enumerate((self.half_x_m, self.half_y_m)):
            around = acceptance(beam.orbit[:, 2 * plane], beam.beta[:, plane], half_m)
            rate += quantum_loss_rate(around, emittances[plane], float(equilibrium.damping_times_s[plane]))
        return rate + resonance_loss_rate(self.resonances, float(beam.tune[0]), float(beam.tune[1]))
