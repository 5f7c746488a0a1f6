"""One value of a PV as a client got it, the same over both protocols."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["Reading", "jsonable"]

#: Latest time that is shown, before the last year of a date, whatever the time zone [s].
MAX_TIME_S = 253_370_764_800
#: Names of severities by number, as both protocols have them.
SEVERITIES = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")


@dataclass(frozen=True, slots=True)
class Reading:
    """A value with all that the server says about it.

    `value` is a float, an int, a text, a numpy array, a list of texts, or for a table a dict of columns by name. For a
    PV with states it is the state's name, and `index` its number. `alarm` is the server's word for what is wrong.
    """

    name: str
    value: Any
    unit: str = ""
    severity: int = 0
    alarm: str = ""
    time_ns: int = 0
    states: tuple[str, ...] = ()
    index: int | None = None
    limits: tuple[float, float] | None = None
    description: str = ""

    @property
    def severity_name(self) -> str:
        """Name of the severity: NO_ALARM, MINOR, MAJOR or INVALID."""
        return SEVERITIES[self.severity] if 0 <= self.severity < len(SEVERITIES) else str(self.severity)

    @property
    def time(self) -> str:
        """Local time with milliseconds, as text; empty if the PV never had a value, or has an impossible time."""
        seconds, rest = divmod(self.time_ns, 1_000_000_000)
        if not 0 < seconds <= MAX_TIME_S:
            return ""
        return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03d}"

    def to_json(self) -> dict[str, Any]:
        """Return all of it, ready for json.dumps; NaN and infinity become None."""
        told: dict[str, Any] = {"name": self.name, "value": jsonable(self.value), "unit": self.unit}
        if self.index is not None:
            told |= {"index": self.index, "states": list(self.states)}
        return told | {"severity": self.severity_name, "alarm": self.alarm, "time": self.time, "time_ns": self.time_ns}


def jsonable(value: Any) -> Any:
    """Convert arrays, lists and tables to what JSON has."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [jsonable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
