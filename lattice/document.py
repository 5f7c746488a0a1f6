"""The machine document: a ring as JSON.

Everything that a document may say stands in `MachineDocument`; an unknown key is refused.
"""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gnomon.lattice.elements import SLICES

__all__ = [
    "NOMINAL_OPTICS",
    "BendPart",
    "BpmPart",
    "CavityPart",
    "Coefficients",
    "ConversionPart",
    "CorrectorPart",
    "DriftPart",
    "ElementPart",
    "FamilyPart",
    "Length",
    "LimitsPart",
    "LinearPart",
    "MagnetPart",
    "MarkerPart",
    "MonitorErrorPart",
    "MonitorPart",
    "MultiplexerPart",
    "MultipolePart",
    "Name",
    "OctupolePart",
    "OperatingPart",
    "Part",
    "PickupPart",
    "PlacedPart",
    "PolynomialPart",
    "Property",
    "QuadrupolePart",
    "RangePart",
    "RfPart",
    "SextupolePart",
    "SlicedPart",
    "SourcePointPart",
    "StoredBeamPart",
    "SupplyPart",
    "SwitchPart",
    "TablePart",
]

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.:-]*$", max_length=60)]
Length = Annotated[float, Field(ge=0.0, description="m")]
Coefficients = Annotated[tuple[float, float, float, float], Field(description="orders 1 (dipole) to 4 (octupole)")]
NO_FIELD = (0.0, 0.0, 0.0, 0.0)
#: What the design's own strengths are called among the optics.
NOMINAL_OPTICS = "nominal"


class Part(BaseModel):
    """A part of a document: unknown keys, infinities and NaN are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DriftPart(Part):
    """Free space, or anything that acts as such."""

    type: Literal["drift"]
    name: Name
    length: Length


class MarkerPart(Part):
    """A named place of no length."""

    type: Literal["marker"]
    name: Name


class MonitorPart(Part):
    """A beam diagnostic; only those listed under `monitors` are read as beam position monitors."""

    type: Literal["monitor"]
    name: Name
    length: Length = 0.0


class PlacedPart(Part):
    """Properties that any magnet may have: coils that kick, and a place off the axis; settings add to them."""

    kick_x: float = Field(default=0.0, description="rad")
    kick_y: float = Field(default=0.0, description="rad")
    dx: float = Field(default=0.0, description="m")
    dy: float = Field(default=0.0, description="m")
    roll: float = Field(default=0.0, description="rad")


class SlicedPart(PlacedPart):
    """A magnet whose field is integrated in slices."""

    slices: int = Field(default=SLICES, ge=1, le=1000, description="of the integrator; no effect at a length of 0")


class QuadrupolePart(SlicedPart):
    """k1 [1/m^2] is the nominal strength."""

    type: Literal["quadrupole"]
    name: Name
    length: Length
    k1: float = Field(description="1/m^2")


class SextupolePart(SlicedPart):
    """b3 [1/m^3], half of k2, is the nominal strength."""

    type: Literal["sextupole"]
    name: Name
    length: Length
    b3: float = Field(description="1/m^3, half of k2")


class OctupolePart(SlicedPart):
    """b4 [1/m^4], a sixth of k3, is the nominal strength."""

    type: Literal["octupole"]
    name: Name
    length: Length
    b4: float = Field(description="1/m^4, a sixth of k3")


class MultipolePart(SlicedPart):
    """Any straight magnet; with a length of 0, a and b are integrated strengths."""

    type: Literal["multipole"]
    name: Name
    length: Length
    a: Coefficients = NO_FIELD
    b: Coefficients = NO_FIELD


class CorrectorPart(PlacedPart):
    """A steerer on its own."""

    type: Literal["corrector"]
    name: Name
    length: Length = 0.0


class BendPart(SlicedPart):
    """A sector bend with rotated edges and, if wanted, a gradient."""

    type: Literal["bend"]
    name: Name
    length: Annotated[float, Field(gt=0.0, description="m")]
    angle: float = Field(description="rad")
    entrance_angle: float = Field(default=0.0, description="rad")
    exit_angle: float = Field(default=0.0, description="rad")
    gap: Length = 0.0
    fint_entrance: float = Field(default=0.0, ge=0.0)
    fint_exit: float = Field(default=0.0, ge=0.0)
    a: Coefficients = NO_FIELD
    b: Coefficients = NO_FIELD


class CavityPart(Part):
    """A cavity."""

    type: Literal["cavity"]
    name: Name
    length: Length
    frequency: float = Field(ge=0.0, description="Hz")
    voltage: float = Field(description="V")
    harmonic_number: int = Field(ge=0)


ElementPart = Annotated[
    DriftPart
    | MarkerPart
    | MonitorPart
    | QuadrupolePart
    | SextupolePart
    | OctupolePart
    | MultipolePart
    | CorrectorPart
    | BendPart
    | CavityPart,
    Field(discriminator="type"),
]


class LinearPart(Part):
    """field = slope x current + intercept."""

    kind: Literal["linear"]
    slope: float = Field(description="T/m^n per A")
    intercept: float = 0.0


class PolynomialPart(Part):
    """field = sum of coefficients[n] x current^n from low to high [A]."""

    kind: Literal["polynomial"]
    coefficients: tuple[float, ...] = Field(min_length=2)
    low: float
    high: float


class TablePart(Part):
    """Measured points."""

    kind: Literal["table"]
    currents: tuple[float, ...] = Field(min_length=2)
    fields: tuple[float, ...] = Field(min_length=2)


ConversionPart = Annotated[LinearPart | PolynomialPart | TablePart, Field(discriminator="kind")]


class RangePart(Part):
    """Drive limits, and alarm limits inside them, in the property's unit; `assumed` marks our own guess."""

    low: float
    high: float
    alarm_low: float | None = None
    alarm_high: float | None = None
    assumed: bool = False


