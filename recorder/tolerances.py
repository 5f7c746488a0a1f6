"""Tolerances within which two values of a setpoint count as equal."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from gnomon.lattice.text import NotANumberError, parse_number, shorten
from gnomon.recorder.recorder_errors import ReviewError
from gnomon.recorder.snapshots import Entry

__all__ = ["parse_tolerances"]


def parse_tolerances(texts: Iterable[str]) -> Callable[[Entry], float]:
    """Read tolerances `VALUE` (of every setpoint) and `PATTERN=VALUE`; if several match, the last one counts.

    `PATTERN`, with `*` and `?`, selects PVs by name without prefix, or a kind of setting such as `current`, `frequency`
    or `k1_trim`. `VALUE` is in the PV's unit, or with `%` in percent of the first snapshot's value. Without any, values
    must be equal. Raises ReviewError.
    """
    rules = [_rule(text) for text in texts]

    def tolerance(entry: Entry) -> float:
        for pattern, value, relative in reversed(rules):
            if fnmatchcase(entry.label, pattern) or fnmatchcase(entry.setting, pattern):
                return value * abs(entry.value) if relative else value
        return 0.0

    return tolerance


def _rule(text: str) -> tuple[str, float, bool]:
    pattern, _, number = text.rpartition("=")
    relative = number.endswith("%")
    try:
        value = parse_number(number.removesuffix("%"))
    except NotANumberError as error:
        raise ReviewError(f"tolerance {shorten(text)}: {error}; use VALUE, VALUE% or PATTERN=VALUE") from error
    if value < 0.0:
        raise ReviewError(f"tolerance {shorten(text)}: {value:g} is negative; use 0 or more")
    return pattern or "*", value / 100.0 if relative else value, relative
