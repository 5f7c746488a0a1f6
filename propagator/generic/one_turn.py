"""The one-turn map as power series in phase space and knobs, and the quantities that follow from it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Lattice
from gnomon.propagator.generic.closed_orbit import TRANSVERSE, closed_orbit
from gnomon.propagator.generic.generic_errors import SeriesError
from gnomon.propagator.generic.knobs import Knob
from gnomon.propagator.generic.normal_modes import find_modes
from gnomon.propagator.generic.power_series import TpsSpace, TruncatedPowerSeries, Variable, acos, sqrt
from gnomon.propagator.generic.preprocessor import Program, knob_places
from gnomon.propagator.generic.processor import propagate
from gnomon.propagator.physics.phase_space import PhaseSpace

Floats = NDArray[np.float64]


def one_turn_map(
    lattice: Lattice,
    order: int,
    knobs: Sequence[Knob] = (),
    *,
    delta: float = 0.0,
    memory_mb: float = 1000.0,
    time_limit_s: float | None = None,
) -> "OneTurnMap":
    """Compute the map of a turn about the closed orbit at `delta`, with cavities off.

    Its variables are x, px, y, py, delta and the knobs, each as the deviation from its present value. Raises KnobError
    for an unknown knob, SeriesError if order and knobs need more than the allowed memory, and what `Program.of` and
    `propagate` raise.
    """
    space = TpsSpace(order, (*TRANSVERSE, "delta", *knobs), memory_mb=memory_mb)
    places = knob_places(lattice, knobs)
    values = {k: space.variable(k, p.value(lattice.element(p.index))) for k, p in places.items()}
    orbit = closed_orbit(Program.of(lattice), delta)
    start = [space.variable(name, at) for name, at in zip(TRANSVERSE, orbit.tolist(), strict=True)]
    ray = PhaseSpace._make([*start, space.variable("delta", delta), 0.0])
    end = propagate(Program.of(lattice, values), ray, time_limit_s=time_limit_s)
    return OneTurnMap(space, orbit, delta, end, lattice.ring.circumference)


@dataclass(frozen=True, eq=False)
class OneTurnMap:
    """A turn as power series about the closed orbit.

    `orbit` (4,) is x, px, y, py [m, rad] at the ring's start at momentum deviation `delta`; `end` is the coordinates
    after a turn, where ct is the path less the circumference.
    """

    space: TpsSpace
    orbit: Floats
    delta: float
    end: PhaseSpace
    circumference: float

    @property
    def matrix(self) -> Floats:
        """The first order (4, 4) in x, px, y, py: the one-turn matrix."""
        return np.array([series.linear()[:4] for series in self.end[:4]])

    @property
    def parameters(self) -> tuple[Variable, ...]:
        """The variables that a turn does not change: delta and the knobs."""
        return self.space.variables[4:]

    @cached_property
    def fixed_point(self) -> list[TruncatedPowerSeries]:
        """Compute x, px, y, py of the closed orbit as series in delta and the knobs, to the map's order.

        Newton's method on series: each step with the one-turn matrix is correct to one order more. The first order in
        delta is the dispersion, the first order in a knob the orbit's response to it.
        """
        turn = [s - at for s, at in zip(self.end[:4], self.orbit.tolist(), strict=True)]
        inverse = np.linalg.inv(np.eye(4) - self.matrix)
        point = [self.space.constant(0.0)] * 4
        for _ in range(self.space.order):
            after = self.space.substitute(turn, self._values(point))
            miss = np.array([(a - p).coefficients for a, p in zip(after, point, strict=True)])
            point = [
                TruncatedPowerSeries(self.space, p.coefficients + step)
                for p, step in zip(point, inverse @ miss, strict=True)
            ]
        return [p + at for p, at in zip(point, self.orbit.tolist(), strict=True)]

    def _values(self, point: Sequence[TruncatedPowerSeries]) -> list[TruncatedPowerSeries]:
        """Return the values of all variables: the coordinates from `point`, the parameters unchanged."""
        return [*point, *(self.space.variable(p) for p in self.parameters)]

    @cached_property
    def lengthening(self) -> TruncatedPowerSeries:
        """Compute the closed orbit's path less the circumference [m] as a series in delta and the knobs."""
        point = [p - at for p, at in zip(self.fixed_point, self.orbit.tolist(), strict=True)]
        return self.space.substitute([self.end.ct], self._values(point))[0]

    @cached_property
    def tunes(self) -> tuple[TruncatedPowerSeries, TruncatedPowerSeries]:
        """Compute the fractional tunes of both modes as series in delta and the knobs; the closed orbit follows these.

        The order of the series is one less than the map's. Without coupling, mode 1 is the one in x (D. Edwards and
        L. Teng, IEEE Trans. Nucl. Sci. 20 (1973) 885). Raises SeriesError when the beam is not stable, or the tunes are
        equal and coupled.
        """
        modes = find_modes(self.matrix)
        if self.space.order < 2:
            raise SeriesError(f"tunes as series need a map of order 2 at least, this one has {self.space.order}")
        point = [p - at for p, at in zip(self.fixed_point, self.orbit.tolist(), strict=True)]
        slopes = [series.derivative(name) for series in self.end[:4] for name in TRANSVERSE]
        known = TpsSpace(self.space.order - 1, self.parameters, memory_mb=math.inf)
        m = np.array([_restricted(s, known) for s in self.space.substitute(slopes, self._values(point))], dtype=object)
        m = m.reshape(4, 4)
        trace_x, trace_y = m[0, 0] + m[1, 1], m[2, 2] + m[3, 3]
        h00, h01 = m[0, 2] + m[3, 1], m[0, 3] - m[2, 1]
        h10, h11 = m[1, 2] - m[3, 0], m[1, 3] + m[2, 0]
        half = (trace_x - trace_y) / 2
        coupling = h00 * h11 - h01 * h10
        root = half
        if coupling.coefficients.any():
            square = half * half + coupling
            if not square.constant > 0.0:
                raise SeriesError("the tunes are equal and coupled: they have no derivatives; move one of them")
            root = sqrt(square) * math.copysign(1.0, half.constant)
        mean = (trace_x + trace_y) / 2
        found = []
        for trace, tune in zip((mean + root, mean - root), modes.tunes, strict=True):
            turns = acos(trace / 2) / (2.0 * math.pi)
            found.append(turns if tune < 0.5 else 1.0 - turns)
        return found[0], found[1]

    def chromaticity(self, order: int = 1) -> Floats:
        """Compute the tunes' derivatives (2,) of this order with respect to delta; the map needs one order more."""
        powers: tuple[Variable, ...] = ("delta",) * order
        return np.array([tune.coefficient(*powers) * math.factorial(order) for tune in self.tunes])


def _restricted(series: TruncatedPowerSeries, space: TpsSpace) -> TruncatedPowerSeries:
    """Restrict a series to the variables and orders of a smaller space."""
    own = series.space
    number = np.array([0, *(1 + own.index[v] for v in space.variables)])
    return TruncatedPowerSeries(space, series.coefficients[own.monomials.find(number[space.monomials.factors])])
