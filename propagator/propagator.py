"""The propagator: from a lattice to its beam, recomputing only what changed since the last version."""

import math
from typing import Literal

import numpy as np

from gnomon.lattice import Lattice, LatticeError, Ring
from gnomon.propagator.beam import BeamState
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.live import kernel_report as place
from gnomon.propagator.live.kernel_report import FOUND, MOVED, UNSTABLE
from gnomon.propagator.live.live_kernels import CHROMATIC, FOLLOW, OPTICS, PATH
from gnomon.propagator.live.live_program import ABOVE, BEAM, BELOW, REFERENCE, SLOTS, Program
from gnomon.propagator.live.momentum_from_rf import Momentum, find_momentum, path_difference
from gnomon.propagator.live.no_beam_reasons import why_no_beam

#: Half the step in momentum of central differences; the same as pyAT's at a DPStep of 1e-5.
STEP = 5e-6

#: Range around the last momentum deviation in which the solution on the same branch is searched first, and how often
#: the maps may be rebuilt on the way.
NEAR, REBUILDS = 1e-3, 6

#: Range in momentum deviation over which maps are extrapolated: the smaller of REACH and REACH_BY_COMPACTION times the
#: momentum compaction. Their second order is then 1e-16; chromatic functions, which use their derivatives, stay correct
#: to a relative 1e-6.
REACH, REACH_BY_COMPACTION = 1e-8, 2e-5


