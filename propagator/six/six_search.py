"""From a lattice to its beam in six dimensions, with cavities and, if wanted, classical radiation."""

import math
from dataclasses import dataclass

import numpy as np

from gnomon.lattice import Lattice, LatticeError, Ring
from gnomon.propagator.compiled import Floats
from gnomon.propagator.live.kernel_report import FOUND, LOST, NO_FIXED_POINT
from gnomon.propagator.live.momentum_from_rf import path_difference
from gnomon.propagator.six import six_kernels as kernels
from gnomon.propagator.six.cavities import Cavities
from gnomon.propagator.six.radiation_constants import loss_constant
from gnomon.propagator.six.six_beam import SixDBeam
from gnomon.propagator.six.six_modes import Modes, find_modes, find_optics
from gnomon.propagator.six.six_tables import Tables

#: Maximum step of a search without limits, and of a cautious one that must stay in the neighbourhood.
FREE, CAUTIOUS = 1e9, 2e-3

#: Maximum number of changed elements for which passing each is cheaper than a turn; step [m, rad, 1] up to which the
#: prediction is accurate to 3e-11.
MAX_PREDICTED, PREDICTABLE = 32, 1e-6

#: Maximum orbit [m] that counts as a beam.
LIMIT = 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """Result of a search, and start of the next one: a lattice, its orbit (n+1, 6) and matrices (n+1, 48)."""

    lattice: Lattice
    orbit: Floats
    matrices: Floats


