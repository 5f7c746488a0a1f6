"""Options of each procedure as documents: from them come the schema of a request, options of scripts, and checks."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from gnomon.procedures.bounded import Method

__all__ = [
    "AlignmentOptions",
    "ApertureOptions",
    "BeamOptions",
    "BumpOptions",
    "ChromaticityCorrectionOptions",
    "ChromaticityOptions",
    "CorrectionOptions",
    "DispersionOptions",
    "LifetimeOptions",
    "LocalBetaOptions",
    "LossMapOptions",
    "OpticsCorrectionOptions",
    "OpticsFitOptions",
    "OrbitCorrectionOptions",
    "OrbitResponseOptions",
    "ProcedureOptions",
    "TuneCorrectionOptions",
    "TuneResponseOptions",
]

Name = Annotated[str, Field(min_length=1, max_length=200)]
Patterns = Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)]
Points = Annotated[int | None, Field(ge=2, le=1000, description="number of settings of each; null: by measurement")]
Readings = Annotated[int, Field(ge=1, le=1000, description="number of readings at each setting")]
Move = Annotated[FiniteFloat, Field(ge=1e-4, le=1000, description="largest movement of the orbit [mm]")]
Span = Annotated[
    FiniteFloat | None,
    Field(gt=0, description="change of the RF frequency both ways, in the master clock's unit; null: by measurement"),
]
Fraction = Annotated[FiniteFloat, Field(ge=0.01, le=1.0, description="part of the changes that is proposed")]
Values = Annotated[tuple[FiniteFloat, FiniteFloat], Field(description="values to reach, x and y")]
Source = Annotated[Name | None, Field(description="name of a stored result to use; null: the model's values")]


class ProcedureOptions(BaseModel):
    """Options of a procedure; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: Annotated[str, Field(max_length=1000, description="text that is kept with the result")] = ""


class OrbitResponseOptions(ProcedureOptions):
    """Options of an orbit response."""

    devices: Annotated[Patterns, Field(description="names or patterns of steering power supplies")] = ("*",)
    points: Points = None
    readings: Readings = 1
    move_mm: Move = 0.2
    together: Annotated[
        int, Field(ge=1, le=100, description="number of steerers that move at the same time, each at its own frequency")
    ] = 1


class DispersionOptions(ProcedureOptions):
    """Options of a dispersion."""

    span: Span = None
    points: Points = None
    readings: Readings = 1
    fit: Annotated[
        Name | None,
        Field(description="fit of the optics that gives the momentum compaction, a stored result; null: the model's"),
    ] = None


class ChromaticityOptions(DispersionOptions):
    """Options of a chromaticity."""


class TuneResponseOptions(ProcedureOptions):
    """Options of a tune response."""

    devices: Annotated[Patterns, Field(description="names or patterns of power supplies of quadrupoles")] = ("*",)
    tune_step: Annotated[FiniteFloat, Field(ge=1e-6, le=0.5, description="largest change of a tune")] = 0.002
    points: Points = None
    readings: Readings = 1


class AlignmentOptions(ProcedureOptions):
    """Options of beam based alignment."""

    devices: Annotated[Patterns, Field(description="names or patterns of quadrupoles")] = ("*",)
    move_mm: Move = 0.2
    together: Annotated[
        int, Field(ge=1, le=64, description="number of quadrupoles with supplies of their own that change at a time")
    ] = 1


class LocalBetaOptions(ProcedureOptions):
    """Options of a quadrupole scan."""

    devices: Annotated[
        Patterns, Field(description="names or patterns of quadrupoles, or of supplies of several; *: each once")
    ] = ("*",)
    tune_step: Annotated[FiniteFloat, Field(ge=1e-5, le=0.1, description="largest change of a tune, both ways")] = 0.008
    points: Annotated[int, Field(ge=3, le=99, description="number of settings of each, odd")] = 5
    readings: Readings = 1


class BeamOptions(ProcedureOptions):
    """Options of measurements that may lose the beam."""

    seconds: Annotated[
        FiniteFloat, Field(ge=0.0, le=3600.0, description="time of each reading of the lifetime [s]")
    ] = 3.0
    min_current_ma: Annotated[
        FiniteFloat, Field(gt=0.0, le=1e5, description="less current counts as a beam that was lost [mA]")
    ] = 2.0
    injections: Annotated[int, Field(ge=0, le=1000, description="largest number of injections of a lost beam")] = 20


class LifetimeOptions(BeamOptions):
    """Options of a lifetime."""

    seconds: Annotated[FiniteFloat, Field(gt=0.0, le=86400.0, description="time of the measurement [s]")] = 30.0
    min_current_ma: Annotated[
        FiniteFloat, Field(gt=0.0, le=1e5, description="less current counts as a beam that was lost [mA]")
    ] = 0.1
    injections: Annotated[int, Field(ge=0, le=1000, description="largest number of injections of a lost beam")] = 0


class ApertureOptions(BeamOptions):
    """Options of an aperture by a closed bump."""

    place: Annotated[Name, Field(description="monitor at which the bump is highest")]
    plane: Literal["x", "y"] = "y"
    side: Annotated[
        Literal["both", "low", "high"], Field(description="side, or both, on which the wall is looked for")
    ] = "both"
    step_mm: Annotated[FiniteFloat, Field(ge=1e-3, le=100.0, description="first steps of the beam [mm]")] = 0.5
    resolution_mm: Annotated[
        FiniteFloat | None, Field(ge=1e-4, le=100.0, description="last steps [mm]; null: half of the beam's size")
    ] = None
    max_mm: Annotated[
        FiniteFloat | None,
        Field(gt=0.0, le=1000.0, description="largest displacement [mm]; null: as far as steerers go"),
    ] = None
    lifetime_h: Annotated[
        FiniteFloat, Field(ge=1e-3, le=1000.0, description="lifetime at which the beam counts as at its limit [h]")
    ] = 0.1
    steerers: Annotated[
        int | None, Field(ge=4, le=1000, description="number of steerers; null: by the shape of the bump")
    ] = None


