"""The document of a calibration: JSON, identified by its content, with everything that predictions need."""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gnomon.lattice import Key, Lattice, Ring
from gnomon.lattice.text import printable, shorten
from gnomon.recorder.bounds.conformal import Bin, ConformalShell
from gnomon.recorder.bounds.discrepancy import Discrepancy, Term
from gnomon.recorder.bounds.parameters import ParameterSpace, Priors
from gnomon.recorder.bounds.posterior import Posterior
from gnomon.recorder.recorder_errors import CalibrationError

Floats = NDArray[np.float64]

#: Characters of an id.
ID_CHARACTERS = 20

#: Age above which a calibration is not relied on [s]: a day.
MAX_AGE_S = 86400.0

Setting = tuple[str, str, float]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataUsed(_Part):
    """Data of a calibration: their kind, the name of the result they come from, and how many commands."""

    kind: str
    source: str = ""
    commands: int = Field(ge=0)


class DiscrepancyTerm(_Part):
    """The discrepancy of a group of readings after commands of a kind: relative, and a floor in units of the noise."""

    kind: str
    group: str
    relative: float = Field(ge=0.0)
    floor: float = Field(ge=0.0)


class ScoreBin(_Part):
    """Scores of held-out commands of a kind, and the sizes of their effects, in units of the noise."""

    kind: str
    low: float = Field(ge=0.0)
    high: float = Field(ge=0.0)
    scores: tuple[float, ...]


class HeldOut(_Part):
    """Numbers from held-out commands: how many fitted the discrepancy, how many the shell, and how good it was."""

    for_discrepancy: int = Field(default=0, ge=0)
    for_shell: int = Field(default=0, ge=0)
    median_score: float | None = Field(default=None, description="3 or so if the scales are right")
    chi_square: float | None = Field(default=None, description="per reading of the commands that were fitted")


class CalibrationDocument(_Part):
    """A calibration. `reference` and `baseline` are settings that are not nominal, of the model and of the machine.

    `mean` has the parameters' means by kind; `factor` is the upper triangle of the covariance's square root of the
    parameters `active`, as base64 of compressed 32-bit numbers, row by row. `noise_mm` has x and y of each monitor.
    """

    id: str = ""
    machine: str
    document_digest: str
    optics: str = Field(description="name of the optics in use")
    optics_digest: str
    made: str = Field(description="ISO time, UTC")
    author: str
    note: str = ""
    prefix: str | None = Field(default=None, description="prefix of the PVs that were measured; null: not known")
    max_age_s: float = Field(default=MAX_AGE_S, gt=0.0)
    data: tuple[DataUsed, ...] = ()
    reference: tuple[Setting, ...] = ()
    baseline: tuple[Setting, ...] = ()
    priors: Priors = Priors()
    mean: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    active: tuple[int, ...] = ()
    factor: str = ""
    monitors: tuple[str, ...]
    noise_mm: tuple[tuple[float, float], ...]
    noise_tune: tuple[float, float]
    still_mm: tuple[tuple[float | None, float | None], ...] = Field(
        default=(), description="orbit at the baseline, from which the energy counts; null: not measured"
    )
    still_tune: tuple[float, float] | None = Field(default=None, description="tunes at the baseline")
    growth_per_day: float = Field(default=0.2, ge=0.0)
    discrepancy: tuple[DiscrepancyTerm, ...] = ()
    bins: tuple[ScoreBin, ...] = ()
    held_out: HeldOut = HeldOut()
    half_aperture_mm: tuple[float, float] | None = None

    def content_id(self) -> str:
        """Compute the id from the content."""
        late = {"prefix"} if self.prefix is None else set()  # fields that documents of earlier releases do not have
        late |= set() if self.still_mm else {"still_mm"}
        late |= set() if self.still_tune else {"still_tune"}
        content = self.model_dump(mode="json", exclude={"id", *late})
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:ID_CHARACTERS]

    def identified(self) -> Self:
        """Return the document with its id."""
        return self.model_copy(update={"id": self.content_id()})

    @property
    def made_ns(self) -> int:
        """Time of the calibration, nanoseconds since 1970."""
        return int(datetime.fromisoformat(self.made).timestamp() * 1e9)

    def space(self, ring: Ring) -> ParameterSpace:
        """Return the parameters, about the reference. Raises CalibrationError for another machine document."""
        if ring.digest != self.document_digest:
            raise CalibrationError(
                f"calibration {self.id} is of another machine document of {self.machine} than the present one "
                f"({self.document_digest[:10]}, not {ring.digest[:10]}): calibrate again"
            )
        return ParameterSpace(lattice_of(ring, self.reference), self.priors)

    def posterior(self, space: ParameterSpace) -> Posterior:
        """Return the parameters' posterior."""
        mean = np.zeros(space.size)
        for kind, where in space.slices.items():
            if kind in self.mean:
                mean[where] = self.mean[kind]
        active = np.array(self.active, dtype=np.int64)
        return Posterior(mean, space.widths, active, unpacked(self.factor, active.size))

    def terms(self) -> Discrepancy:
        """Return the discrepancy."""
        return Discrepancy(
            {(t.kind, t.group): Term(t.relative, t.floor) for t in self.discrepancy}, self.growth_per_day
        )

    def shell(self) -> ConformalShell:
        """Return the conformal shell."""
        return ConformalShell(tuple(Bin(b.kind, b.low, b.high, np.sort(np.array(b.scores))) for b in self.bins))

    def noise(self) -> Floats:
        """Return the standard deviations of all readings (rows,): x, y at the monitors [mm], tunes."""
        orbit = np.array(self.noise_mm, dtype=float).reshape(-1, 2)
        return np.concatenate((orbit[:, 0], orbit[:, 1], self.noise_tune))

    def still(self) -> Floats:
        """Return what the machine showed at the baseline (rows,): NaN where nothing did."""
        still = np.full(2 * len(self.monitors) + 2, np.nan)
        if self.still_mm:
            still[:-2] = np.array(self.still_mm, dtype=float).T.ravel()
        if self.still_tune is not None:
            still[-2:] = self.still_tune
        return still


