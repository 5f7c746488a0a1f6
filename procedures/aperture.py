"""Aperture at a place, from the losses of a beam that a closed bump moves towards the wall. Pure.

A Gaussian beam of rms size sigma whose centre is d from the wall is lost at the rate 2 xi exp(-xi) / tau, with xi =
d^2 / (2 sigma^2) and the damping time tau (M. Sands, The Physics of Electron Storage Rings, SLAC-121, 1970, section
5.8). The probability of each distance of the wall follows from all steps together: rates that were measured, and
displacements at which the beam was lost. Where losses rise within a few steps, they tell the size of the beam as well;
else it is the model's.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gnomon.procedures.documents import Data, Floats, Number, Outcome, Parameters, quantity
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.loss_rates import HOUR_S, fit_loss_rates

__all__ = ["ApertureData", "ApertureOutcome", "ApertureParameters", "analyse", "wall_loss_rate", "xi_of_rate"]

Array = NDArray[np.float64]

#: The wall is looked for up to this many beam sizes beyond the last step; a beam closer than this to it is lost.
BEYOND, LOST_SIZES = 9.0, 3.5
#: Losses beside those at the wall may change by this part during the measurement, and those at the wall differ by this
#: part from the formula.
OTHER_LOSSES, FORMULA = 0.5, 0.15
#: Numbers of trial distances and sizes, and the range of sizes in standard deviations.
DISTANCES, SIZES, RANGE = 1201, 25, 3.0


class ApertureData(Data):
    """Current at steps of a closed bump, on both sides.

    `displacement_mm` is asked for, `reading_mm` is the change of the monitor's reading. Samples belong to a step.
    """

    place: str = Field(description="monitor at which the bump is highest")
    plane: str
    steerers: tuple[str, ...]
    setting_unit: str = "A"
    per_mm: Floats = quantity("{setting_unit}/mm", "steerers", description="change of the settings per displacement")
    displacement_mm: Floats = quantity("mm", "step", description="displacement of the beam that was asked for")
    reading_mm: Floats = quantity("mm", "step", description="change of the monitor's reading; NaN without a beam")
    lost: Floats = quantity("", "step", description="1 if the beam was lost")
    orbit_mm: float = Field(default=0.0, description="reading of the monitor before the bump")
    sample_step: Floats = quantity("", "row", description="number of the step, from 0")
    sample_time_s: Floats = quantity("s", "row", description="time stamp of the reading since the first one")
    current_ma: Floats = quantity("mA", "row")
    ends: tuple[str, str] = Field(default=("", ""), description="reason why the search ended, low and high side")


class ApertureParameters(Parameters):
    """Parameters of the analysis. The beam's size is that of betatron motion where the bump is highest.

    It is divided by the orbit there per displacement at the place, so that both are displacements at the place.
    """

    lifetime_h: float = Field(default=0.1, description="lifetime at which the beam counts as at its limit")
    beam_size_mm: float = Field(description="rms size of the beam, from the model")
    beam_size_error: float = Field(default=0.3, description="relative standard deviation of it")
    damping_time_s: float
    resolution_ma: float = Field(default=0.0, description="smallest step of the current that the monitor shows")
    peak_ratio: float = Field(default=1.0, description="orbit at the top of the bump over that at the place")
    gain_error: float = Field(default=0.01, description="relative, of the monitor")
    source: str = ""


class ApertureOutcome(Outcome):
    """Limits of the beam on both sides, relative to the orbit before the bump, with standard deviations.

    Sides are the low and the high one. What was not reached is NaN; then the limit is beyond `reached_mm`.
    """

    place: str
    plane: str
    lifetime_h: float
    at_lifetime_mm: Floats = quantity("mm", "side", description="displacement at which the lifetime is `lifetime_h`")
    at_lifetime_error_mm: Floats = quantity("mm", "side")
    wall_mm: Floats = quantity("mm", "side", description="displacement at which the centre of the beam is at the wall")
    wall_error_mm: Floats = quantity("mm", "side")
    top_mm: Floats = quantity("mm", "side", description="the same where the bump is highest, by the model")
    reached_mm: Floats = quantity("mm", "side", description="largest displacement with a beam")
    lost_mm: Floats = quantity("mm", "side", description="smallest displacement at which the beam was lost")
    ends: tuple[str, str]
    full_mm: Number = Field(description="from wall to wall; NaN if one was not reached")
    centre_mm: Number = Field(description="middle between the walls less the orbit before the bump")
    beam_size_mm: Floats = quantity("mm", "side", description="rms size of the beam that fits best")
    displacement_mm: Floats = quantity("mm", "step", description="displacement by the monitor's readings")
    rate: Floats = quantity("1/s", "step", description="-d(ln I)/dt; NaN where the beam was lost at once")
    rate_error: Floats = quantity("1/s", "step")
    rate_fitted: Floats = quantity("1/s", "step", description="rate of the fit")
    base_rate: float = Field(description="rate of losses before the bump [1/s]")


def analyse(data: ApertureData, parameters: ApertureParameters) -> ApertureOutcome:
    """Find the walls. Raises ProcedureError if the first step, without a bump, has no rate of losses."""
    steps = len(data.displacement_mm)
    rate, error = fit_loss_rates(data.sample_step, steps, data.sample_time_s, data.current_ma, parameters.resolution_ma)
    if steps == 0 or data.displacement_mm[0] != 0.0 or not np.isfinite(rate[0]):
        raise ProcedureError("the rate of losses without a bump was not measured")
    at = _displacements(data)
    fitted = np.full(steps, np.nan)
    sides = [_Side(sign, at, rate, error, data.lost > 0.0, parameters, fitted) for sign in (-1.0, 1.0)]
    wall = np.array([side.wall for side in sides])
    return ApertureOutcome(
        place=data.place,
        plane=data.plane,
        lifetime_h=parameters.lifetime_h,
        at_lifetime_mm=np.array([side.limit for side in sides]),
        at_lifetime_error_mm=np.array([side.limit_error for side in sides]),
        wall_mm=wall,
        wall_error_mm=np.array([side.wall_error for side in sides]),
        top_mm=parameters.peak_ratio * wall,
        reached_mm=np.array([side.reached for side in sides]),
        lost_mm=np.array([side.lost for side in sides]),
        ends=data.ends,
        full_mm=float(wall[1] - wall[0]),
        centre_mm=float(wall.mean()),
        beam_size_mm=np.array([side.size for side in sides]),
        displacement_mm=at,
        rate=rate,
        rate_error=error,
        rate_fitted=fitted,
        base_rate=float(rate[0]),
    )


def wall_loss_rate(distance: Array, size: Array, damping_time_s: float) -> Array:
    """Rate of losses [1/s] of a beam of an rms size whose centre is at a distance from a wall; of the same unit.

    Below xi = 1, where the formula does not hold, it rises with 1 / xi; inf behind the wall.
    """
    xi = np.where(distance > 0.0, 0.5 * (distance / size) ** 2, 0.0)
    with np.errstate(divide="ignore"):
        rate: Array = np.where(xi >= 1.0, 2.0 * xi * np.exp(-xi), 2.0 / (np.e * xi)) / damping_time_s
    return rate


def xi_of_rate(rate: float, damping_time_s: float) -> float:
    """Return the xi at which the rate of losses at a wall is this [1/s]: 1 at least, by Newton's method."""
    target = np.log(rate * damping_time_s / 2.0)
    xi = max(2.0, -target)
    for _ in range(50):
        xi = max(1.0 + 1e-9, xi - (np.log(xi) - xi - target) / (1.0 / xi - 1.0))
    return float(xi)


