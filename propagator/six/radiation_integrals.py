"""Radiation integrals along a closed orbit, and damping, emittance and energy spread, from optics at fixed momentum.

R. Helm, M. Lee, P. Morton, M. Sands, IEEE Trans. Nucl. Sci. 20 (1973) 900, and M. Sands, SLAC-121 (1970), with the
field on the beam's orbit in all its magnets (`radiation_losses`). On the design orbit these are the integrals of the
bends, as in pyAT's get_radiation_integrals; off momentum, quadrupoles shift the damping from one plane to the other.

The integrals use the curvature at the beam's own momentum, 1/rho = |B| / (B rho (1 + delta)). Emittance and energy
spread are canonical, as in six dimensions: x^2 = emittance beta, where beta is that of x and px, and px and the spread
are relative to the reference momentum. So the emittance is (1 + delta) Cq gamma^2 I5 / (J_x I2) with gamma at 1 +
delta.
"""

import math
from dataclasses import dataclass

import numpy as np

from gnomon.lattice import Lattice, Ring
from gnomon.lattice.elements import PARAMETERS, Bend, Corrector, Multipole
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.beam import BeamState
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.six.cavities import Cavities
from gnomon.propagator.six.radiation_constants import loss_constant, quantum_constant
from gnomon.propagator.six.radiation_losses import FEW, MANY, SHAPE, SUMS, lose

#: Gauss-Legendre points on 0 to 1 and their weights, for `radiation_losses.lose`; row c is the rule with c points.
POINTS, WEIGHTS = np.zeros((MANY + 1, MANY)), np.zeros((MANY + 1, MANY))
for _count in (FEW, MANY):
    _points, _weights = np.polynomial.legendre.leggauss(_count)
    POINTS[_count, :_count], WEIGHTS[_count, :_count] = 0.5 * (1.0 + _points), 0.5 * _weights
