"""Devices: what a command can name, and how what it sets reaches the elements.

A *setting* is a number that is stored in a lattice version. Most properties are a setting themselves; a magnet's main
strength is not: strength = conversion(current) + trim, and setting the strength stores the trim.
"""

import math
from dataclasses import dataclass

from gnomon.lattice._errors import RefusedValue
from gnomon.lattice.conversions import Conversion

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertySpec:
    """One property of one device: its unit, its limits, and the setting behind it.

    `slot` is the place of the setting in a lattice version, or None for a property that can only be read.
    `setting` is the name of the stored setting, `property` itself unless a trim stands behind it. `whole` is for those
    that count something, or that stand for one of the named `states`.
    """

    device: str
    property: str
    unit: str
    low: float
    high: float
    nominal: float
    alarm_low: float | None = None
    alarm_high: float | None = None
    slot: int | None = None
    setting: str = ""
    whole: bool = False
    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnet:
    """A field that a supply drives, at one column of one element's parameter row.

    At the nominal energy, whose `rigidity` this is, the strength with a linear conversion is `settings[scale_slot] *
    current + intercept`; else it is `conversion.field(current) / rigidity`. At another energy it is that many times
    smaller as the rigidity is larger. `selection` is the number by which a multiplexer picks this magnet.
    """

    name: str
    element: int
    column: int
    main: str
    unit: str
    supply: str
    conversion: Conversion
    rigidity: float
    supply_slot: int
    trim_slot: int
    scale_slot: int | None
    intercept: float
    selection: int | None = None

    @property
    def drives(self) -> str:
        """Property that it drives, for people and the journal: `Q1M1D1R.k1`."""
        return f"{self.name}.{self.main}"


@dataclass(frozen=True, slots=True)
class Multiplexer:
    """A supply that can be connected to one magnet at a time, and that acts while it is on.

    A selection shows three states, the magnet's name, `off_name` and the name again, each but the last for `state_s`.
    """

    name: str
    supply: str
    factor: float
    current_slot: int
    selected_slot: int
    on_slot: int
    magnets: tuple[str, ...]
    state_s: float
    off_name: str


@dataclass(frozen=True, slots=True)
class BeamPositionMonitor:
    """A monitor whose position clients read; `slot` is its place in a packed waveform, from 1."""

    name: str
    element: int
    slot: int | None
    offset_x_mm: float
    offset_y_mm: float


def checked(spec: PropertySpec, value: float) -> float:
    """Check a value against a property's limits, and return it. Raises RefusedValue with value, unit and limits."""
    if spec.low <= value <= spec.high and math.isfinite(value) and (not spec.whole or value == int(value)):
        return float(value)
    what, unit = f"{spec.device} {spec.property}", spec.unit and f" {spec.unit}"
    if not math.isfinite(value):
        raise RefusedValue(f"{what} = {value}{unit}: not a finite number; nothing was changed")
    if spec.low <= value <= spec.high:
        raise RefusedValue(f"{what} = {value:g}: not a whole number; nothing was changed")
    raise RefusedValue(
        f"{what} = {value:g}{unit}: outside the limits {spec.low:g} to {spec.high:g}{unit}; nothing was changed"
    )
