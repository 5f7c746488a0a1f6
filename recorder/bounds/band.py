"""Types of a prediction: the observables of a beam, a reading of a machine, and the band around what is expected."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Key

Floats = NDArray[np.float64]
#: Settings of a machine in the units of its document: all, or those that a command changes.
Settings = Mapping[Key, float]


class Kind(StrEnum):
    """Kinds of observables. Those of a source are at an insertion device or the centre of a straight."""

    ORBIT_X = "orbit_x"
    ORBIT_Y = "orbit_y"
    SOURCE_X = "source_x"
    SOURCE_Y = "source_y"
    SOURCE_ANGLE_X = "source_angle_x"
    SOURCE_ANGLE_Y = "source_angle_y"
    TUNE = "tune"
    BETA_BEATING = "beta_beating"
    DISPERSION = "dispersion"
    CHROMATICITY = "chromaticity"
    COUPLING = "coupling"
    APERTURE = "aperture"


#: Kinds that a `Reading` has.
SHOWN = (Kind.ORBIT_X, Kind.ORBIT_Y, Kind.TUNE)


@dataclass(frozen=True, slots=True)
class Observable:
    """One number that a command may change: "orbit_x:BPMZ5D1R" in mm, "tune_x" without a unit and place."""

    name: str
    kind: Kind
    unit: str
    place: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The numbers that a machine shows at one time; NaN for those that it does not show.

    `orbit` (monitors, 2) is x and y [mm] in the order of the ring's monitors, a dead monitor NaN; `tune` (2,) the
    fractional tunes. `lifetime_h` and `current_ma` are those of the stored beam. `time_ns` is nanoseconds since 1970.
    """

    orbit: Floats
    tune: Floats
    time_ns: int
    current_ma: float = float("nan")
    lifetime_h: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Confidence bounds after a command. With probability `coverage`, all measured observables are inside at once.

    All arrays are (n,), in the units of `observables`, which begin with x at all monitors, y at all monitors, and both
    tunes, in the order of a `Reading`; others follow. `scale` is the standard deviation from which the bounds were
    made, without the factor of the conformal shell. `measured` says which observables a machine shows, and the score
    takes. A dead monitor is expected at NaN, with infinite bounds, and not `measured`. `tier` is 1 for the linear
    bounds, 2 for those of an ensemble. `distrust` has the reasons for which the band must not be relied on: too few
    held-out commands for this coverage (its bounds are infinite then), outside of the calibrated domain, tiers that
    disagree, a calibration that is too old.
    """

    observables: tuple[Observable, ...]
    expected: Floats
    lower: Floats
    upper: Floats
    scale: Floats
    measured: NDArray[np.bool_]
    coverage: float
    tier: int
    calibration_id: str
    distrust: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """True if there is no reason for distrust."""
        return not self.distrust

    def indices(self, *kinds: Kind) -> NDArray[np.int64]:
        """Find the observables of some kinds."""
        return np.array([i for i, o in enumerate(self.observables) if o.kind in kinds], dtype=np.int64)

    def inside(self, after: Reading) -> NDArray[np.bool_]:
        """Compare a reading with the bounds: (n,), True where it is not measured or does not leave them.

        An observable that was measured before the command, and is not shown now, is outside.
        """
        values = values_of(self, after)
        return ~self.measured | ((values >= self.lower) & (values <= self.upper))


class Predicts(Protocol):
    """Predicts the band of a command. `gnomon.recorder.bounds.Predictor` does it; tests have simpler ones."""

    @property
    def calibration_id(self) -> str:
        """The id of the calibration, which its content gives."""
        ...

    @property
    def document_digest(self) -> str:
        """The digest of the machine document that was calibrated."""
        ...

    @property
    def optics_digest(self) -> str:
        """The digest of the optics that were calibrated: all settings but those of steerers and the RF frequency."""
        ...

    @property
    def made_ns(self) -> int:
        """The time of the calibration, nanoseconds since 1970."""
        ...

    @property
    def max_age_s(self) -> float:
        """The age above which bands are distrusted [s]."""
        ...

    def band(
        self, settings: Settings, changes: Settings, reading: Reading, *, coverage: float, now_ns: int, tier: int = 1
    ) -> Band:
        """Predict the band after `changes`, key to new value, to a machine with `settings` that shows `reading`.

        Settings have the units of the machine document. Raises nothing for settings that have no beam: the bounds are
        infinite then, and `distrust` has the reason.
        """
        ...

    def score(self, band: Band, after: Reading) -> float:
        """Find the largest deviation of a measured observable from the expected one, in units of its scale."""
        ...

    def observe(self, settings: Settings, changes: Settings, band: Band, after: Reading) -> Self:
        """Learn from an accepted and measured step: a predictor whose conformal shell has adapted to it."""
        ...


def rows_of(reading: Reading) -> Floats:
    """Put a reading in one row (rows,): x at all monitors, y at all monitors, tunes."""
    return np.concatenate((reading.orbit[:, 0], reading.orbit[:, 1], reading.tune))


def values_of(band: Band, reading: Reading) -> Floats:
    """Put a reading in the order of a band's observables: (n,), NaN for all that it does not show.

    Raises ValueError if the reading has another number of monitors than the band.
    """
    shown, observables = rows_of(reading), band.observables
    count = shown.size
    # Those that are shown come first, and a tune last of them: counted only where that does not say it.
    if not (0 < count <= len(observables) and observables[count - 1].kind is Kind.TUNE) or (
        count < len(observables) and observables[count].kind in SHOWN
    ):
        expected = sum(o.kind in SHOWN for o in observables)
        if count != expected:
            raise ValueError(f"the reading has {count} orbit readings and tunes, the band {expected}")
    values = np.full(len(band.observables), np.nan)
    values[: shown.size] = shown
    return values


def largest_error(band: Band, after: Reading) -> float:
    """Find max |measured - expected| / scale over the measured observables; infinite if one is not shown any more."""
    deviation = np.abs(values_of(band, after) - band.expected)[band.measured] / band.scale[band.measured]
    return float(np.max(np.where(np.isfinite(deviation), deviation, np.inf), initial=0.0))