NAN3, NAN5 = np.full(3, np.nan), np.full(5, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class RadiationSummary:
    """Effects of synchrotron radiation on a beam in an uncoupled ring.

    `integrals` (5,) are I1 [m], I2 [1/m], I3 [1/m^2], I4 and I5 [1/m]; `partition` and `damping_times_s` (3,) are those
    of x, y and the synchrotron motion; `emittance_m` is the horizontal one [m rad]; `momentum_compaction` is that of
    the beam's orbit, with all orders. Without a beam all are NaN and `reason` says why; without a stable synchrotron
    phase the last three are NaN and `reason` says so.
    """

    lattice_id: str
    reason: str
    integrals: Floats
    energy_loss_ev: float
    partition: Floats
    damping_times_s: Floats
    emittance_m: float
    energy_spread: float
    momentum_compaction: float
    synchronous_phase_rad: float
    synchrotron_tune: float
    bunch_length_m: float


class Radiation:
    """Computes integrals and equilibrium of any version of one ring's lattice; data of its magnets are prepared once.

    Energy and voltage are the lattice's, unless `voltage_v` is given; this raises what `Cavities` raises.
    """

    def __init__(self, ring: Ring, voltage_v: float | None = None) -> None:
        self.ring = ring
        self._fixed_v = voltage_v
        self._cavities = Cavities(ring, voltage_v)
        radiate = [
            (i, e)
            for i, e in enumerate(ring.elements)
            if isinstance(e, Multipole) and not isinstance(e, Corrector) and e.length > 0.0
        ]
        self._which = tuple(i for i, _ in radiate)
        self._rows: Integers = np.array(self._which, dtype=np.int64)
        self._shapes: Floats = np.zeros((len(radiate), SHAPE))
        for k, (_, element) in enumerate(radiate):
            self._shapes[k, 0] = element.length
            if isinstance(element, Bend) and element.angle != 0.0:
                self._shapes[k] = shape(element)
        self._parameters: Floats = np.zeros((len(radiate), len(PARAMETERS)))
        self._place = {i: k for k, i in enumerate(self._which)}
        self._last: Lattice | None = None

    def sums(self, lattice: Lattice, beam: BeamState) -> Floats:
        """Compute the sums of `radiation_losses` along the orbit of a beam with its chromatic functions."""
        sums = np.zeros(SUMS)
        if self._which:
            self._load(lattice)
            lose(
                self._rows, self._shapes, self._parameters, POINTS, WEIGHTS, beam.delta,
                _shared(beam.orbit), _shared(beam.dispersion), _shared(beam.beta[:, 0]), _shared(beam.alpha[:, 0]),
                sums,
            )  # fmt: skip
        return sums

    def __call__(self, lattice: Lattice, beam: BeamState) -> RadiationSummary:
        """Compute a beam's equilibrium between radiation and cavities."""
        ring, nan, nan3 = self.ring, math.nan, NAN3
        if not beam.found:
            return RadiationSummary(lattice.id, beam.reason, NAN5, nan, nan3, nan3, nan, nan, nan, nan, nan, nan)
        energy, rest = lattice.energy_ev, ring.document.rest_energy_ev
        square, cube, by_x, by_y, heat, i1 = self.sums(lattice, beam).tolist()
        more = 1.0 + beam.delta
        integrals = np.array([i1, square / more**2, cube / more**3, by_x / more, heat / more**2])
        _, i2, i3, i4, i5 = integrals.tolist()
        if not i2 > 0.0:
            reason = "no radiation: the ring has no bends"
            return RadiationSummary(lattice.id, reason, integrals, 0.0, nan3, nan3, nan, nan, nan, nan, nan, nan)
        gamma = energy * more / rest
        loss = loss_constant(energy, rest) * square * more**2 * energy
        shared = by_y / more / i2
        partition = np.array([1.0 - i4 / i2, 1.0 - shared, 2.0 + i4 / i2 + shared])
        period = ring.circumference / SPEED_OF_LIGHT
        cq = quantum_constant(rest) * gamma * gamma
        emittance = more * cq * i5 / (partition[0] * i2) if partition[0] > 0.0 else nan
        spread = more * math.sqrt(cq * i3 / (partition[2] * i2)) if partition[2] > 0.0 else nan
        # the orbit's slip contains the elements between the bends and the second order, I1 does not
        slip = beam.momentum_compaction * ring.circumference
        slip = slip if math.isfinite(slip) else i1
        cavities = self._powered(lattice)
        phase = cavities.phase(loss, slip)
        tune = length = nan
        if not phase.reason:
            slopes = cavities.columns(energy, ring.circumference, phase.radians)
            slope = float(np.sum(slopes[:, 0] * slopes[:, 1] * np.cos(slopes[:, 2])))
            squared = slope * slip / (4.0 * math.pi**2)
            tune = math.sqrt(squared) if squared > 0.0 else nan
            length = abs(slip) / (2.0 * math.pi * tune) * spread
        return RadiationSummary(
            lattice.id, phase.reason, integrals, loss, partition, 2.0 * energy * more / loss * period / partition,
            emittance, spread, slip / ring.circumference, phase.radians, tune, length,
        )  # fmt: skip

    def _load(self, lattice: Lattice) -> None:
        """Update the parameters that differ from the last lattice's."""
        last, self._last = self._last, None
        if last is None:
            self._parameters[:] = lattice.parameters(self._which)
        elif last is not lattice:
            changed = tuple(i for i in lattice.changed_elements(last) if i in self._place)
            if changed:
                self._parameters[[self._place[i] for i in changed]] = lattice.parameters(changed)
        self._last = lattice

    def _powered(self, lattice: Lattice) -> Cavities:
        if self._fixed_v is None and self.ring.voltages and lattice.voltage_v != self._cavities.total_v:
            self._cavities = Cavities(self.ring, lattice.voltage_v)
        return self._cavities


def _shared(array: Floats) -> Floats:
    """Return the array as compiled code expects it: contiguous and read-only."""
    piece = np.ascontiguousarray(array).view()
    piece.flags.writeable = False
    return piece


def shape(bend: Bend) -> tuple[float, ...]:
    """Make a bend's row for `radiation_losses`: length, curvature, edges' strengths, angle and psi of the entrance."""
    h, angle = bend.angle / bend.length, bend.entrance_angle
    psi = h * bend.gap * bend.fint_entrance * (1.0 + math.sin(angle) ** 2) / math.cos(angle)
    return bend.length, h, h * math.tan(angle), h * math.tan(bend.exit_angle), angle, psi


def radiation_summary(lattice: Lattice, beam: BeamState, voltage_v: float | None = None) -> RadiationSummary:
    """Compute a beam's equilibrium between radiation and cavities; `voltage_v` and errors are as in `Radiation`."""
    return Radiation(lattice.ring, voltage_v)(lattice, beam)
