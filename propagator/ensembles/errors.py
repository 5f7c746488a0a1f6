"""What tracking refuses or ends."""

from gnomon.lattice import GnomonError


class TrackingError(GnomonError):
    """What cannot be tracked, or took too long: what, the value, the limit."""


def checked_number(what: str, value: float, unit: str, low: float, high: float) -> float:
    """The value, if it is finite and within `low` to `high`. Raises TrackingError that says so."""
    if not low <= value <= high:
        raise TrackingError(f"{what}: {value!r} {unit} is not between {low:g} and {high:g} {unit}".replace("  ", " "))
    return float(value)


def checked_count(what: str, value: int, low: int, high: int) -> int:
    """The value, if it is a whole number within `low` to `high`. Raises TrackingError that says so."""
    if int(value) != value or not low <= value <= high:
        raise TrackingError(f"{what}: {value!r} is not a whole number between {low} and {high}")
    return int(value)
