"""Points in time as people write them: an age (90s, 10m, 2h, 3d) or an ISO time."""

import math
import time
from datetime import datetime

from gnomon.lattice import GnomonError
from gnomon.lattice.text import NotANumberError, parse_number, shorten

__all__ = ["NotATimeError", "parse_moment"]

#: Seconds by the last letter of an age.
_AGO = {"s": 1, "m": 60, "h": 3600, "d": 86400}
#: Times that can be asked for [s since 1970]: 1900 to 2200. The journal's nanoseconds end in 2262.
MIN_TIME_S, MAX_TIME_S = -2_208_988_800, 7_258_118_400
MAX_AGE_DAYS = 45_000


class NotATimeError(GnomonError):
    """A text that is not a point in time, or one that no journal can hold."""


def parse_moment(text: str) -> int:
    """Convert an age or an ISO time (local unless it has a time zone) to a time [ns since 1970].

    Raises NotATimeError.
    """
    unit = _AGO.get(text[-1:])
    moment_s = _iso_time(text) if unit is None else _ago(text[:-1], unit)
    if moment_s is None:
        raise NotATimeError(
            f"{shorten(text)} is not a time; give an age (90s, 10m, 2h, 3d) or an ISO time (2026-11-21T10:30)"
        )
    if not MIN_TIME_S <= moment_s <= MAX_TIME_S:
        raise NotATimeError(
            f"{shorten(text)} is not within the times that a journal can hold; give an age of at most {MAX_AGE_DAYS}d, "
            "or an ISO time from 1900 to 2200"
        )
    return round(moment_s * 1e6) * 1000


def _ago(number: str, unit_s: int) -> float | None:
    """Time of an age [s since 1970]; None for what is not an age."""
    try:
        age = parse_number(number)
    except NotANumberError:
        return None
    if number[:1] in "+- ":
        return None
    return time.time() - age * unit_s if age * unit_s <= MAX_AGE_DAYS * _AGO["d"] else -math.inf


def _iso_time(text: str) -> float | None:
    """Time of an ISO time [s since 1970]; None for what is not one."""
    try:
        return datetime.fromisoformat(text).timestamp() if text.isascii() else None
    except (ValueError, OverflowError, OSError):
        return None
