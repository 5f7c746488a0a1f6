"""Definitions of safe and unsafe, as the evidence counts them: from the true beam at moments of a ramp. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice.resonances import ResonanceLine

Floats = NDArray[np.float64]


class Class(StrEnum):
    """Class of a command by what the machine would do. `BETWEEN` is neither safe nor unsafe, and is not counted."""

    SAFE = "safe"
    BETWEEN = "between"
    UNSAFE = "unsafe"


class TrueBeam(Protocol):
    """The true beam at one moment; see `gate_truth.Moment`."""

    @property
    def found(self) -> bool: ...
    @property
    def orbit(self) -> Floats: ...
    @property
    def tune(self) -> Floats: ...


@dataclass(frozen=True, slots=True, eq=False)
class TrueLimits:
    """The interlock's envelope and the gate's limits, around a reference orbit (m, 2) [mm].

    `envelope_mm` is the interlock's, `gate_mm` the gate's; no line of `lines` may be nearer than `half_width` by the
    gate's limits. Safe is what stays within `safe_part` of the gate's limits.
    """

    reference: Floats
    lines: tuple[ResonanceLine, ...]
    envelope_mm: float = 1.0
    gate_mm: float = 0.5
    half_width: float = 0.005
    safe_part: float = 0.8

    def classify(self, start: TrueBeam, moments: Iterable[TrueBeam]) -> Class:
        """Classify a command by the beam at its start and at the moments of its ramp.

        Unsafe: at any moment the beam is lost, or outside of the envelope, or a line was crossed since the start. The
        moments are in any order; no more are looked at after one that is unsafe.
        """
        safe = self._is_safe(start)
        if self._is_unsafe(start):
            return Class.UNSAFE
        for beam in moments:
            if self._is_unsafe(beam) or self._crosses(start, beam):
                return Class.UNSAFE
            safe = safe and self._is_safe(beam)
        return Class.SAFE if safe else Class.BETWEEN

    def leaves_limits(self, start: TrueBeam, moments: Iterable[TrueBeam]) -> bool:
        """Tell whether a command starts inside of the gate's limits and leaves them on its way."""
        return self._within(start) and not all(self._within(beam) for beam in moments)

    def excursion(self, beam: TrueBeam) -> float:
        """Largest distance from the reference orbit at a monitor [mm]."""
        return float(np.max(np.abs(beam.orbit - self.reference)))

    def _is_unsafe(self, beam: TrueBeam) -> bool:
        return not beam.found or not self.excursion(beam) <= self.envelope_mm

    def _is_safe(self, beam: TrueBeam) -> bool:
        return self._within(beam, self.safe_part)

    def _within(self, beam: TrueBeam, part: float = 1.0) -> bool:
        near = min((line.distance(*beam.tune.tolist()) for line in self.lines), default=np.inf)
        return self.excursion(beam) <= part * self.gate_mm and near >= self.half_width / part

    def _crosses(self, start: TrueBeam, beam: TrueBeam) -> bool:
        if not np.isfinite(start.tune).all():
            return False
        return bool((_sides(self.lines, start.tune) * _sides(self.lines, beam.tune) <= 0.0).any())


def _sides(lines: Sequence[ResonanceLine], tune: Floats) -> Floats:
    return np.array([line.m * tune[0] + line.n * tune[1] - line.p for line in lines])
