"""Description of a PV: its name, its type and all that a client is told about it besides the value."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["AlarmLimits", "Kind", "PvSpec"]


class Kind(StrEnum):
    """The type of a PV's value."""

    FLOAT = "float"
    INT = "int"
    ENUM = "enum"  # value: index into `states`
    STRING = "string"
    FLOATS = "floats"  # 1-d float array of up to `length` values
    INTS = "ints"  # 1-d array of 32-bit whole numbers
    STRINGS = "strings"
    TABLE = "table"  # PV Access only; value: dict of column name -> list or array


@dataclass(frozen=True, slots=True)
class AlarmLimits:
    """Values at and beyond which a PV is in alarm; None where there is no limit."""

    lolo: float | None = None
    low: float | None = None
    high: float | None = None
    hihi: float | None = None


#: One setting that a put makes besides, or instead of, the PV's own: device, property, value.
Preset = tuple[str, str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PvSpec:
    """One PV as clients see it. `source` names what feeds it or what a put to it sets (see `sources`).

    `display` and `drive` are (low, high) in `unit`, None where there is none. `scale` is how many of `unit` make one
    unit of the source, and `offset`, of readbacks alone, is added to that; `length` is the largest number of values;
    `columns` are a table's column names with their labels and types ("float" or "string"). With `presets`, a put of n
    sets all of `presets[n]` and nothing else. `averaging_s` is the time [s] over which a reading of a machine averages
    before its time stamp, with the time that it takes until it is shown.
    """

    name: str
    kind: Kind
    source: str
    description: str
    device: str = ""
    property: str = ""
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    precision: int = 6
    display: tuple[float, float] | None = None
    drive: tuple[float, float] | None = None
    alarm: AlarmLimits = AlarmLimits()
    states: tuple[str, ...] = ()
    length: int = 1
    columns: tuple[tuple[str, str, str], ...] = ()
    writable: bool = False
    presets: tuple[tuple[Preset, ...], ...] = ()
    record_type: str = "ai"  # what `.RTYP` answers
    averaging_s: float = 0.0
