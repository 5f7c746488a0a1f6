"""Safe and unsafe commands, in cases worked by hand."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from bench.gate_limits import Class, TrueLimits
from numpy.typing import NDArray

from gnomon.lattice.resonances import ResonanceLine

LIMITS = TrueLimits(np.zeros((3, 2)), (ResonanceLine(3, 0, 1), ResonanceLine(1, -1, 0)))


@dataclass(frozen=True)
class Beam:
    mm: float = 0.0
    tune: NDArray[np.float64] = field(default_factory=lambda: np.array([0.30, 0.20]))
    found: bool = True

    @property
    def orbit(self) -> NDArray[np.float64]:
        orbit = np.zeros((3, 2))
        orbit[1, 1] = self.mm
        return orbit


def at(x: float, y: float) -> Beam:
    return Beam(tune=np.array([x, y]))


def test_a_step_within_80_percent_of_the_gates_limit_is_safe() -> None:
    assert LIMITS.classify(Beam(), [Beam(0.2), Beam(-0.4)]) is Class.SAFE


def test_a_step_beyond_that_is_neither_until_it_leaves_the_envelope() -> None:
    assert LIMITS.classify(Beam(), [Beam(0.41)]) is Class.BETWEEN
    assert LIMITS.classify(Beam(), [Beam(1.0)]) is Class.BETWEEN
    assert LIMITS.classify(Beam(), [Beam(1.001)]) is Class.UNSAFE


def test_one_moment_outside_of_the_envelope_makes_the_whole_ramp_unsafe() -> None:
    assert LIMITS.classify(Beam(), [Beam(0.5), Beam(-1.1), Beam(0.0)]) is Class.UNSAFE


def test_a_lost_beam_is_unsafe() -> None:
    lost = Beam(np.nan, np.full(2, np.nan), found=False)
    assert LIMITS.classify(Beam(), [lost, Beam()]) is Class.UNSAFE


def test_a_line_that_is_crossed_and_crossed_back_is_unsafe() -> None:
    # 3 Qx = 1 is at 0.33333.
    assert LIMITS.classify(at(0.30, 0.2), [at(0.335, 0.2), at(0.30, 0.2)]) is Class.UNSAFE
    assert LIMITS.classify(at(0.30, 0.2), [at(0.334, 0.2)]) is Class.UNSAFE


def test_a_working_point_near_a_line_is_not_safe() -> None:
    # Half width 0.005 / 0.8 = 0.00625, so Qx up to 0.32708 is safe.
    assert LIMITS.classify(at(0.30, 0.2), [at(0.327, 0.2)]) is Class.SAFE
    assert LIMITS.classify(at(0.30, 0.2), [at(0.3272, 0.2)]) is Class.BETWEEN


def test_distance_from_a_coupling_line_is_perpendicular() -> None:
    # |Qx - Qy| / sqrt(2) = 0.00625 at a difference of 0.00884.
    assert LIMITS.classify(at(0.25, 0.24), [at(0.25, 0.2411)]) is Class.SAFE
    assert LIMITS.classify(at(0.25, 0.24), [at(0.25, 0.2412)]) is Class.BETWEEN
    assert LIMITS.classify(at(0.25, 0.24), [at(0.25, 0.26)]) is Class.UNSAFE


def test_no_moment_is_looked_at_after_an_unsafe_one() -> None:
    looked = []

    def moments() -> Iterator[Beam]:
        for beam in (Beam(0.1), Beam(1.1), Beam(0.2)):
            looked.append(beam.mm)
            yield beam

    assert LIMITS.classify(Beam(), moments()) is Class.UNSAFE
    assert looked == [0.1, 1.1]
