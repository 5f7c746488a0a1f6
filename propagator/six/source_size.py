"""Beam size in the middle of a bend, from optics, equilibrium and the machine document's coupling."""

import math

from gnomon.lattice import Lattice, Ring
from gnomon.lattice.elements import Bend
from gnomon.propagator.beam import BeamState
from gnomon.propagator.six.radiation_integrals import RadiationSummary


class SourcePoint:
    """The middle of one bend of a ring: size^2 = emittance x beta + (dispersion x energy spread)^2 in each plane.

    The emittances are e / (1 + k) and k e / (1 + k), where e is the uncoupled emittance and k the machine document's
    coupling. Beta, alpha and dispersion are carried from the bend's entrance through its edge and half its body,
    linearly and in closed form; offsets and roll of the bend are ignored. Raises LatticeError for an element that is
    not a bend.
    """

    def __init__(self, ring: Ring, element: str) -> None:
        self.index = ring.index[element]
        bend = ring.elements[self.index]
        assert isinstance(bend, Bend)  # checked when the document was read
        self._half, self._h = 0.5 * bend.length, bend.angle / bend.length
        self._angle, self._inlet = bend.entrance_angle, self._h * math.tan(bend.entrance_angle)
        self._fringe = (
            self._h * bend.gap * bend.fint_entrance * (1.0 + math.sin(self._angle) ** 2) / math.cos(self._angle)
        )
        coupling = ring.document.coupling
        self._shares = 1.0 / (1.0 + coupling), coupling / (1.0 + coupling)

    def sizes(self, lattice: Lattice, beam: BeamState, equilibrium: RadiationSummary) -> tuple[float, float]:
        """Compute the rms sizes in x and y [m]; NaN without an equilibrium."""
        gradient = float(lattice.parameters((self.index,))[0, 5])
        p = 1.0 / (1.0 + beam.delta)
        vertical = -self._h * math.tan(self._angle - p * self._fringe)
        x = self._size(beam, equilibrium, 0, gradient + self._h * self._h, self._h, self._inlet)
        y = self._size(beam, equilibrium, 1, -gradient, 0.0, vertical)
        return x, y

    def _size(
        self, beam: BeamState, equilibrium: RadiationSummary, plane: int, stiff: float, h: float, edge: float
    ) -> float:
        p, beta = 1.0 / (1.0 + beam.delta), float(beam.beta[self.index, plane])
        alpha = float(beam.alpha[self.index, plane]) - edge * beta
        eta, slope = beam.dispersion[self.index, 2 * plane : 2 * plane + 2].tolist()
        place, momentum = beam.orbit[self.index, 2 * plane : 2 * plane + 2].tolist()
        c, s, lift = _sector(p * stiff, self._half)
        reach = p * s
        middle = c * c * beta - 2.0 * c * reach * alpha + reach * reach * (1.0 + alpha * alpha) / beta
        # the dispersion's slope is p (eta_p - p px), where px includes the edge's kick
        slope += edge * eta - p * (momentum + edge * place)
        eta = c * eta + reach * slope + lift * p * p * (h + stiff * place)
        emittance = self._shares[plane] * equilibrium.emittance_m
        return math.sqrt(emittance * middle + (eta * equilibrium.energy_spread) ** 2)


def _sector(k: float, length: float) -> tuple[float, float, float]:
    """Return the cosine-like function c, the sine-like one and (1 - c) / k of a body with focusing k [1/m^2]."""
    root = math.sqrt(abs(k))
    angle = root * length
    if angle < 1e-4:
        return 1.0 - 0.5 * k * length * length, length, 0.5 * length * length
    if k > 0.0:
        return math.cos(angle), math.sin(angle) / root, (1.0 - math.cos(angle)) / k
    return math.cosh(angle), math.sinh(angle) / root, (1.0 - math.cosh(angle)) / k
