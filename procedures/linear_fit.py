"""Slopes of readings with respect to settings by least squares, with standard deviations. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.procedures.errors import ProcedureError

__all__ = ["SCATTER", "Slopes", "fit_polynomials", "fit_slopes"]

#: Description of `Slopes.noise`. A line through three readings leaves out the curvature, as that by sextupoles.
SCATTER = "standard deviation of one reading about the fit: noise, and what the fit leaves out"

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """Slopes (readings, settings) of readings per unit of setting, and their standard deviations.

    `noise` (readings,) is the standard deviation of one reading about the fit, `freedom` (readings,) the number of
    readings beyond those that the fit needs; NaN where there is nothing to fit.
    """

    slopes: Array
    errors: Array
    noise: Array
    freedom: Array


def fit_slopes(
    settings: Array, groups: Array, readings: Array, *, curvature: bool = False, noise: float | None = None
) -> Slopes:
    """Fit slopes to readings (rows, m) at settings (rows, k), with a constant of its own for each group of rows.

    Settings that are constant in a group are left out there; a setting that moves in several groups gets the mean,
    weighted by their information. `curvature` adds the square of a setting that moves alone, at three values or more.
    Readings that are NaN are left out. The noise comes from the residuals of all groups together; where nothing is
    left over, from `noise`. Raises ProcedureError if settings of a group do not move independently.
    """
    count, knobs = settings.shape
    if groups.shape != (count,) or readings.shape[:1] != (count,):
        raise ProcedureError(f"{count} rows of settings, {groups.size} of groups, {len(readings)} of readings")
    m = readings.shape[1]
    information, weighted = np.zeros((m, knobs)), np.zeros((m, knobs))
    squares, freedom = np.zeros(m), np.zeros(m)
    for group in np.unique(groups):
        rows = groups == group
        moved = np.flatnonzero(np.ptp(settings[rows], axis=0) > 0.0)
        offsets = settings[rows][:, moved] - settings[rows][:, moved].mean(axis=0)
        columns = [np.ones((int(rows.sum()), 1)), offsets]
        if curvature and moved.size == 1 and np.unique(offsets).size > 2:
            columns.append(offsets**2)
        design = np.hstack(columns)
        for some, valid in _patterns(readings[rows]):
            if not valid.any():
                continue
            used, seen = design[valid], readings[rows][valid][:, some]
            size = used.shape[1]
            inverse = _inverse(used, f"group {group:g}")
            if inverse is None:
                continue
            found = np.linalg.lstsq(used, seen, rcond=None)[0]
            squares[some] += ((seen - used @ found) ** 2).sum(axis=0)
            freedom[some] += len(used) - size
            for place, knob in enumerate(moved, start=1):
                weight = 1.0 / inverse[place, place]
                information[some, knob] += weight
                weighted[some, knob] += weight * found[place]
    with np.errstate(divide="ignore", invalid="ignore"):
        estimated = np.where(freedom > 0, np.sqrt(squares / freedom), np.nan)
        if noise is not None:
            estimated = np.where(freedom > 0, estimated, noise)
        slopes = weighted / information
        errors = estimated[:, None] / np.sqrt(information)
    errors[information == 0.0] = np.nan
    return Slopes(slopes, errors, estimated, freedom)


def fit_polynomials(at: Array, readings: Array, degree: int) -> tuple[Array, Array, Array]:
    """Fit polynomials of `at` (rows,) to readings (rows, m): coefficients, errors (degree + 1, m), noise (m,).

    Coefficients begin with the constant. NaN readings are left out; a reading with too few rows is NaN.
    """
    m = readings.shape[1]
    found, errors = np.full((degree + 1, m), np.nan), np.full((degree + 1, m), np.nan)
    noise = np.full(m, np.nan)
    scale = float(np.abs(at).max()) or 1.0
    design = (at[:, None] / scale) ** np.arange(degree + 1)
    units = scale ** -np.arange(degree + 1, dtype=float)
    for some, valid in _patterns(readings):
        used = design[valid]
        if np.unique(at[valid]).size <= degree:
            continue
        inverse = _inverse(used, "the polynomial")
        if inverse is None:
            continue
        fitted = np.linalg.lstsq(used, readings[valid][:, some], rcond=None)[0]
        left = len(used) - degree - 1
        residual = readings[valid][:, some] - used @ fitted
        sigma = np.sqrt((residual**2).sum(axis=0) / left) if left > 0 else np.full(int(some.sum()), np.nan)
        found[:, some] = units[:, None] * fitted
        errors[:, some] = units[:, None] * np.sqrt(np.diag(inverse))[:, None] * sigma
        noise[some] = sigma
    return found, errors, noise


def _inverse(design: Array, what: str) -> Array | None:
    """Invert the normal matrix; None if there are fewer rows than columns."""
    rows, size = design.shape
    if rows < size:
        return None
    scale = np.sqrt((design**2).sum(axis=0))
    scale[scale == 0.0] = 1.0
    _, r = np.linalg.qr(design / scale)
    diagonal = np.abs(np.diag(r))
    if diagonal.min() < 1e-9 * max(1.0, diagonal.max()):
        if rows == size:
            return None
        raise ProcedureError(f"{what}: settings do not move independently; use other settings, or fewer at a time")
    inner = np.linalg.inv(r)
    inverse: Array = (inner @ inner.T) / np.outer(scale, scale)
    return inverse


def _patterns(readings: Array) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Group the readings by the rows in which they are finite: which readings, which rows."""
    finite = np.isfinite(readings)
    if finite.all():
        return [(np.ones(readings.shape[1], dtype=bool), np.ones(len(readings), dtype=bool))]
    patterns, which = np.unique(finite, axis=1, return_inverse=True)
    return [(which.ravel() == number, patterns[:, number]) for number in range(patterns.shape[1])]
