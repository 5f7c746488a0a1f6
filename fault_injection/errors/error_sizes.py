"""Sizes of the errors: the standard deviation of each kind before its distribution is cut."""

from dataclasses import dataclass, fields, replace
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSizes:
    """Standard deviations of the normal distributions, which are cut at `cut` times that on both sides.

    Strengths, fields and gains are relative; positions in m, rolls in rad. The girder values are those of whole
    girders; a gap between magnets longer than `girder_gap_m` [m] ends one.
    """

    quadrupole_gradient: float = 0.0
    sextupole_strength: float = 0.0
    octupole_strength: float = 0.0
    dipole_field: float = 0.0
    corrector_gain: float = 0.0
    corrector_roll: float = 0.0
    magnet_x: float = 0.0
    magnet_y: float = 0.0
    magnet_roll: float = 0.0
    girder_x: float = 0.0
    girder_y: float = 0.0
    girder_roll: float = 0.0
    monitor_x: float = 0.0
    monitor_y: float = 0.0
    monitor_gain_x: float = 0.0
    monitor_gain_y: float = 0.0
    monitor_roll: float = 0.0
    cut: float = 3.0
    girder_gap_m: float = 0.4

    def scaled(self, factor: float) -> Self:
        """Multiply all sizes, not the cut and the gap."""
        names = [field.name for field in fields(self) if field.name not in ("cut", "girder_gap_m")]
        return replace(self, **{name: factor * getattr(self, name) for name in names})