class SupplyPart(Part):
    """A power supply [A]. Without `limits` those of its magnets' family hold."""

    name: Name
    limits: RangePart | None = None
    settle_time_s: float = Field(default=0.5, ge=0.0)
    timeout_s: float = Field(default=2.0, gt=0.0)


Property = Literal["k1", "k1s", "b3", "b4", "kick_x", "kick_y"]


class MagnetPart(Part):
    """A field that a supply drives: `property` of `element`. `assumed` marks a conversion that is our own guess."""

    name: Name
    element: Name
    property: Property
    supply: Name
    conversion: ConversionPart
    assumed: bool = False


class MultiplexerPart(Part):
    """A supply that can be connected to one magnet at a time, whose current it changes by factor x its own."""

    name: Name
    supply: Name
    factor: float
    limits: RangePart
    magnets: tuple[Name, ...] = Field(min_length=1, description="in the order of the selection's numbers, from 1")
    state_s: float = Field(default=0.1, ge=0.0, le=10.0, description="how long a selection shows each of its states")
    off_name: str = Field(default="Mux OFF", description="what it shows while no magnet is connected")


class SwitchPart(Part):
    """Device that only holds a state: a feedback, a mode. With `states` one of them, by number, else an integer."""

    name: Name
    states: tuple[str, ...] = Field(default=(), max_length=16)
    low: int = 0
    high: int = 0
    nominal: int = 0
    assumed: bool = False


class OperatingPart(Part):
    """Settings of a named optics besides its strengths; the ring's own where it does not say."""

    energy_ev: float | None = Field(default=None, gt=0.0)
    voltage_v: float | None = Field(default=None, ge=0.0)


class SourcePointPart(Part):
    """Place where a beam size is seen: in the middle of a bend. `assumed` marks our own guess of which."""

    name: Name
    element: Name
    assumed: bool = False


class StoredBeamPart(Part):
    """Decay of the stored current from `beam_current_ma`: 1/lifetime = 1/gas + current / volume / touschek.

    `touschek_lifetime_h` is the one at that current and at the nominal beam's volume. With `top_up_s`, the current is
    back at `beam_current_ma` each time that these seconds are over.
    """

    gas_lifetime_h: float = Field(gt=0.0)
    touschek_lifetime_h: float = Field(gt=0.0)
    top_up_s: float | None = Field(default=None, gt=0.0)
    gate_s: float = Field(default=1.0, ge=0.0, description="the injection gate is on so long before and after top-up")
    assumed: bool = True


class PickupPart(Part):
    """Response of a monitor's four buttons: a centred beam gives 1 in each, a displaced one 1 +- x/kx +- y/ky.

    The factors kx, ky [mm] are those of difference over sum. The buttons A, B, C, D are those at (+x, +y), (-x, +y),
    (-x, -y), (+x, -y).
    """

    factor_x_mm: float = Field(default=10.0, gt=0.0)
    factor_y_mm: float = Field(default=10.0, gt=0.0)
    assumed: bool = True