def still_of(rows: Floats) -> tuple[tuple[float | None, float | None], ...]:
    """Put an orbit (rows,) into a document; nothing where no monitor was read."""
    orbit = rows[:-2].reshape(2, -1).T
    if not np.isfinite(orbit).any():
        return ()
    x, y = ([float(value) if np.isfinite(value) else None for value in column] for column in orbit.T)
    return tuple(zip(x, y, strict=True))


def packed(factor: Floats) -> str:
    """Pack the upper triangle of a factor."""
    triangle = factor[np.triu_indices(len(factor))].astype("<f4").tobytes()
    return base64.b64encode(zlib.compress(triangle, 6)).decode() if triangle else ""


def unpacked(text: str, size: int) -> Floats:
    """Unpack a factor (size, size). Raises CalibrationError if it is damaged."""
    factor, where = np.zeros((size, size)), np.triu_indices(size)
    try:
        numbers = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)) if text else b"", dtype="<f4")
    except (ValueError, zlib.error) as error:
        raise CalibrationError(f"the calibration's factor cannot be read: {error}") from error
    if numbers.size != where[0].size or not np.isfinite(numbers).all():
        raise CalibrationError(f"the calibration's factor is damaged: {numbers.size} of {where[0].size} numbers")
    factor[where] = numbers
    return factor


def changed_settings(lattice: Lattice) -> tuple[Setting, ...]:
    """Return the settings of a lattice that are not nominal."""
    return tuple(
        (*key, float(lattice[key]))
        for key, spec in lattice.ring.properties.items()
        if spec.slot is not None and spec.setting == spec.property and lattice[key] != spec.nominal
    )


def lattice_of(ring: Ring, settings: tuple[Setting, ...]) -> Lattice:
    """Build a lattice from the settings that are not nominal. Raises LatticeError."""
    changes: Mapping[Key, float] = {(device, name): value for device, name, value in settings}
    return ring.nominal.updated(changes) if changes else ring.nominal


def now_iso() -> str:
    """Return the present time for a document."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def parse_calibration(text: str, source: str) -> CalibrationDocument:
    """Read a document. Raises CalibrationError, also if its id is not that of its content."""
    try:
        data: Any = json.loads(text)
        document = CalibrationDocument.model_validate(data)
    except (ValueError, ValidationError) as error:
        reason = shorten(printable(str(error)), 300)
        raise CalibrationError(f"{printable(source)} is not a calibration: {reason}") from error
    if document.id != document.content_id():
        raise CalibrationError(f"{printable(source)}: the id is not that of the content: it was edited or damaged")
    return document
