"""Equilibrium beam sizes by the envelope method (K. Ohmi, K. Hirata, K. Oide, Phys. Rev. E 49 (1994) 751).

The matrix of second moments sigma repeats after a turn: sigma = M sigma M^t + D, where D is the quantum excitation of
all kicks. In the eigenvectors of M this is solved entry by entry.
"""

from dataclasses import dataclass

import numpy as np

from gnomon.lattice import Lattice
from gnomon.propagator.compiled import Floats
from gnomon.propagator.six.radiation_constants import diffusion_constant
from gnomon.propagator.six.six_beam import SixDBeam
from gnomon.propagator.six.six_search import SixD


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """Second moments `sigma` (n+1, 6, 6) of x, px, y, py, delta, ct at every element, and emittances (3,) [m rad].

    Without a damped beam, `found` is False, `reason` says why, and numbers are NaN.
    """

    found: bool
    reason: str
    sigma: Floats
    emittances_m: Floats

    @property
    def sizes(self) -> Floats:
        """Compute the rms of the six coordinates (n+1, 6) [m, rad, 1, m]."""
        return np.sqrt(np.maximum(np.diagonal(self.sigma, axis1=1, axis2=2), 0.0))


def envelope(six: SixD, lattice: Lattice) -> tuple[SixDBeam, Envelope]:
    """Compute a lattice's beam with radiation, and its equilibrium envelope."""
    beam = six(lattice, radiation=True)
    if not beam.found:
        return beam, _none(beam, beam.reason)
    if not (beam.damping_rates > 0.0).all():
        worst = int(np.argmin(beam.damping_rates))
        return beam, _none(beam, f"no equilibrium: mode {worst + 1} grows by {-beam.damping_rates[worst]:.3g} a turn")
    quantum = diffusion_constant(six.energy_ev, six.ring.document.rest_energy_ev)
    excited = six.excitation(beam.orbit, six.constant(), quantum)
    values, vectors = np.linalg.eig(beam.one_turn)
    inverse = np.linalg.inv(vectors)
    products = np.outer(values, values)
    inner = inverse @ excited[-1] @ inverse.T / (1.0 - products)
    start = (vectors @ inner @ vectors.T).real
    start = 0.5 * (start + start.T)
    sigma = beam.matrices @ start @ np.swapaxes(beam.matrices, 1, 2) + excited
    basis = np.stack([beam.modes.real, beam.modes.imag], axis=2).reshape(6, 6)
    normal = np.linalg.inv(basis)
    normal = normal @ start @ normal.T
    emittances = np.array([np.linalg.det(normal[i : i + 2, i : i + 2]) for i in (0, 2, 4)])
    emittances = np.sqrt(np.maximum(emittances, 0.0))
    sigma.flags.writeable = emittances.flags.writeable = False
    return beam, Envelope(True, "", sigma, emittances)


def _none(beam: SixDBeam, reason: str) -> Envelope:
    return Envelope(False, reason, np.full((len(beam.orbit), 6, 6), np.nan), np.full(3, np.nan))