class MonitorErrorPart(Part):
    """Known errors of a monitor, the nominal values of its settings: gain (position in the rolled axes - offset)."""

    offset_x_mm: float = 0.0
    offset_y_mm: float = 0.0
    gain_x: float = 1.0
    gain_y: float = 1.0
    roll_rad: float = Field(default=0.0, description="from x to y, as a magnet's roll [rad]")


class BpmPart(Part):
    """A beam position monitor, in beam order; its offsets [mm] are those of the hardware, which its readings leave out.

    `error` is for monitors that are known to read wrongly; without it they are ideal.
    """

    name: Name
    slot: int | None = Field(default=None, ge=1, le=128, description="place in the packed waveform, from 1")
    offset_x_mm: float = 0.0
    offset_y_mm: float = 0.0
    error: MonitorErrorPart | None = None


class FamilyPart(Part):
    """Limits of a family: `relative` to the nominal value, or `absolute` where that is 0 or where they are given."""

    relative: tuple[float, float] | None = None
    absolute: tuple[float, float] | None = None
    alarm: tuple[float, float] | None = None


class LimitsPart(Part):
    """Limits where the facility gives none."""

    assumed: bool = True
    supply: dict[Property, FamilyPart] = Field(description="current [A] by what the supply drives")
    strength: tuple[float, float] = Field(description="times the nominal strength, and conversion factor")
    offset_m: float = Field(gt=0.0)
    roll_rad: float = Field(gt=0.0)
    skew: float = Field(gt=0.0, description="skew quadrupole error [1/m^2]")
    rf_hz: float = Field(gt=0.0, description="around the reference frequency")
    voltage_v: float = Field(default=1e6, gt=0.0, description="highest; 1.5 times the nominal if that is higher")
    energy: tuple[float, float] = Field(default=(0.1, 1.1), description="times the nominal energy")
    monitor_offset_m: float = Field(default=2e-3, gt=0.0)
    monitor_gain: tuple[float, float] = Field(default=(0.5, 1.5), description="lowest and highest, around 1")
    monitor_roll_rad: float = Field(default=0.1, gt=0.0)


class RfPart(Part):
    """The master clock as operators see it."""

    unit: Literal["Hz", "kHz"]
    voltage_unit: Literal["V", "kV", "MV"] = "kV"


class MachineDocument(Part):
    """A storage ring: what stands where, what feeds it, what is read from it."""

    schema_: Literal["gnomon.machine/1"] = Field(alias="schema")
    name: Name
    title: str
    source: str
    notes: tuple[str, ...] = ()
    energy_ev: float = Field(gt=0.0)
    rest_energy_ev: float = Field(default=510998.95069, gt=0.0)
    harmonic_number: int = Field(gt=0)
    beam_current_ma: float = Field(default=0.0, ge=0.0)
    rf: RfPart
    pvs: Name = Field(description="name of the PV document")
    limits: LimitsPart
    elements: tuple[ElementPart, ...] = Field(min_length=1)
    supplies: tuple[SupplyPart, ...] = ()
    magnets: tuple[MagnetPart, ...] = ()
    monitors: tuple[BpmPart, ...] = ()
    pickup: PickupPart = Field(default=PickupPart(), description="of all monitors")
    multiplexer: MultiplexerPart | None = None
    optics: dict[str, dict[Name, float]] = Field(
        default={}, description="named sets of magnet strengths; numbered from 1 in this order, 0 is the nominal one"
    )
    operating: dict[str, OperatingPart] = Field(default={}, description="energy and voltage of named optics")
    switches: tuple[SwitchPart, ...] = ()
    coupling: float = Field(default=0.01, gt=0.0, le=1.0, description="vertical by horizontal emittance")
    source_points: tuple[SourcePointPart, ...] = ()
    stored_beam: StoredBeamPart | None = Field(default=None, description="without it the current stays as it is")

    @property
    def energy_range_ev(self) -> tuple[float, float]:
        """Lowest and highest energy [eV] that may be set: never so low that nothing moves."""
        low, high = (factor * self.energy_ev for factor in self.limits.energy)
        return min(max(low, 1.001 * self.rest_energy_ev), self.energy_ev), high

    def momentum_ev(self, energy_ev: float | None = None) -> float:
        """Momentum times the speed of light [eV] at an energy, the nominal one if none is given."""
        energy = self.energy_ev if energy_ev is None else energy_ev
        return math.sqrt(energy**2 - self.rest_energy_ev**2)
