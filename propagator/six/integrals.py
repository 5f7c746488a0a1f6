"""Radiation integrals of a ring's bends and what follows from them, from the optics at fixed momentum deviation.

R. Helm, M. Lee, P. Morton, M. Sands, IEEE Trans. Nucl. Sci. 20 (1973) 900, and M. Sands, SLAC-121 (1970). Inside a
bend, beta and dispersion follow the thick sector's closed formulas; Gauss-Legendre points make the averages exact to
rounding. Bends count alone, by their design curvature, as in pyAT's get_radiation_integrals.
"""

import math
from dataclasses import dataclass

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import Bend
from gnomon.lattice.ring import SPEED_OF_LIGHT
from gnomon.propagator.beam import BeamState
from gnomon.propagator.compiled import Floats
from gnomon.propagator.six.cavities import Cavities
from gnomon.propagator.six.constants import loss_constant, quantum_constant

POINTS, WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True, slots=True, eq=False)
class RadiationSummary:
    """What synchrotron radiation makes of a beam in an uncoupled ring.

    `integrals` (5,) are I1 [m], I2 [1/m], I3 [1/m^2], I4 and I5 [1/m]; `partition` and `damping_times_s` (3,) belong to
    x, y and the synchrotron motion; `emittance_m` is the horizontal one [m rad]. Without a beam all are NaN and
    `reason` says why; without a stable synchrotron phase the last three are NaN and `reason` says so.
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


def radiation_integrals(lattice: Lattice, beam: BeamState) -> Floats:
    """I1 to I5 of a beam found with its chromatic functions."""
    ring = lattice.ring
    which = [i for i, e in enumerate(ring.elements) if isinstance(e, Bend) and e.angle != 0.0 and e.length > 0.0]
    bends = [e for e in ring.elements if isinstance(e, Bend) and e.angle != 0.0 and e.length > 0.0]
    if not which:
        return np.zeros(5)
    length = np.array([e.length for e in bends])
    h = np.array([e.angle for e in bends]) / length
    gradient = lattice.parameters(which)[:, 5]
    inlet = h * np.tan([e.entrance_angle for e in bends])
    outlet = h * np.tan([e.exit_angle for e in bends])
    beta, eta = beam.beta[which, 0], beam.dispersion[which, 0]
    alpha = beam.alpha[which, 0] - beta * inlet
    slope = beam.dispersion[which, 1] + eta * inlet
    gamma = (1.0 + alpha * alpha) / beta
    s = 0.5 * length[:, None] * (1.0 + np.append(POINTS, 1.0))
    focusing = (gradient + h * h)[:, None]
    root = np.sqrt(focusing.astype(np.complex128))
    angle = root * s
    safe = np.where(np.abs(angle) > 1e-6, angle, 1.0)
    c = np.cos(angle).real
    sine = np.where(np.abs(angle) > 1e-6, (np.sin(safe) / safe).real, 1.0) * s
    lift = np.where(np.abs(angle) > 1e-4, ((1.0 - np.cos(safe)) / (safe * safe)).real, 0.5) * s * s
    e = c * eta[:, None] + sine * slope[:, None] + h[:, None] * lift
    ep = -focusing * sine * eta[:, None] + c * slope[:, None] + h[:, None] * sine
    b = c * c * beta[:, None] - 2.0 * c * sine * alpha[:, None] + sine * sine * gamma[:, None]
    a = focusing * c * sine * beta[:, None] + (c * c - focusing * sine * sine) * alpha[:, None]
    a -= c * sine * gamma[:, None]
    curly = (e * e + (b * ep + a * e) ** 2) / b
    mean = e[:, :-1] @ (0.5 * WEIGHTS)
    curly_mean = curly[:, :-1] @ (0.5 * WEIGHTS)
    i4 = mean * length * h * (2.0 * gradient + h * h) - h * (eta * inlet + e[:, -1] * outlet)
    return np.array(
        [np.sum(mean * h * length), np.sum(h * h * length), np.sum(np.abs(h) ** 3 * length), np.sum(i4),
         np.sum(curly_mean * np.abs(h) ** 3 * length)]
    )  # fmt: skip


def radiation_summary(lattice: Lattice, beam: BeamState, voltage_v: float | None = None) -> RadiationSummary:
    """The equilibrium that radiation and cavities give a beam; `voltage_v` and what it raises as in `Cavities`."""
    ring, nan3 = lattice.ring, np.full(3, np.nan)
    nan = math.nan
    if not beam.found:
        return RadiationSummary(lattice.id, beam.reason, np.full(5, nan), nan, nan3, nan3, nan, nan, nan, nan, nan, nan)
    energy, rest = ring.energy_ev, ring.document.rest_energy_ev
    i1, i2, i3, i4, i5 = integrals = radiation_integrals(lattice, beam)
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
    compaction = i1 / ring.circumference
    cavities = Cavities(ring, voltage_v)
    phase = cavities.phase(loss, compaction)
    tune = length = nan
    if not phase.reason:
        slopes = cavities.columns(energy, ring.circumference, phase.radians)
        slope = float(np.sum(slopes[:, 0] * slopes[:, 1] * np.cos(slopes[:, 2])))
        square = slope * i1 / (4.0 * math.pi**2)
        tune = math.sqrt(square) if square > 0.0 else nan
        length = abs(i1) / (2.0 * math.pi * tune) * spread
    return RadiationSummary(
        lattice.id, phase.reason, integrals, loss, partition, 2.0 * energy / loss * period / partition, emittance,
        spread, compaction, phase.radians, tune, length,
    )  # fmt: skip