class Propagator:
    """Computes the beam of any version of one ring's lattice; a call recomputes only what changed since the last one.

    `momentum` says what the RF frequency fixes. "frequency": the circumference of the closed orbit, so that a
    corrector that lengthens the path changes the momentum, as in a real ring (pyAT's `find_orbit4(dct=...)`).
    "orbit", for comparisons at fixed momentum: the circumference less that of this lattice's own orbit at the reference
    momentum, so that at the reference frequency delta is 0 whatever the correctors do (pyAT's `find_orbit4(dp=0)`).
    Without `chromatic`, dispersion, chromaticity and momentum compaction stay NaN; without `optics`, only the orbit is
    computed, which is faster. Not for use by several threads at once.
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
        self._wanted = OPTICS * self.optics | CHROMATIC * self.chromatic
        self._spare, self._no_orbit = np.empty((2, n + 1, 4)), _nan(n + 1, 4)
        self._no_optics, self._no_pair, self._no_matrix = _nan(n + 1, 2), _nan(2), _nan(4, 4)
        self._spare_optics, self._spare_pairs = np.empty((3, 2, n + 1)), np.empty((2, 2))

    def __call__(self, lattice: Lattice) -> BeamState:
        """Compute the beam of `lattice`; a lost beam is a result. Raises LatticeError for a lattice of another ring."""
        if lattice.ring is not self.ring:
            raise LatticeError(f"this propagator is for {self.ring.name}, not for a lattice of {lattice.ring.name}")
        with np.errstate(all="ignore"):
            self._load(lattice)
            return self._find(lattice)

    def find_neighbours(self) -> bool:
        """Find the orbits a `STEP` above and below the last beam's momentum, in the program's slots ABOVE and BELOW."""
        program = self.program
        for slot, step in ((ABOVE, STEP), (BELOW, -STEP)):
            self._prepare(slot, program.tables.deltas[BEAM] + step)
            program.tables.points[slot] = program.tables.points[BEAM]
            program.tables.bodies_valid[slot] = 0
            if self._measure(slot)[place.STATUS] != FOUND:
                return False
        return True

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
                # a slot that misses a second change is rebuilt when it is next used
                everything = program.everything
                self._pending = [everything if pending.size else which for pending in self._pending]
        self._last = lattice

    def _prepare(self, slot: int, delta: float) -> None:
        """Prepare the maps of a slot at a momentum deviation."""
        program = self.program
        if program.tables.deltas[slot] != delta:
            program.tables.bases[slot] = program.tables.deltas[slot] = delta
            self._pending[slot] = program.everything
        if self._pending[slot].size:
            program.rebuild(self._pending[slot], np.array([slot], dtype=np.int64))
            self._pending[slot] = program.everything[:0]

    def _measure(self, slot: int) -> Floats:
        """Find a slot's orbit and its path; return the report."""
        report = np.zeros(place.REPORT)
        self.program.find(
            slot, PATH, 0.0, 0.0, self._spare[0], self._spare[1], self._spare_optics, self._spare_pairs, report
        )
        return report

    def _lengthening(self, slot: int, delta: float) -> tuple[float, float] | None:
        """Compute the path of a slot's orbit less the ring's length [m], and its slope [m]; None without an orbit."""
        self._prepare(slot, delta)
        report = self._measure(slot)
        if report[place.STATUS] != FOUND and report[place.STATUS] < UNSTABLE:
            return None
        value, slope = float(report[place.LENGTHENING]), float(report[place.PATH_SLOPE])
        return (value, slope) if math.isfinite(value) and math.isfinite(slope) else None

    def _find(self, lattice: Lattice) -> BeamState:
        ring = self.ring
        target = path_difference(ring.harmonic_number, lattice.rf_frequency, ring.rf_reference)
        if self.momentum == "orbit":
            if target == 0.0:
                self._guess = None
                self._prepare(BEAM, 0.0)
                return self._beam(lattice, _Result(self, self._wanted))
            own = self._lengthening(REFERENCE, 0.0)
            if own is None:
                return self._no_beam(lattice, 0.0, self._why_no_orbit() or "no closed orbit at the reference momentum")
            target += own[0]
        guess, self._guess = self._guess, None
        result = self._follow(target, guess) if guess is not None else None
        if result is None:
            found = find_momentum(lambda delta: self._lengthening(BEAM, delta), target)
            if found.reason:
                return self._no_beam(lattice, found.delta, self._why_no_orbit() or found.reason)
            result = self._follow(target, found)
            if result is None:
                self._prepare(BEAM, found.delta)
                result = _Result(self, self._wanted)
        beam = self._beam(lattice, result)
        if beam.found and math.isfinite(result.slope):
            self._guess = Momentum(beam.delta, result.slope)
        return beam

    def _follow(self, target: float, guess: Momentum) -> "_Result | None":
        """Find orbit and momentum deviation together, from a nearby solution; None if its branch has no solution."""
        self._prepare(BEAM, guess.delta)
        reach = min(REACH, REACH_BY_COMPACTION * abs(guess.slope) / self.ring.circumference) or REACH
        for _ in range(REBUILDS):
            result = _Result(self, self._wanted | FOLLOW, target, reach)
            if not abs(result.delta - guess.delta) < NEAR:
                return None
            if result.status != MOVED:
                same = guess.slope == 0.0 or result.slope * guess.slope > 0.0
                return result if same and (result.status == FOUND or result.status >= UNSTABLE) else None
            self._prepare(BEAM, result.delta)
        return None

    def _why_no_orbit(self) -> str:
        """Return the reason why there is no beam at the reference momentum either; empty if there is one."""
        self._prepare(BEAM, 0.0)
        return why_no_beam(self._measure(BEAM))

    def _beam(self, lattice: Lattice, result: "_Result") -> BeamState:
        if reason := why_no_beam(result.report):
            return self._no_beam(lattice, result.delta, reason)
        orbit, dispersion, optics, pairs = result.orbit, result.dispersion, result.optics, result.pairs
        for array in (orbit, dispersion, optics, pairs):
            array.flags.writeable = False
        if not self.optics:
            return BeamState(
                lattice.id, True, "", result.delta, orbit, self._no_matrix, self._no_pair, self._no_optics,
                self._no_optics, self._no_optics, self._no_orbit, self._no_pair, math.nan,
            )  # fmt: skip
        one_turn = self.program.tables.turns[BEAM].reshape(4, 5)[:, :4].copy()
        one_turn.flags.writeable = False
        beta, alpha, phase = optics
        chromatic = (self._no_orbit, self._no_pair, math.nan)
        if self.chromatic:
            chromatic = (dispersion, pairs[1], result.slope / self.ring.circumference)
        return BeamState(
            lattice.id, True, "", result.delta, orbit, one_turn, pairs[0], beta.T, alpha.T, phase.T, *chromatic
        )

    def _no_beam(self, lattice: Lattice, delta: float, reason: str) -> BeamState:
        return BeamState(
            lattice.id, False, reason, delta, self._no_orbit, self._no_matrix, self._no_pair, self._no_optics,
            self._no_optics, self._no_optics, self._no_orbit, self._no_pair, math.nan,
        )  # fmt: skip


class _Result:
    """The kernel's result for the beam's slot: arrays and the report on them."""

    __slots__ = ("delta", "dispersion", "optics", "orbit", "pairs", "report", "slope", "status")

    def __init__(self, propagate: Propagator, wanted: int, target: float = 0.0, reach: float = 0.0) -> None:
        n = propagate.program.tables.kinds.size + 1
        self.orbit, self.dispersion, self.optics, self.pairs = (
            np.empty((n, 4)), np.empty((n, 4)), np.empty((3, 2, n)), np.empty((2, 2))
        )  # fmt: skip
        self.report = np.zeros(place.REPORT)
        propagate.program.find(
            BEAM, wanted, target, reach, self.orbit, self.dispersion, self.optics, self.pairs, self.report
        )
        self.status = int(self.report[place.STATUS])
        self.slope = float(self.report[place.PATH_SLOPE])
        self.delta = float(self.report[place.MOMENTUM])


def _nan(*shape: int) -> Floats:
    array = np.full(shape, np.nan)
    array.flags.writeable = False
    return array
