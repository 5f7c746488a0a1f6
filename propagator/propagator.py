"""From a lattice to its beam: what the kernels need between two versions, and what they found."""

import math
from typing import Literal

import numpy as np

from gnomon.lattice import Lattice, LatticeError, Ring
from gnomon.propagator import report as place
from gnomon.propagator.beam import BeamState
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.program import ABOVE, BEAM, BELOW, REFERENCE, SLOTS, Program
from gnomon.propagator.reasons import why_no_beam
from gnomon.propagator.report import FOUND
from gnomon.propagator.rf import Momentum, find_momentum, path_difference

#: Half the distance in momentum of the central differences; pyAT's at a DPStep of 1e-5.
STEP = 5e-6


class Propagator:
    """The beam of any version of one ring's lattice; a call changes only what the last one left different.

    `momentum` says what the RF frequency fixes. "frequency": the circumference of the closed orbit, so that a
    corrector's own lengthening of the path moves the momentum as in a real ring (pyAT's `find_orbit4(dct=...)`).
    "orbit", for comparisons at fixed momentum: the circumference less that of this lattice's own orbit at the reference
    momentum, so that at the reference frequency delta is 0 whatever the correctors do (pyAT's `find_orbit4(dp=0)`).
    Without `chromatic`, dispersion, chromaticity and momentum compaction stay NaN; without `optics`, everything but the
    orbit does, and it comes sooner. Not for use by several threads at once.
    """

    def __init__(
        self,
        ring: Ring,
        momentum: Literal["orbit", "frequency"] = "frequency",
        *,
        chromatic: bool = True,
        optics: bool = True,
    ) -> None:
        if momentum not in ("orbit", "frequency"):
            raise ValueError(f'momentum must be "orbit" or "frequency", not {momentum!r}')
        self.ring = ring
        self.momentum = momentum
        self.chromatic = chromatic and optics
        self.optics = optics
        self.program = Program(ring.elements)
        self._last: Lattice | None = None
        self._guess: Momentum | None = None
        self._pending: list[Integers] = []
        n = len(ring.elements)
        self._above, self._below, self._spare = np.empty((n + 1, 4)), np.empty((n + 1, 4)), np.empty((n + 1, 4))
        self._no_orbit, self._no_optics = _nan(n + 1, 4), _nan(n + 1, 2)
        self._no_pair, self._no_matrix = _nan(2), _nan(4, 4)

    def __call__(self, lattice: Lattice) -> BeamState:
        """The beam of `lattice`; physics never raises. Raises LatticeError for a lattice of another ring."""
        if lattice.ring is not self.ring:
            raise LatticeError(f"this propagator is for {self.ring.name}, not for a lattice of {lattice.ring.name}")
        with np.errstate(all="ignore"):
            self._load(lattice)
            momentum = self._find_momentum(lattice)
            if momentum.reason:
                return self._no_beam(lattice, momentum.delta, momentum.reason)
            find = self._find_beam if self.optics else self._find_orbit
            return find(lattice, momentum.delta)

    def _load(self, lattice: Lattice) -> None:
        program = self.program
        last, self._last = self._last, None
        if last is None:
            changed: tuple[int, ...] = program.with_parameters
            self._pending = [program.everything] * SLOTS
        else:
            changed = lattice.changed_elements(last)
        if changed:
            which = np.array(changed, dtype=np.int64)
            if program.load(which, lattice.parameters(changed)):
                self._pending = [program.everything] * SLOTS
            else:
                # a slot that misses a second change is simply rebuilt when next used
                everything = program.everything
                self._pending = [everything if pending.size else which for pending in self._pending]
        self._last = lattice

    def _prepare(self, *momenta: tuple[int, float]) -> None:
        """Have the maps of slots ready at their momentum deviations."""
        program = self.program
        for slot, delta in momenta:
            if program.deltas[slot] != delta:
                program.deltas[slot] = delta
                self._pending[slot] = program.everything
        pending = self._pending
        first = pending[momenta[0][0]]
        if all(pending[slot] is first for slot, _ in momenta):
            if first.size:
                program.rebuild(first, np.array([slot for slot, _ in momenta], dtype=np.int64))
        else:
            for slot, _ in momenta:
                if pending[slot].size:
                    program.rebuild(pending[slot], np.array([slot], dtype=np.int64))
        for slot, _ in momenta:
            pending[slot] = program.everything[:0]

    def _lengthening(self, slot: int, delta: float) -> float | None:
        """Path of a slot's orbit less the ring's length [m], None without an orbit."""
        self._prepare((slot, delta))
        report = np.zeros(place.REPORT)
        self.program.locate(slot, self._spare, report)
        if report[place.STATUS] not in (FOUND, *range(place.UNSTABLE, place.UNSTABLE + 5)):
            return None
        value = float(report[place.LENGTHENING])
        return value if math.isfinite(value) else None

    def _find_momentum(self, lattice: Lattice) -> Momentum:
        ring = self.ring
        target = path_difference(ring.harmonic_number, lattice.rf_frequency, ring.rf_reference)
        if self.momentum == "orbit":
            if target == 0.0:
                self._guess = None
                return Momentum(0.0, 0.0)
            own = self._lengthening(REFERENCE, 0.0)
            if own is None:
                return Momentum(0.0, 0.0, "no closed orbit at the reference momentum")
            target += own
        found = find_momentum(lambda delta: self._lengthening(BEAM, delta), target, self._guess)
        self._guess = None if found.reason else found
        if found.reason and (why := self._why_no_orbit()):
            return Momentum(0.0, 0.0, why)
        return found

    def _why_no_orbit(self) -> str:
        """The reason why there is no beam at the reference momentum either, empty when there is one."""
        report = np.zeros(place.REPORT)
        self._prepare((BEAM, 0.0))
        self.program.locate(BEAM, self._spare, report)
        return why_no_beam(report)

    def _find_beam(self, lattice: Lattice, delta: float) -> BeamState:
        program = self.program
        if self.chromatic:
            self._prepare((BEAM, delta), (ABOVE, delta + STEP), (BELOW, delta - STEP))
        else:
            self._prepare((BEAM, delta))
        n = len(self.ring.elements)
        orbit = np.empty((n + 1, 4))
        beta, alpha, phase = np.empty((3, 2, n + 1))
        tune, report = np.empty(2), np.zeros(place.REPORT)
        before = program.points[BEAM].copy()
        program.find_beam(orbit, beta, alpha, phase, tune, report)
        if reason := why_no_beam(report):
            return self._no_beam(lattice, delta, reason)
        one_turn = program.turns[BEAM].reshape(4, 5)[:, :4].copy()
        dispersion, chromaticity, compaction = self._no_orbit, self._no_pair, math.nan
        if self.chromatic:
            dispersion, chromaticity, compaction = self._find_chromatic(tune, program.points[BEAM] - before)
        for array in (orbit, one_turn, tune, beta, alpha, phase, dispersion, chromaticity):
            array.flags.writeable = False
        return BeamState(
            lattice.id, True, "", delta, orbit, one_turn, tune, beta.T, alpha.T, phase.T, dispersion, chromaticity,
            compaction,
        )  # fmt: skip

    def _find_orbit(self, lattice: Lattice, delta: float) -> BeamState:
        self._prepare((BEAM, delta))
        orbit, report = np.empty((len(self.ring.elements) + 1, 4)), np.zeros(place.REPORT)
        self.program.locate(BEAM, orbit, report, orbit_alone=True)
        if reason := why_no_beam(report):
            return self._no_beam(lattice, delta, reason)
        orbit.flags.writeable = False
        return BeamState(
            lattice.id, True, "", delta, orbit, self._no_matrix, self._no_pair, self._no_optics, self._no_optics,
            self._no_optics, self._no_orbit, self._no_pair, math.nan,
        )  # fmt: skip

    def _find_chromatic(self, tune: Floats, shift: Floats) -> tuple[Floats, Floats, float]:
        """Dispersion (n+1, 4), chromaticity (2,) and momentum compaction by central differences.

        `shift` is how far the beam's points have just moved; its neighbours' move alike.
        """
        program = self.program
        above, below = np.zeros(place.REPORT), np.zeros(place.REPORT)
        for slot, orbit, report in ((ABOVE, self._above, above), (BELOW, self._below, below)):
            if program.points[slot].any():
                program.points[slot] += shift
                program.touching[slot] = 0
            else:
                program.points[slot] = program.points[BEAM]
            program.locate(slot, orbit, report)
            if report[place.STATUS] != FOUND:
                return self._no_orbit, self._no_pair, math.nan
        chromaticity = np.empty(2)
        for mode, trace in enumerate((place.TRACE_1, place.TRACE_2)):
            advance = math.acos(0.5 * above[trace]) - math.acos(0.5 * below[trace])
            chromaticity[mode] = (advance if tune[mode] % 1.0 < 0.5 else -advance) / (4.0 * math.pi * STEP)
        lengthening = above[place.LENGTHENING] - below[place.LENGTHENING]
        compaction = float(lengthening) / (2.0 * STEP * self.ring.circumference)
        return (self._above - self._below) / (2.0 * STEP), chromaticity, compaction

    def _no_beam(self, lattice: Lattice, delta: float, reason: str) -> BeamState:
        return BeamState(
            lattice.id, False, reason, delta, self._no_orbit, self._no_matrix, self._no_pair, self._no_optics,
            self._no_optics, self._no_optics, self._no_orbit, self._no_pair, math.nan,
        )  # fmt: skip


def _nan(*shape: int) -> Floats:
    array = np.full(shape, np.nan)
    array.flags.writeable = False
    return array