class SixD:
    """Computes the six-dimensional beam of any version of one ring's lattice; a call starts from the last result.

    The RF frequency fixes the path of a turn (pyAT's `find_orbit6`): a frequency below the reference makes it longer
    than the ring, so that the orbit follows the dispersion. The cavities' phase is that of the design's energy loss
    with radiation, and 0 without. Thick magnets radiate, separate steerers do not. Energy and voltage are the
    lattice's, unless `voltage_v` is given; this raises what `Cavities` raises. Without `faces`, radiation ignores that
    rotated pole faces change the path in the field, as pyAT and xtrack do. Not for use by several threads at once.
    """

    def __init__(self, ring: Ring, voltage_v: float | None = None, *, faces: bool = True) -> None:
        self.ring = ring
        self.energy_ev = ring.energy_ev
        self.cavities = Cavities(ring, voltage_v)
        self._fixed_voltage = voltage_v is not None
        self.tables = Tables(ring.elements, faces)
        curvature = self.tables.rows[:, kernels.BENDING]
        self._bending = float(np.sum(curvature * curvature * self.tables.rows[:, kernels.LONG]))
        self._last: Lattice | None = None
        self._warm: dict[bool, Found] = {}
        self._slip = 0.0

    def __call__(self, lattice: Lattice, radiation: bool = False) -> SixDBeam:
        """Compute the beam of `lattice`; a lost beam is a result. Raises LatticeError for a lattice of another ring."""
        if lattice.ring is not self.ring:
            raise LatticeError(f"this propagator is for {self.ring.name}, not for a lattice of {lattice.ring.name}")
        with np.errstate(all="ignore"):
            self._load(lattice)
            if not self._slip:
                self._slip = self._find_slip()
            warm = self._warm.pop(radiation, None)
            for slip in (self._slip, -self._slip):
                beam, modes = self._find(lattice, radiation, slip, warm)
                if beam.found:
                    self._slip = slip
                if beam.found or not modes.slow:
                    return beam
                warm = None
            return beam

    def constant(self, radiation: bool = True) -> float:
        """Return the loss constant of kicks [m] at the last lattice's energy, 0 without radiation."""
        return loss_constant(self.energy_ev, self.ring.document.rest_energy_ev) if radiation else 0.0

    def excitation(self, orbit: Floats, constant: float, quantum: float) -> Floats:
        """Compute the second moments (n+1, 6, 6) from a turn's quantum excitation, on an orbit of the last lattice."""
        t = self.tables
        excited = np.empty((len(orbit), 6, 6))
        kernels.excite(t.kinds, t.rows, t.slices, t.high, t.misaligned, t.frames, constant, quantum, orbit, excited)
        return excited

    def _load(self, lattice: Lattice) -> None:
        last, self._last = self._last, None
        which = self.tables.multipoles if last is None else list(lattice.changed_elements(last))
        if which:
            self.tables.write(which, lattice.parameters(which))
        before = self.ring.nominal if last is None else last
        voltage_v, self.energy_ev = lattice.voltage_v, lattice.energy_ev
        if (self.energy_ev, voltage_v) != (before.energy_ev, before.voltage_v):
            self._warm.clear()
            if not self._fixed_voltage:
                self.cavities = Cavities(self.ring, voltage_v if self.ring.voltages else None)
        self._last = lattice

    def _find_slip(self) -> float:
        """Compute d(path)/d(delta) of a turn [m] about the axis, without cavities."""
        columns = slice(kernels.VOLTAGE, kernels.VOLTAGE + 3)
        self.tables.rows[self.cavities.elements, columns] = 0.0
        turn = np.zeros(48)
        status, _, _ = self._search(0.0, 0.0, 1, FREE, np.zeros(6), turn, False, False, np.zeros(2))
        if status == LOST:
            return 1.0
        turn = turn.reshape(6, 8)[:, :6]
        try:
            eta = np.linalg.solve(np.eye(4) - turn[:4, :4], turn[:4, 4])
        except np.linalg.LinAlgError:
            return float(turn[5, 4])
        return float(turn[5, 4] + turn[5, :4] @ eta)

    def _design_loss(self) -> float:
        """Compute the relative energy loss of a turn on the axis."""
        return self.constant() * self._bending

    def _find(self, lattice: Lattice, radiation: bool, slip: float, warm: Found | None) -> tuple[SixDBeam, Modes]:
        ring, t = self.ring, self.tables
        nothing = Modes(np.empty(0, dtype=np.complex128), np.empty(0, dtype=np.complex128))
        phase = self.cavities.phase(self._design_loss() * self.energy_ev if radiation else 0.0, slip)
        if phase.reason:
            return self._no_beam(lattice, radiation, math.nan, phase.reason), nothing
        path = path_difference(ring.harmonic_number, lattice.rf_frequency, ring.rf_reference)
        columns = slice(kernels.VOLTAGE, kernels.VOLTAGE + 3)
        t.rows[self.cavities.elements, columns] = self.cavities.columns(
            self.energy_ev, ring.circumference + path, phase.radians
        )
        constant = self.constant(radiation)
        report, status = np.zeros(2), LOST
        for reach, known in ((FREE, True), (FREE, False), (CAUTIOUS, False)):
            if known and warm is None:
                continue
            start, turn, near = np.zeros(6), np.zeros(48), False
            if known and warm is not None:
                start, turn, near = self._predict(lattice, warm, constant)
            status, orbit, flat = self._search(
                constant, path, kernels.ITERATIONS, reach, start, turn, known, near, report
            )
            if status == FOUND:
                break
        if status != FOUND:
            return self._no_beam(lattice, radiation, phase.radians, why_no_orbit(status, report)), nothing
        worst = float(np.abs(orbit[:, :3:2]).max())
        if not worst < LIMIT:
            reason = f"particles are lost: the closed orbit leaves {LIMIT:g} m, at most {worst:.3g} m"
            return self._no_beam(lattice, radiation, phase.radians, reason), nothing
        matrices = flat.reshape(-1, 6, 8)[:, :, :6]
        modes = find_modes(matrices[-1])
        if modes.reason:
            return self._no_beam(lattice, radiation, phase.radians, modes.reason), modes
        self._warm[radiation] = Found(lattice, orbit, flat)
        optics = find_optics(modes, flat)
        loss = 0.0
        if radiation:
            gained = np.diff(orbit[:, 4])
            gained[self.cavities.elements] = 0.0
            loss = -float(np.sum(gained)) * self.energy_ev
        rates = -np.log(np.abs(modes.values)) if radiation else np.zeros(3)
        one_turn = matrices[-1].copy()
        for array in (orbit, one_turn, matrices, optics.tunes, rates, modes.vectors, optics.beta, optics.alpha,
                      optics.phase, optics.dispersion):  # fmt: skip
            array.flags.writeable = False
        return SixDBeam(
            lattice.id, True, "", radiation, self.cavities.total_v, phase.radians, loss, orbit, one_turn, matrices,
            optics.tunes, rates, modes.vectors, optics.beta, optics.alpha, optics.phase, optics.dispersion,
        ), modes  # fmt: skip

    def _predict(self, lattice: Lattice, warm: Found, constant: float) -> tuple[Floats, Floats, bool]:
        """Return the start and turn to search from, and True if one step with new matrices should be enough."""
        start, turn, t = warm.orbit[0].copy(), warm.matrices[-1].copy(), self.tables
        which = lattice.changed_elements(warm.lattice)
        if lattice.rf_frequency != warm.lattice.rf_frequency or len(which) > MAX_PREDICTED:
            return start, turn, False
        size = kernels.predict(
            np.array(which, dtype=np.int64), t.kinds, t.rows, t.slices, t.high, t.misaligned, t.frames, constant,
            warm.orbit,
            warm.matrices, start, turn,
        )  # fmt: skip
        return start, turn, size < PREDICTABLE

    def _search(
        self, constant: float, path: float, max_steps: int, reach: float, start: Floats, turn: Floats, known: bool,
        near: bool, report: Floats,
    ) -> tuple[int, Floats, Floats]:  # fmt: skip
        """Run `six_kernels.search`; return its outcome, orbit (n+1, 6) and matrices (n+1, 48)."""
        n, t = len(self.ring.elements), self.tables
        orbit, matrices = np.empty((n + 1, 6)), np.empty((n + 1, 48))
        status = kernels.search(
            t.kinds, t.rows, t.slices, t.high, t.misaligned, t.frames, constant, path, max_steps, reach, start, turn,
            known,
            near, orbit, matrices, report,
        )  # fmt: skip
        return status, orbit, matrices

    def _no_beam(self, lattice: Lattice, radiation: bool, phase: float, reason: str) -> SixDBeam:
        n = len(self.ring.elements) + 1
        return SixDBeam(
            lattice.id, False, reason, radiation, self.cavities.total_v, phase, math.nan, _nan(n, 6), _nan(6, 6),
            _nan(n, 6, 6), _nan(3), _nan(3), _nan(6, 3).astype(np.complex128), _nan(n, 2), _nan(n, 2), _nan(n, 2),
            _nan(n, 4),
        )  # fmt: skip


def why_no_orbit(status: int, report: Floats) -> str:
    """Return the reason why a search ended without an orbit."""
    if status == LOST:
        return f"particles are lost: no closed orbit within {kernels.FAR:g} m (iteration {int(report[0])})"
    if status == NO_FIXED_POINT:
        return f"no closed orbit: the turn has no single fixed point (iteration {int(report[0])})"
    return f"no closed orbit: {int(report[0])} iterations left a change of {report[1]:.3g}"


def _nan(*shape: int) -> Floats:
    array = np.full(shape, np.nan)
    array.flags.writeable = False
    return array
