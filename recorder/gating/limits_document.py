"""The limits file of the gate: one YAML file for each machine. Nothing in it has a default.

A limit that is missing is an error that names it; a limit that shall not be checked says `not checked`, which every
verdict shows. The JSON schema is committed in `recorder/schemas`.
"""

from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = ["NOT_CHECKED", "LimitsDocument"]

NOT_CHECKED = "not checked"

#: Smallest half width that a line of resonances may have [tune].
MIN_HALF_WIDTH = 0.005

#: Highest order of a line of resonances.
MAX_ORDER = 12


def _number(value: object) -> object:
    """Refuse `true` and texts where a number belongs; YAML reads `1e-3` as a text."""
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    if isinstance(value, str) and value != NOT_CHECKED:
        raise ValueError("a number is needed; write 1.0e-3 rather than 1e-3")
    return value


Positive = Annotated[float, BeforeValidator(_number), Field(gt=0.0)]
Number = Annotated[float, BeforeValidator(_number)]
Limit = Annotated[float, BeforeValidator(_number), Field(gt=0.0)] | Literal["not checked"]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class Part(BaseModel):
    """A part of the file: unknown keys, infinities and NaN are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FreshLimits(Part):
    """Age and state of what is read before a decision."""

    max_age_s: Positive = Field(description="age of a reading by its time stamp, and of a read value by our clock [s]")
    max_skew_s: Positive = Field(
        description="time by which a time stamp may be in the future, and the clock may have jumped [s]"
    )
    max_severity: Literal["none", "minor", "major"] = Field(
        description="highest alarm severity of a setpoint or readback"
    )


class BaselineLimits(Part):
    """Differences from the state with which the recording began that count as none."""

    share: Positive = Field(description="of a setpoint or readback, as a fraction of the range of its drive limits")
    orbit_mm: Limit = Field(description="of the orbit at any monitor, from the reference orbit [mm]")
    tune: Limit = Field(description="of each tune")


class OrbitLimits(Part):
    """The closed orbit at the monitors, relative to the reference orbit of the recording."""

    x_mm: Positive = Field(description="largest distance at any monitor, horizontal [mm]")
    y_mm: Positive = Field(description="the same, vertical [mm]")
    rms_x_mm: Limit = Field(description="root mean square over all monitors, horizontal [mm]")
    rms_y_mm: Limit = Field(description="the same, vertical [mm]")
    absolute_x_mm: Limit = Field(
        description="largest position at any monitor, whatever the reference orbit is, so that references of one "
        "recording after the other cannot creep away [mm]"
    )
    absolute_y_mm: Limit = Field(description="the same, vertical [mm]")
    max_dead_monitors: int = Field(ge=0, strict=True, description="number of monitors that may show nothing")


class SourceLimits(Part):
    """The beam at the centres of straights, where insertion devices are, as the model finds it from the monitors."""

    x_mm: Limit = Field(description="largest horizontal position [mm]")
    y_mm: Limit = Field(description="largest vertical position [mm]")
    angle_x_mrad: Limit = Field(description="largest horizontal angle [mrad]")
    angle_y_mrad: Limit = Field(description="largest vertical angle [mrad]")


class TuneLine(Part):
    """The resonances x Qx + y Qy = p, for all whole numbers p."""

    x: int = Field(ge=-MAX_ORDER, le=MAX_ORDER, strict=True, description="factor of the horizontal tune")
    y: int = Field(ge=-MAX_ORDER, le=MAX_ORDER, strict=True, description="factor of the vertical tune")
    half_width: Annotated[float, BeforeValidator(_number), Field(ge=MIN_HALF_WIDTH)] = Field(
        description="distance in the tune diagram that is kept from the line; at least 0.005"
    )

    @model_validator(mode="after")
    def _is_a_line(self) -> Self:
        if self.x == 0 and self.y == 0:
            raise ValueError("x and y are both 0: this is not a line of resonances")
        return self


class TuneLimits(Part):
    """The working point."""

    max_change: Positive = Field(description="largest distance of each tune from that at the start of the recording")
    lines: Annotated[tuple[TuneLine, ...], Field(min_length=1)] = Field(
        description="lines of resonances that are kept away from and not crossed; several lines may be one on the other"
    )

    @model_validator(mode="after")
    def _integers_are_listed(self) -> Self:
        listed = {(line.x, line.y) for line in self.lines}
        for x, y, name in ((1, 0, "Qx = p"), (0, 1, "Qy = p"), (2, 0, "2 Qx = p"), (0, 2, "2 Qy = p")):
            if not listed & {(x, y), (-x, -y)}:
                raise ValueError(f"the line {name} is missing: integer and half-integer resonances must be listed")
        return self


class RangeLimits(Part):
    """A lowest and a highest value."""

    low: Number = Field(description="lowest value")
    high: Number = Field(description="highest value")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low:g}; it must be below high, which is {self.high:g}")
        return self


Range = RangeLimits | Literal["not checked"]


class PlaneLimits(Part):
    """A range for each plane."""

    x: Range = Field(description="horizontal")
    y: Range = Field(description="vertical")


class OpticsLimits(Part):
    """The optics, as the model has them."""

    beta_beating_percent: Limit = Field(
        description="largest deviation of the beta functions at the monitors from those of the design [%]"
    )
    dispersion_m: PlaneLimits = Field(description="dispersion at the monitors [m]")
    chromaticity: PlaneLimits = Field(description="chromaticities; their sign decides about the head-tail instability")
    coupling: Limit = Field(description="largest coupling: closest approach of the tunes")


class BeamLimits(Part):
    """The stored beam: measured only."""

    min_current_ma: Limit = Field(description="smallest beam current [mA]")
    max_current_drop: Limit = Field(description="largest relative drop of the current in one step")
    min_lifetime_h: Limit = Field(description="shortest lifetime [h]")
    max_lifetime_drop: Limit = Field(description="largest relative drop of the lifetime in one step")


class SettingLimits(Part):
    """Setpoints that may be written; the first row with a matching pattern counts. All numbers in `unit`."""

    pvs: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        description="patterns of PV names without prefix, with the wildcards `*` and `?`"
    )
    unit: Annotated[str, Field(max_length=40)] = Field(description="unit that the machine states for these PVs")
    low: Number = Field(description="lowest value")
    high: Number = Field(description="highest value")
    max_step: Positive = Field(description="largest step")
    max_rate: Positive = Field(description="largest rate of change, from one step to the next [unit/s]")
    max_total: Positive = Field(description="largest distance from the value before the first step")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low:g}; it must be below high, which is {self.high:g}")
        return self

    def matches(self, name: str) -> bool:
        """True if the row is about a PV, given without prefix. A bracket stands for itself: PV names may have some."""
        return any(fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in self.pvs)


class BoundRules(Part):
    """The bounds that are asked for."""

    coverage: Annotated[float, BeforeValidator(_number), Field(ge=0.5, lt=1.0)] = Field(
        description="probability with which all observables are inside of their bounds at once"
    )
    ramp_points: int = Field(
        ge=1,
        le=16,
        strict=True,
        description="states between the start and the end of a step at which bounds are checked",
    )
    second_tier_step: Annotated[float, BeforeValidator(_number), Field(gt=0.0, le=1.0)] = Field(
        description="fraction of max_step above which an ensemble checks the linear bounds"
    )
    second_tier_distance: Annotated[float, BeforeValidator(_number), Field(ge=0.0)] = Field(
        description="distance from a line of resonances, beyond its half width, below which it does so too [tune]"
    )
    agreement: Positive = Field(
        description="largest difference of the expected values of both, in half widths of the linear band"
    )


class TrustRules(Part):
    """The trust region, as a fraction of max_step."""

    start: Annotated[float, BeforeValidator(_number), Field(gt=0.0, le=1.0)] = Field(description="size at the start")
    smallest: Annotated[float, BeforeValidator(_number), Field(gt=0.0, le=1.0)] = Field(description="smallest size")
    grow_after: int = Field(ge=1, strict=True, description="number of hits in a row after which the size is doubled")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.smallest > self.start:
            raise ValueError(
                f"smallest is {self.smallest:g}; it must not be larger than start, which is {self.start:g}"
            )
        return self


class OutcomeRules(Part):
    """Comparison of a measurement after a step with its band. Deviations are in half widths of the band."""

    near_miss: Annotated[float, BeforeValidator(_number), Field(gt=0.0, le=1.0)] = Field(
        description="deviation from which on a step is a near miss, and halves the trust region"
    )
    stop_band: Annotated[float, BeforeValidator(_number), Field(ge=1.0)] = Field(
        description="deviation at which everything is stopped and rolled back"
    )
    cusum_slack: Positive = Field(
        description="deviation that a cumulative sum forgives at each step [standard deviations]"
    )
    cusum_alarm: Positive = Field(description="cumulative sum that is an alarm [standard deviations]")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.near_miss > self.stop_band:
            raise ValueError("near_miss must not be larger than stop_band")
        return self


class LimitsDocument(Part):
    """The limits of one machine. Every one is needed; the gate refuses what a limit is missing for."""

    schema_: Literal["gnomon.gate_limits/1"] = Field(alias="schema", description="`gnomon.gate_limits/1`")
    machine: Text = Field(description="name of the machine, as in its document")
    note: Annotated[str, Field(max_length=4000)] = Field(
        description="source of the limits, who reviewed them, and when"
    )
    fresh: FreshLimits
    baseline: BaselineLimits
    orbit: OrbitLimits
    sources: SourceLimits
    tunes: TuneLimits
    optics: OpticsLimits
    aperture_mm: Limit = Field(description="smallest distance of the beam from the chamber [mm]")
    beam: BeamLimits
    bounds: BoundRules
    trust_region: TrustRules
    outcome: OutcomeRules
    settings: Annotated[tuple[SettingLimits, ...], Field(min_length=1)] = Field(
        description="setpoints that may be written"
    )
