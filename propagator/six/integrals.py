"""Radiation integrals of a ring's bends and what follows from them, from the optics at fixed momentum deviation.

R. Helm, M. Lee, P. Morton, M. Sands, IEEE Trans. Nucl. Sci. 20 (1973) 900, and M. Sands, SLAC-121 (1970). Inside a
bend, beta and dispersion follow the thick sector's closed formulas; Gauss-Legendre points make the averages exact to
rounding. Bends count alone, by their design curvature, as in pyAT's get_radiation_integrals.
"""

import math
from dataclasses import dataclass

import numpy as np

from gnomon.lattice import Lattice, Ring
from gnomon.lattice.elements import Bend
from gnomon.lattice.ring import SPEED_OF_LIGHT
from gnomon.propagator.beam import BeamState
from gnomon.propagator.compiled import Floats
from gnomon.propagator.six.cavities import Cavities
from gnomon.propagator.six.constants import loss_constant, quantum_constant

POINTS, WEIGHTS = np.polynomial.legendre.leggauss(8)
NAN3, NAN5 = np.full(3, np.nan), np.full(5, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class RadiationSummary:
    """What synchrotron radiation makes of a beam in an uncoupled ring.

    `integrals` (5,) are I1 [m], I2 [1/m], I3 [1/m^2], I4 and I5 [1/m]; `partition` and `damping_times_s` (3,) belong to
    x, y and the synchrotron motion; `emittance_m` is the horizontal one [m rad]; `momentum_compaction` is the beam's
    own, with all orders. Without a beam all are NaN and `reason` says why; without a stable synchrotron phase the last
    three are NaN and `reason` says so.
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
    """Integrals and equilibrium of any version of one ring's lattice; what belongs to its bends is worked out once.

    The energy is the lattice's, and so is the voltage unless `voltage_v` is given, as in `Cavities`, which says what it
    raises.
    """

    def __init__(self, ring: Ring, voltage_v: float | None = None) -> None:
        self.ring = ring
        self._fixed_v = voltage_v
        self._cavities = Cavities(ring, voltage_v)
        bends = {i: e for i, e in enumerate(ring.elements) if isinstance(e, Bend) and e.angle != 0.0 and e.length > 0.0}
        self._which = tuple(bends)
        self._rows = np.array(self._which, dtype=np.intp)
        self._length = np.array([e.length for e in bends.values()])
        self._h = np.array([e.angle for e in bends.values()]) / self._length
        self._inlet = self._h * np.tan([e.entrance_angle for e in bends.values()])
        self._outlet = self._h * np.tan([e.exit_angle for e in bends.values()])
        weight, cube = 0.5 * WEIGHTS * self._length[:, None], np.abs(self._h) ** 3
        self._weight_h, self._weight_cube = weight * self._h[:, None], weight * cube[:, None]
        self._i2, self._i3 = float(self._h**2 @ self._length), float(cube @ self._length)
        self._last: Lattice | None = None
        self._sector = Sector(np.zeros(len(bends)), self._h, self._length)

    def integrals(self, lattice: Lattice, beam: BeamState) -> Floats:
        """I1 to I5 of a beam found with its chromatic functions."""
        if not self._which:
            return np.zeros(5)
        sector, h = self._sector_of(lattice), self._h
        beta, eta = beam.beta[self._rows, 0], beam.dispersion[self._rows, 0]
        alpha = beam.alpha[self._rows, 0] - beta * self._inlet
        slope = beam.dispersion[self._rows, 1] + eta * self._inlet
        gamma = (1.0 + alpha * alpha) / beta
        e = sector.c * eta[:, None] + sector.s * slope[:, None] + sector.bent
        ep = sector.back * eta[:, None] + sector.c * slope[:, None] + sector.turned
        b = sector.cc * beta[:, None] - 2.0 * sector.cs * alpha[:, None] + sector.ss * gamma[:, None]
        a = sector.ab * beta[:, None] + sector.aa * alpha[:, None] - sector.cs * gamma[:, None]
        curly = (e * e + (b * ep + a * e) ** 2) / b
        inside = e[:, :-1]
        edges = float(h @ (eta * self._inlet + e[:, -1] * self._outlet))
        i4 = float(np.sum(self._weight_h * inside * sector.focusing)) - edges
        i1, i5 = float(np.sum(self._weight_h * inside)), float(np.sum(self._weight_cube * curly[:, :-1]))
        return np.array([i1, self._i2, self._i3, i4, i5])

    def __call__(self, lattice: Lattice, beam: BeamState) -> RadiationSummary:
        """The equilibrium that radiation and cavities give a beam."""
        ring, nan, nan3 = self.ring, math.nan, NAN3
        if not beam.found:
            return RadiationSummary(lattice.id, beam.reason, NAN5, nan, nan3, nan3, nan, nan, nan, nan, nan, nan)
        energy, rest = lattice.energy_ev, ring.document.rest_energy_ev
        integrals = self.integrals(lattice, beam)
        i1, i2, i3, i4, i5 = integrals.tolist()
        if not i2 > 0.0:
            reason = "no radiation: the ring has no bends"
            return RadiationSummary(lattice.id, reason, integrals, 0.0, nan3, nan3, nan, nan, nan, nan, nan, nan)
        gamma = energy / rest
        loss = loss_constant(energy, rest) * i2 * energy
        partition = np.array([1.0 - i4 / i2, 1.0, 2.0 + i4 / i2])
        period = ring.circumference / SPEED_OF_LIGHT
        cq = quantum_constant(rest) * gamma * gamma
        emittance = cq * i5 / (partition[0] * i2) if partition[0] > 0.0 else nan
        spread = math.sqrt(cq * i3 / (partition[2] * i2)) if partition[2] > 0.0 else nan
        # The orbit's own slip knows what lies between the bends and the second order, which I1 does not.
        slip = beam.momentum_compaction * ring.circumference
        slip = slip if math.isfinite(slip) else i1
        cavities = self._powered(lattice)
        phase = cavities.phase(loss, slip)
        tune = length = nan
        if not phase.reason:
            slopes = cavities.columns(energy, ring.circumference, phase.radians)
            slope = float(np.sum(slopes[:, 0] * slopes[:, 1] * np.cos(slopes[:, 2])))
            square = slope * slip / (4.0 * math.pi**2)
            tune = math.sqrt(square) if square > 0.0 else nan
            length = abs(slip) / (2.0 * math.pi * tune) * spread
        return RadiationSummary(
            lattice.id, phase.reason, integrals, loss, partition, 2.0 * energy / loss * period / partition, emittance,
            spread, slip / ring.circumference, phase.radians, tune, length,
        )  # fmt: skip

    def _sector_of(self, lattice: Lattice) -> "Sector":
        """The bends' transport, made anew only when a change may have reached one of them."""
        if self._last is None or not set(lattice.changed_elements(self._last)).isdisjoint(self._which):
            gradient = lattice.parameters(self._which)[:, 5]
            if self._last is None or not np.array_equal(gradient, self._sector.gradient):
                self._sector = Sector(gradient, self._h, self._length)
        self._last = lattice
        return self._sector

    def _powered(self, lattice: Lattice) -> Cavities:
        if self._fixed_v is None and self.ring.voltages and lattice.voltage_v != self._cavities.total_v:
            self._cavities = Cavities(self.ring, lattice.voltage_v)
        return self._cavities


class Sector:
    """Transport from the entrance of bends to points inside and, last, to their ends: (bends, points) each.

    c, s and (1 - c) / k as in the linear optics of a combined function sector, and the products that beta, alpha and
    dispersion need.
    """

    def __init__(self, gradient: Floats, h: Floats, length: Floats) -> None:
        self.gradient = gradient
        at = 0.5 * length[:, None] * (1.0 + np.append(POINTS, 1.0))
        k = (gradient + h * h)[:, None]
        angle = np.sqrt(k.astype(np.complex128)) * at
        safe = np.where(np.abs(angle) > 1e-6, angle, 1.0)
        self.c = np.cos(angle).real
        self.s = np.where(np.abs(angle) > 1e-6, (np.sin(safe) / safe).real, 1.0) * at
        lift = np.where(np.abs(angle) > 1e-4, ((1.0 - np.cos(safe)) / (safe * safe)).real, 0.5) * at * at
        self.bent, self.turned, self.back = h[:, None] * lift, h[:, None] * self.s, -k * self.s
        self.cc, self.cs, self.ss = self.c * self.c, self.c * self.s, self.s * self.s
        self.ab, self.aa = k * self.cs, self.cc - k * self.ss
        self.focusing = (2.0 * gradient + h * h)[:, None]


def radiation_summary(lattice: Lattice, beam: BeamState, voltage_v: float | None = None) -> RadiationSummary:
    """The equilibrium that radiation and cavities give a beam; `voltage_v` and what it raises as in `Radiation`."""
    return Radiation(lattice.ring, voltage_v)(lattice, beam)
