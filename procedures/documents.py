"""Documents of a procedure: raw data, parameters of the analysis, outcome, provenance, and the run that holds them.

Arrays are numpy's, 64-bit floats, read-only; in JSON they are lists, and NaN is null. Each has its unit and the names
of its axes in the model's schema, from where files and tables take them. A unit may name another field of the same
document, as in `mm/{setting_unit}`.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_serializer,
)

from gnomon.lattice.identifiers import Identifier, content_digest
from gnomon.procedures.errors import ProcedureError

__all__ = [
    "PROPOSAL",
    "Data",
    "Floats",
    "Number",
    "Outcome",
    "Parameters",
    "Part",
    "Provenance",
    "Quantity",
    "Run",
    "now",
    "quantities",
    "quantity",
]

SCHEMA: Literal["gnomon.procedure/1"] = "gnomon.procedure/1"


def _array(value: Any) -> NDArray[np.float64]:
    """Make a read-only array of floats; None becomes NaN, a ragged list is refused."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(_without_none(value), dtype=np.float64)
    array.flags.writeable = False
    return array


def _without_none(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_without_none(each) for each in value]
    return np.nan if value is None else value


def _plain(array: NDArray[np.float64]) -> Any:
    """Return the array as lists; NaN and infinities become None."""
    if np.isfinite(array).all():
        return array.tolist()
    plain = array.astype(object)
    plain[~np.isfinite(array)] = None
    return plain.tolist()


def _jsonable(value: Any) -> Any:
    """Turn a document of a procedure into what JSON has: arrays into lists, numbers that are not finite into None."""
    if isinstance(value, Mapping):
        return {str(key): _jsonable(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.astype(np.float64))
    if isinstance(value, list | tuple):
        return [_jsonable(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


#: A document of a procedure within a run, as JSON has it.
Plain = Annotated[dict[str, Any], BeforeValidator(_jsonable)]

#: A number of a document that may be unknown: NaN, and null in JSON.
Number = Annotated[float, BeforeValidator(lambda value: np.nan if value is None else value)]

#: An array of a document.
Floats = Annotated[
    NDArray[np.float64],
    BeforeValidator(_array),
    PlainSerializer(_plain, when_used="json"),
    WithJsonSchema({"type": "array"}),
]


def quantity(unit: str, *axes: str, description: str = "", optional: bool = False) -> Any:
    """Describe an array field: its unit, and the name of the field or of the axis along each dimension.

    One that is `optional` is empty by default.
    """
    told: dict[str, Any] = {"json_schema_extra": {"unit": unit, "axes": list(axes)}, "description": description or None}
    return Field(**told, default_factory=lambda: np.zeros((0,) * len(axes))) if optional else Field(**told)


class Quantity(NamedTuple):
    """An array of a document with its unit, the names of its axes, and its meaning."""

    values: NDArray[np.float64]
    unit: str
    axes: tuple[str, ...]
    description: str


class Part(BaseModel):
    """A part of a document; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=True)


class Data(Part):
    """Raw data of a procedure: what was set and what was read, and nothing derived from it."""


class Parameters(Part):
    """Parameters of an analysis, with everything from a model that it uses."""


class Outcome(Part):
    """Outcome of an analysis, with standard deviations. A number that was not found is NaN, and null in a file."""

    @field_validator("*", mode="before")
    @classmethod
    def _not_found(cls, value: Any, info: ValidationInfo) -> Any:
        """Read a number back that a file holds as null."""
        is_number = value is None and cls.model_fields[str(info.field_name)].annotation is float
        return np.nan if is_number else value


#: Environment variable that names the proposal or shift to which new results belong.
PROPOSAL = "GNOMON_PROPOSAL"

#: Fields of the provenance that runs of version 0.1 did not have.
LATER = ("proposal", "optics", "machine_document", "sources")


class Provenance(Part):
    """Origin of a run: which machine, in which state, measured by which versions."""

    machine: str = ""
    prefix: str = ""
    lattice_id: str = Field(default="", description="version of the lattice before the run")
    lattice_id_after: str = Field(default="", description="the same after the run")
    settings_id: str = Field(default="", description="id of the model's lattice at the setpoints before the run")
    settings_id_after: str = Field(
        default="", description="the same after the run; equal if the machine was left as it was"
    )
    generation: int = Field(default=0, description="generation of the outputs before the run")
    first_command: int = Field(default=0, description="number in the journal of the last command before the run")
    last_command: int = Field(default=0, description="number in the journal of the last command of the run")
    fit: str = Field(default="", description="name of the fit of the optics that the model is from, a result")
    role: str = ""
    protocol: str = ""
    user: str = ""
    started: str = Field(default="", description="UTC, ISO 8601")
    ended: str = ""
    versions: dict[str, str] = Field(default_factory=dict, description="versions of programs, by name")
    proposal: str = Field(default="", description="the proposal or shift that it belongs to")
    optics: str = Field(default="", description="name of the optics before the run; empty if the machine has one")
    machine_document: str = Field(default="", description="digest of the machine document")
    sources: tuple[str, ...] = Field(default=(), description="identifiers of the results that it was made from")

    @model_serializer(mode="wrap")
    def _as_before(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out later fields that say nothing: a run from before them keeps its digest, and its identifier."""
        told: dict[str, Any] = serialise(self)
        return {name: value for name, value in told.items() if value or name not in LATER}


class Run(Part):
    """One run of a procedure. `data`, `parameters` and `outcome` are documents of the types that it names."""

    schema_: Literal["gnomon.procedure/1"] = Field(default=SCHEMA, alias="schema")
    name: str = Field(description="unique name: procedure and time")
    procedure: str
    status: Literal["done", "failed", "stopped"] = "done"
    reason: str = Field(default="", description="the reason why it failed or was stopped")
    note: str = ""
    provenance: Provenance = Provenance()
    data: Plain
    parameters: Plain
    outcome: Plain | None = None

    model_config = ConfigDict(populate_by_name=True)

    def to_json(self) -> str:
        """Return the document as JSON, with sorted keys: equal documents have equal texts."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True, allow_nan=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the document as JSON, 64 hex digits."""
        return content_digest(self.model_dump(mode="json", by_alias=True))

    @property
    def identifier(self) -> Identifier:
        """The persistent identifier, of the whole content."""
        return Identifier("result", self.digest)


def quantities(part: Part) -> dict[str, Quantity]:
    """Collect the arrays of a document by field, with units and axes. Raises ProcedureError if one does not fit."""
    found: dict[str, Quantity] = {}
    facts = {name: value for name, value in part if isinstance(value, str)}
    for name, field in type(part).model_fields.items():
        values, extra = getattr(part, name), field.json_schema_extra
        if not isinstance(values, np.ndarray) or not isinstance(extra, Mapping):
            continue
        axes = extra["axes"]
        assert isinstance(axes, list)
        if values.size == 0:  # JSON does not tell the dimensions of an empty array
            values = values.reshape((0,) * len(axes)) if values.ndim != len(axes) else values
        if len(axes) != values.ndim:
            raise ProcedureError(f"{name} has {values.ndim} dimensions, and not the {len(axes)} of its document")
        found[name] = Quantity(
            values, str(extra["unit"]).format(**facts), tuple(map(str, axes)), field.description or ""
        )
    return found


def now() -> str:
    """Return the present time, UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
