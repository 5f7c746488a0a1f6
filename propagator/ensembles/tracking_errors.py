"""Errors of tracking."""

from gnomon.lattice import GnomonError


class TrackingError(GnomonError):
    """Tracking that was refused for a quantity, or ended by a time limit; the text has the value and the limit."""


def checked_number(what: str, value: float, unit: str, low: float, high: float) -> float:
    """Return the value. Raises TrackingError unless it is finite and within `low` to `high`."""
    if not low <= value <= high:
        raise TrackingError(f"{what}: {value!r} {unit} is not between {low:g} and {high:g} {unit}".replace("  ", " "))
    return float(value)


def checked_count(what: str, value: int, low: int, high: int) -> int:
    """Return the value. Raises TrackingError unless it is a whole number within `low` to `high`."""
    if int(value) != value or not low <= value <= high:
        raise TrackingError(f"{what}: {value!r} is not a whole number between {low} and {high}")
    return int(value)