def _displacements(data: ApertureData) -> Array:
    """Return displacements by the monitor: its readings by those asked for, to second order, also where it has none."""
    asked, seen = data.displacement_mm, np.isfinite(data.reading_mm)
    degree = min(2, np.unique(asked[seen & (asked != 0.0)]).size)
    if degree == 0:
        return asked.copy()
    powers = asked[:, None] ** np.arange(1, degree + 1)
    found = np.linalg.lstsq(powers[seen], data.reading_mm[seen], rcond=None)[0]
    at: Array = powers @ found
    return at


class _Side:
    """The wall on one side: mean and standard deviation over the trial distances and sizes."""

    def __init__(
        self,
        sign: float,
        at: Array,
        rate: Array,
        error: Array,
        lost: NDArray[np.bool_],
        parameters: ApertureParameters,
        fitted: Array,
    ) -> None:
        self.wall = self.wall_error = self.limit = self.limit_error = self.size = np.nan
        mine = sign * at >= 0.0
        away, base = sign * at, float(rate[0])
        alive = mine & ~lost & np.isfinite(rate)
        dead = mine & lost
        reached, self.lost = float(away[alive].max()), sign * float(away[dead].min()) if dead.any() else np.nan
        self.reached = sign * reached
        spread = np.hypot(np.hypot(error[alive], error[0]), OTHER_LOSSES * abs(base))
        more = rate[alive] - base
        if not (dead.any() or (more > 5.0 * spread).any()):
            return
        size = parameters.beam_size_mm
        relative = np.linspace(-RANGE, RANGE, SIZES)
        sizes = size * np.exp(parameters.beam_size_error * relative)
        end = (float(away[dead].min()) if dead.any() else reached) + BEYOND * size
        walls = np.linspace(reached, end, DISTANCES)
        chi2 = np.broadcast_to(relative**2, (DISTANCES, SIZES)).copy()
        with np.errstate(over="ignore", invalid="ignore"):
            for x, there, by in zip(away[alive], more, spread, strict=True):
                model = wall_loss_rate(walls[:, None] - x, sizes, parameters.damping_time_s)
                chi2 += np.where(np.isfinite(model), (model - there) ** 2 / (by**2 + (FORMULA * model) ** 2), np.inf)
                # The spread of a model with a larger rate is larger, which must not make it more probable.
                chi2 += np.log(by**2 + (FORMULA * np.where(np.isfinite(model), model, 1.0)) ** 2)
            for x in away[dead]:
                chi2 += np.maximum(0.0, (walls[:, None] - x) / sizes - LOST_SIZES) ** 2
        chance = np.exp(-0.5 * (chi2 - chi2.min()))
        chance /= chance.sum()
        xi = xi_of_rate(1.0 / (HOUR_S * parameters.lifetime_h), parameters.damping_time_s)
        limits = walls[:, None] - np.sqrt(2.0 * xi) * sizes
        gain = parameters.gain_error
        wall, self.wall_error = _moments(np.broadcast_to(walls[:, None], chance.shape), chance, gain)
        limit, self.limit_error = _moments(limits, chance, gain)
        self.size = _moments(np.broadcast_to(sizes, chance.shape), chance, 0.0)[0]
        self.wall, self.limit = sign * wall, sign * limit
        best = np.unravel_index(int(chance.argmax()), chance.shape)
        with np.errstate(over="ignore"):
            model = wall_loss_rate(walls[best[0]] - away[mine], sizes[best[1]], parameters.damping_time_s)
        fitted[mine] = np.where(np.isfinite(model), base + model, np.nan)


def _moments(values: Array, chance: Array, gain: float) -> tuple[float, float]:
    mean = float((values * chance).sum())
    spread = float(np.sqrt(((values - mean) ** 2 * chance).sum()))
    return mean, float(np.hypot(spread, gain * mean))