class LossMapOptions(BeamOptions):
    """Options of a map of losses."""

    x: Annotated[
        tuple[FiniteFloat, FiniteFloat] | None,
        Field(description="lowest and highest horizontal tune, with its integer part or without; null: 0.02 both ways"),
    ] = None
    y: Annotated[
        tuple[FiniteFloat, FiniteFloat] | None, Field(description="the same, vertical; null: 0.02 both ways")
    ] = None
    points: Annotated[int, Field(ge=2, le=50, description="number of points in each direction")] = 7
    devices: Annotated[Patterns, Field(description="names or patterns of the power supplies that move the tunes")] = (
        "Q1*",
        "Q2*",
    )
    max_order: Annotated[int, Field(ge=1, le=8, description="highest order of resonances that are tried")] = 4


class OpticsFitOptions(ProcedureOptions):
    """Options of a fit of the optics to stored results."""

    orm: Annotated[Name, Field(description="orbit response: a result, or `orm` for the newest")] = "orm"
    dispersion: Annotated[
        str, Field(max_length=200, description="dispersion: a result, or `dispersion` for the newest; empty: none")
    ] = "dispersion"
    by_supply: Annotated[bool, Field(description="fit one gradient for all quadrupoles of a supply")] = False
    gradient: Annotated[
        FiniteFloat, Field(ge=1e-6, le=1.0, description="standard deviation of gradients before the fit, relative")
    ] = 3e-3


class CorrectionOptions(ProcedureOptions):
    """Options of all corrections: nothing is set unless `apply` is true."""

    apply: Annotated[bool, Field(description="make the settings; otherwise they are only proposed")] = False


class OrbitCorrectionOptions(CorrectionOptions):
    """Options of an orbit correction."""

    devices: Annotated[Patterns, Field(description="names or patterns of steering power supplies")] = ("*",)
    method: Method = "svd"
    strength: Annotated[
        FiniteFloat, Field(ge=0.0, le=1.0, description="regularisation, relative to the largest singular value")
    ] = 1e-3
    fraction: Fraction = 1.0
    rf: Annotated[bool, Field(description="use the RF frequency, too")] = False
    dead: Annotated[tuple[Name, ...], Field(max_length=1000, description="monitors to leave out")] = ()
    max_step: Annotated[
        FiniteFloat | None, Field(ge=0.0, description="largest change of each steerer, in its unit; null: no limit")
    ] = None
    response: Source = None
    offsets: Annotated[
        Name | None,
        Field(
            description="name of a stored alignment (bba) whose offsets monitors are to show; null, and monitors "
            "without an offset: the reference orbit"
        ),
    ] = None
    readings: Readings = 1
    steps: Annotated[int, Field(ge=1, le=20, description="number of corrections, with `apply`")] = 1


class TuneCorrectionOptions(CorrectionOptions):
    """Options of a tune correction."""

    to: Values
    devices: Annotated[Patterns, Field(description="names or patterns of power supplies")] = ("Q1*", "Q2*")
    response: Source = None
    readings: Readings = 1
    steps: Annotated[int, Field(ge=1, le=20, description="number of corrections, with `apply`")] = 1


class ChromaticityCorrectionOptions(CorrectionOptions):
    """Options of a chromaticity correction."""

    to: Values
    devices: Annotated[Patterns, Field(description="names or patterns of power supplies")] = ("S1*", "S2*")
    measured: Source = None
    steps: Annotated[
        int,
        Field(ge=1, le=20, description="number of corrections, with `apply`; above 1, each measures before it"),
    ] = 1
    within: Annotated[
        FiniteFloat, Field(gt=0.0, description="steps end when both are as near as this to the values to reach")
    ] = 0.05


class OpticsCorrectionOptions(CorrectionOptions):
    """Options of a correction of the optics."""

    devices: Annotated[Patterns, Field(description="names or patterns of power supplies of quadrupoles")] = ("*",)
    fit: Annotated[Name, Field(description="fit: a result, or `optics-fit` for the newest")] = "optics-fit"
    strength: Annotated[
        FiniteFloat, Field(ge=1e-6, le=0.99, description="regularisation, relative to the largest singular value")
    ] = 3e-3
    fraction: Fraction = 1.0


class BumpOptions(CorrectionOptions):
    """Options of a closed bump: `x` or `y`, one of them."""

    monitor: Annotated[Name, Field(description="name of the monitor")]
    x: Annotated[FiniteFloat | None, Field(description="position at the monitor, relative to now [mm]")] = None
    y: Annotated[FiniteFloat | None, Field(description="position at the monitor, relative to now [mm]")] = None
    angle: Annotated[FiniteFloat | None, Field(description="angle there, relative to now [mrad]")] = None
    steerers: Annotated[int, Field(ge=3, le=1000, description="number of steerers")] = 4
    rf: Annotated[bool, Field(description="use the RF frequency, too")] = False
    readings: Annotated[int, Field(ge=1, le=1000, description="number of orbits to average")] = 4
    steps: Annotated[
        int, Field(ge=1, le=20, description="with `apply`: set it, and correct what leaks out so often less one")
    ] = 2

    @model_validator(mode="after")
    def _one_plane(self) -> "BumpOptions":
        if (self.x is None) == (self.y is None):
            raise ValueError("give x or y, one of them")
        return self

    @property
    def plane(self) -> Literal["x", "y"]:
        """The plane of the bump."""
        return "x" if self.x is not None else "y"
