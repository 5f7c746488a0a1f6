"""Requests and answers of the services, as JSON has them; numbers that are not finite are null."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from gnomon.services.catalogue import CatalogueEntry, Unread

#: Maximum number of updates, particles and turns in one request.
MAX_UPDATES, MAX_PARTICLES, MAX_TURNS = 10_000, 10_000, 10_000

Observation = Literal["orbit", "tunes", "chromaticities", "monitor_optics"]
Name = Annotated[str, Field(min_length=1, max_length=200)]
#: A column of a table: numbers, or texts.
Column = list[float | None] | list[str]


class Request(BaseModel):
    """A request; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NewLattice(Request):
    """A machine document, the name of a shipped machine, or a running server; give one of the three."""

    machine: Name | None = Field(default=None, description="name of a shipped machine, such as bessy2")
    document: dict[str, Any] | None = Field(default=None, description="a machine document (schema gnomon.machine/1)")
    running: Annotated[str, Field(max_length=100)] | None = Field(
        default=None, description="prefix of a running server: its present lattice"
    )


class UpdateRequest(Request):
    """A new value of a property of a device, in the property's unit."""

    lattice: Name = Field(description="id of a lattice")
    device: Name
    property: Name
    value: FiniteFloat


class UpdatesRequest(Request):
    """Updates; those of one lattice are made together, and all of them or none."""

    updates: list[UpdateRequest] = Field(min_length=1, max_length=MAX_UPDATES)


class Particle(Request):
    """Coordinates of a particle at the ring's start: x, y, ct [m], px, py by the reference momentum, and delta."""

    x: FiniteFloat = 0.0
    px: FiniteFloat = 0.0
    y: FiniteFloat = 0.0
    py: FiniteFloat = 0.0
    delta: FiniteFloat = Field(default=0.0, gt=-1.0)
    ct: FiniteFloat = 0.0


class CalculationConfiguration(Request):
    """CalculationConfiguration of a calculation.

    `momentum` says what fixes the momentum deviation of the closed orbit: the RF frequency, as in a ring, or the orbit
    at the reference momentum. Particles keep their own momentum; with `cavities` it changes.
    """

    momentum: Literal["frequency", "orbit"] = "frequency"
    observe: set[Observation] = Field(default={"orbit", "tunes"}, description="observations in the answer")
    turns: int = Field(default=1, ge=1, le=MAX_TURNS)
    cavities: bool = False


class PropagateRequest(Request):
    """Phase space at the ring's start, which may be empty, and the configuration of the calculation."""

    phase_space: list[Particle] = Field(default=[], max_length=MAX_PARTICLES)
    configuration: CalculationConfiguration = CalculationConfiguration()


class Ready(BaseModel):
    """The state of the services."""

    status: Literal["ok"] = "ok"
    version: str
    lattices: int = Field(description="number of lattices that are kept")


class Machines(BaseModel):
    """Names of the shipped machines."""

    machines: list[str]


class LatticeSummary(BaseModel):
    """A lattice: its id, which is a hash of its content, its machine, and what differs from that machine's nominal."""

    id: str
    machine: str
    title: str
    energy_ev: float
    circumference_m: float
    elements: int
    monitors: int
    changes: int = Field(description="number of settings that differ from nominal")


class Lattices(BaseModel):
    """All lattices, the most recently used first."""

    lattices: list[LatticeSummary]
    max_lattices: int
    max_machines: int


class UpdatedLattice(BaseModel):
    """A lattice that an update made, and the one that it was made from."""

    base: str
    lattice: LatticeSummary


class UpdatedLattices(BaseModel):
    """The new lattices, in the order in which the request first names their bases."""

    updated: list[UpdatedLattice]


class SettingValue(BaseModel):
    """A property of a device with its value, unit, limits and nominal value."""

    device: str
    property: str
    value: float
    unit: str
    low: float | None
    high: float | None
    nominal: float | None
    read_only: bool


class LatticeSettings(BaseModel):
    """Properties of the devices of a lattice."""

    lattice: str
    settings: list[SettingValue]


class TableAnswer(BaseModel):
    """A table: names along its axis, columns, and their units (without one, a column is a pure number or a text)."""

    axis: str
    names: list[str]
    columns: dict[str, Column]
    units: dict[str, str]


class ResponseAnswer(BaseModel):
    """A response matrix: changes of the readings, one row for each monitor and one column for each knob."""

    lattice: str
    monitors: list[str]
    knob: Literal["supply", "magnet"]
    knobs: list[str]
    hold: Literal["frequency", "momentum"]
    unit: str
    x: list[list[float | None]]
    y: list[list[float | None]]


class Loss(BaseModel):
    """A lost particle: its number in the request, the turn from 0, and the element."""

    particle: int
    turn: int
    element: str


class PlanesAnswer(BaseModel):
    """A number for each plane."""

    x: float | None
    y: float | None


class Observations(BaseModel):
    """Observations of the beam; only those that were asked for are present."""

    orbit: TableAnswer | None = None
    tunes: PlanesAnswer | None = None
    chromaticities: PlanesAnswer | None = None
    monitor_optics: TableAnswer | None = None


class ClosedOrbit(BaseModel):
    """The closed orbit at the ring's start: x, y [m], px, py, delta."""

    x: float
    px: float
    y: float
    py: float
    delta: float


class Coordinates(BaseModel):
    """Coordinates of a particle as in the request; null if it was lost."""

    x: float | None
    px: float | None
    y: float | None
    py: float | None
    delta: float | None
    ct: float | None


class PropagateAnswer(BaseModel):
    """The new phase space after the turns, and the observations; without a beam, `reason` says why there is none."""

    lattice: str
    beam: bool
    reason: str
    closed_orbit: ClosedOrbit | None
    phase_space: list[Coordinates]
    losses: list[Loss]
    observations: Observations


class OpticsAnswer(BaseModel):
    """Orbit and optics of a lattice at elements or monitors."""

    lattice: str
    tunes: PlanesAnswer
    chromaticities: PlanesAnswer
    momentum_deviation: float
    momentum_compaction: float
    table: TableAnswer


class ResultLine(BaseModel):
    """A stored run in the list."""

    id: str = Field(description="persistent identifier, of the content")
    name: str
    procedure: str
    status: str
    machine: str
    prefix: str
    lattice: str
    started: str
    note: str


class ResultList(BaseModel):
    """Stored runs, the newest first; `total` counts all. Files that are not runs are left out."""

    results: list[ResultLine]
    total: int


class FoundData(BaseModel):
    """Answer of a search: entries, the newest first, and files that cannot be read; `more`: there are other entries."""

    entries: list[CatalogueEntry]
    more: bool
    unread: list[Unread] = Field(description="files that cannot be read, at most the first 100")
    unread_total: int = Field(description="number of all files that cannot be read")


class ApprovalLine(BaseModel):
    """An approval of a recording; `trouble` says why it does not count, empty if its signature is right."""

    reviewer: str
    time: str
    key: str = Field(description="fingerprint of the reviewer's key")
    trouble: str


class NamedRecording(BaseModel):
    """A named recording without its steps; `parent` is the id of the one that it was edited from."""

    name: str
    id: str
    purpose: str
    author: str
    made: str
    parent: str
    machine: str
    prefix: str
    calibration_id: str
    steps: int
    approvals: list[ApprovalLine]


class NamedRecordings(BaseModel):
    """Named recordings, the newest first; `total` counts all."""

    recordings: list[NamedRecording]
    total: int
