"""Drive limits: the values that a setpoint takes. What is beyond them is refused, not clamped (decision 9)."""

import math

from gnomon.db.pvs import PvSpec


def outside_drive_limits(spec: PvSpec, number: float) -> str:
    """Give the reason to refuse a number in the PV's unit; empty if the number is allowed.

    The number has as many digits as needed to distinguish it from the limits.
    """
    if not math.isfinite(number):
        return f"{spec.name} = {number} {spec.unit}: not a finite number; nothing was changed"
    if spec.drive is not None and not spec.drive[0] <= number <= spec.drive[1]:
        low, high = spec.drive
        digits = next((n for n in range(10, 17) if f"{number:.{n}g}" not in (f"{low:.{n}g}", f"{high:.{n}g}")), 17)
        return (
            f"{spec.name} = {number:.{digits}g} {spec.unit}: outside the drive limits "
            f"{low:.{digits}g} to {high:.{digits}g} {spec.unit}; nothing was changed"
        )
    return ""
