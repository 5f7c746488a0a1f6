"""Beam based alignment: the beam in each quadrupole, and what the monitors beside them should show there. Pure.

The gradient of one quadrupole is changed both ways; the orbit moves as by a kick that is proportional to the distance u
between the beam and the magnetic centre. The pattern of this kick at all monitors, from the model, gives u but for its
size, which beta beating changes. Orbits that pass the quadrupole at several places give the size: the beam's movement
in the quadrupole follows from the monitors on both sides of it, by the magnets between them alone. In the same way they
give the reading of the nearest monitor for u = 0. What the beam does between quadrupole and monitor follows from its
positions in all quadrupoles between two bending magnets, where it is straight but for kicks that are known
(`AlignmentModel`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gnomon.procedures.documents import Data, Floats, Outcome, Parameters, Part, quantity
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.linear_fit import fit_slopes

__all__ = [
    "AlignmentData",
    "AlignmentModel",
    "AlignmentOutcome",
    "AlignmentParameters",
    "analyse",
    "with_offsets",
]


class AlignmentData(Data):
    """Readings at changes of one quadrupole's gradient after the other, or of groups of them, on several orbits each.

    A row belongs to `quadrupole` (index; the first of a group), to `orbit` (0: the beam as it was found; others:
    steered away) and to a `change` of its gradient. `changes` has those of all quadrupoles, where several change at the
    same time. `steerer_settings` are those of the beam as it was found.
    """

    quadrupoles: tuple[str, ...]
    monitors: tuple[str, ...]
    steerers: tuple[str, ...]
    change_unit: str = "A"
    steerer_unit: str = "A"
    quadrupole: Floats = quantity("", "row", description="index of the quadrupole")
    orbit: Floats = quantity("", "row", description="number of the orbit; 0: as it was found")
    change: Floats = quantity("{change_unit}", "row", description="change of the quadrupole's setting")
    changes: Floats = quantity(
        "{change_unit}", "row", "quadrupoles", optional=True, description="of all; empty: one changes at a time"
    )
    x_mm: Floats = quantity("mm", "row", "monitors")
    y_mm: Floats = quantity("mm", "row", "monitors")
    steerer_settings: Floats = quantity("{steerer_unit}", "steerers")
    time_s: Floats = quantity("s", "row", description="time of the reading since the start of the run")


class AlignmentModel(Part):
    """Everything that the analysis takes from a model of the ring.

    `pattern_x`, `pattern_y` (quadrupoles, monitors): change of the readings per change of the setting and per mm of u.
    `monitor` (quadrupoles): index of the monitor beside the quadrupole, -1 without one. `between_x`, `between_y`
    (quadrupoles, monitors): the sum of movements at monitors, with these weights, is the movement in the quadrupole
    when the beam is steered elsewhere; 0 but for the monitors around it. `straight_x`, `straight_y`
    (quadrupoles, quadrupoles): position at that monitor less position in the quadrupole, per mm of u in each
    quadrupole; `straight_error` in mm per mm of the quadrupoles' misalignment; `steered_x`, `steered_y`: the same
    difference per unit of each steerer.
    """

    quadrupoles: tuple[str, ...]
    monitors: tuple[str, ...]
    pattern_x: Floats = quantity("", "quadrupoles", "monitors")
    pattern_y: Floats = quantity("", "quadrupoles", "monitors")
    monitor: Floats = quantity("", "quadrupoles")
    distance_m: Floats = quantity("m", "quadrupoles", description="from the quadrupole's centre to that monitor")
    between_x: Floats = quantity("", "quadrupoles", "monitors")
    between_y: Floats = quantity("", "quadrupoles", "monitors")
    straight_x: Floats = quantity("", "quadrupoles", "quadrupoles")
    straight_y: Floats = quantity("", "quadrupoles", "quadrupoles")
    straight_error: Floats = quantity("", "quadrupoles")
    steered_x: Floats = quantity("", "quadrupoles", "steerers")
    steered_y: Floats = quantity("", "quadrupoles", "steerers")
    source: str = ""


class AlignmentParameters(Parameters):
    """Parameters of the analysis, with what is known of the machine's errors (standard deviations)."""

    model: AlignmentModel
    pattern_error: float = Field(
        default=0.1, description="relative, of the size of a pattern where no orbits tell it: beta beating"
    )
    between_error: float = Field(default=0.005, description="relative, of a movement between monitors: gradients there")
    coupling_error: float = Field(
        default=0.007, description="share of a change of the orbit in one plane that appears in the other: sextupoles"
    )
    misalignment_mm: float = Field(default=0.03, description="of quadrupoles between two bending magnets")
    gain_error: float = Field(default=0.01, description="relative, of monitors")
    max_distance_m: float = Field(default=0.5, description="from a quadrupole to a monitor whose offset is wanted")


class AlignmentOutcome(Outcome):
    """Positions of the beam relative to magnetic centres, and offsets of monitors, with standard deviations.

    An offset is the reading of the monitor when the beam passes on the axis of the quadrupole beside it; NaN without
    a monitor beside it.
    """

    quadrupoles: tuple[str, ...]
    x_mm: Floats = quantity("mm", "quadrupoles", description="beam less magnetic centre, as it was found")
    y_mm: Floats = quantity("mm", "quadrupoles", description="beam less magnetic centre, as it was found")
    x_error_mm: Floats = quantity("mm", "quadrupoles")
    y_error_mm: Floats = quantity("mm", "quadrupoles")
    monitors: tuple[str, ...] = Field(description="the monitor beside each quadrupole; empty without one")
    distance_m: Floats = quantity("m", "quadrupoles", description="from the quadrupole's centre to that monitor")
    offset_x_mm: Floats = quantity("mm", "quadrupoles", description="reading of the monitor on the quadrupole's axis")
    offset_y_mm: Floats = quantity("mm", "quadrupoles", description="reading of the monitor on the quadrupole's axis")
    offset_x_error_mm: Floats = quantity("mm", "quadrupoles")
    offset_y_error_mm: Floats = quantity("mm", "quadrupoles")
    noise_mm: float = Field(description="noise of one reading, from all residuals")


def analyse(data: AlignmentData, parameters: AlignmentParameters) -> AlignmentOutcome:
    """Find positions and offsets. Raises ProcedureError for a quadrupole without two different changes."""
    model, count = parameters.model, len(data.quadrupoles)
    if data.quadrupoles != model.quadrupoles or data.monitors != model.monitors:
        raise ProcedureError("the model's quadrupoles and monitors are not those of the data")
    position, position_error = np.full((2, count), np.nan), np.full((2, count), np.nan)
    zero, zero_error = np.full((2, count), np.nan), np.full((2, count), np.nan)
    found, sizes = np.full((2, count), np.nan), np.full((2, count), np.nan)
    noise = _noise(data)
    for number in range(count):
        beside = int(model.monitor[number])
        if beside >= 0 and model.distance_m[number] > parameters.max_distance_m:
            beside = -1
        for plane, (readings, pattern) in enumerate(
            ((data.x_mm, model.pattern_x[number]), (data.y_mm, model.pattern_y[number]))
        ):
            scan = _Scan(data, number, readings, pattern, noise)
            u, sigma = scan.u[scan.base], scan.u_error[scan.base]
            relative = parameters.pattern_error
            between = (model.between_x, model.between_y)[plane][number]
            if scan.spread > 10 * sigma and between.any():
                u, sigma = scan.position(between)
                relative = float(np.hypot(parameters.gain_error, parameters.between_error))
                if beside >= 0:
                    zero[plane, number], zero_error[plane, number] = scan.crossing(beside)
                    found[plane, number] = scan.readings[scan.base, beside]
            position[plane, number] = u
            position_error[plane, number] = np.hypot(sigma, relative * u)
            sizes[plane, number] = scan.size
    # Half of an orbit's change that sextupoles turn into the other plane looks like the pattern there.
    other = np.abs(position[::-1]) * sizes[::-1] / sizes
    position_error = np.hypot(position_error, parameters.coupling_error * other)
    offset, offset_error = _offsets(data, parameters, position, position_error, zero, zero_error, found)
    names = [
        data.monitors[int(index)] if index >= 0 and np.isfinite(value) else ""
        for index, value in zip(model.monitor, offset[0], strict=True)
    ]
    return AlignmentOutcome(
        quadrupoles=data.quadrupoles,
        x_mm=position[0],
        y_mm=position[1],
        x_error_mm=position_error[0],
        y_error_mm=position_error[1],
        monitors=tuple(names),
        distance_m=model.distance_m,
        offset_x_mm=offset[0],
        offset_y_mm=offset[1],
        offset_x_error_mm=offset_error[0],
        offset_y_error_mm=offset_error[1],
        noise_mm=noise,
    )


class _Scan:
    """One quadrupole in one plane: u on each of its orbits, and the readings of all monitors there."""

    def __init__(self, data: AlignmentData, number: int, readings: Floats, pattern: Floats, noise: float) -> None:
        mine = _rows_of(data, number)
        orbits = np.unique(data.orbit[mine])
        used = np.isfinite(pattern) & np.isfinite(readings[mine]).all(axis=0)
        if orbits.size == 0 or not used.any() or not np.abs(pattern[used]).max() > 0.0:
            raise ProcedureError(f"{data.quadrupoles[number]}: there are no readings with an effect of its gradient")
        found, errors, orbit_errors, seen = [], [], [], []
        square = float(pattern[used] @ pattern[used])
        for orbit in orbits:
            rows = mine & (data.orbit == orbit)
            design, column, size = _design(data, rows, number)
            fitted = np.linalg.lstsq(design, readings[rows], rcond=None)[0]
            inverse = np.linalg.inv(design.T @ design)
            slope = fitted[column] / size
            found.append(float(pattern[used] @ slope[used]) / square)
            errors.append(noise * np.sqrt(inverse[column, column] / square) / size)
            seen.append(fitted[0])
            orbit_errors.append(noise * np.sqrt(inverse[0, 0]))
        self.u, self.u_error = np.array(found), np.array(errors)
        self.readings, self.reading_error = np.array(seen), float(max(orbit_errors))
        self.base = int(np.argmin(np.abs(orbits)))
        self.spread, self.size = float(np.ptp(self.u)), float(np.sqrt(square))

    def crossing(self, monitor: int) -> tuple[float, float]:
        """Fit the monitor's reading by u: the reading for u = 0, and its standard deviation."""
        weights, slope = self._at_zero(self.readings[:, monitor])
        error = np.linalg.norm(weights) * np.hypot(self.reading_error, slope * self.u_error.max())
        return float(weights @ self.readings[:, monitor]), float(error)

    def position(self, between: Floats) -> tuple[float, float]:
        """Find u of the base orbit by the movements at the monitors around, and its standard deviation."""
        moved = (self.readings - self.readings[self.base])[:, between != 0.0] @ between[between != 0.0]
        weights, slope = self._at_zero(moved)
        # All movements are relative to the base orbit, whose noise they share.
        own = weights - (np.arange(moved.size) == self.base)
        noise = self.reading_error * np.linalg.norm(between) * np.linalg.norm(own)
        error = np.hypot(noise, slope * np.linalg.norm(weights) * self.u_error.max())
        return float(-weights @ moved), float(error)

    def _at_zero(self, values: Floats) -> tuple[Floats, float]:
        """Return the weights of orbits that give a value for u = 0, and its slope there.

        With three orbits or more by a parabola: steered beams are elsewhere in the sextupoles, so that the size of the
        pattern, and u with it, changes a little from orbit to orbit.
        """
        inverse = np.linalg.pinv(self.u[:, None] ** np.arange(min(3, self.u.size)))
        return inverse[0], float(inverse[1] @ values)


def with_offsets(
    orbit_mm: NDArray[np.float64], monitors: Sequence[str], found: AlignmentOutcome
) -> NDArray[np.float64]:
    """Return an orbit (2, monitors) [mm] with the offsets that were found in the place of its values.

    With it as the target of a correction, the beam passes on the axes of the quadrupoles beside those monitors. A
    monitor with several gets their mean, weighted by the standard deviations. Raises ProcedureError if there is none.
    """
    target = np.array(orbit_mm, dtype=float)
    planes = ((found.offset_x_mm, found.offset_x_error_mm), (found.offset_y_mm, found.offset_y_error_mm))
    beside, places = np.array(found.monitors), {monitor: column for column, monitor in enumerate(monitors)}
    any_known = False
    for plane, (offset, error) in enumerate(planes):
        known = np.isfinite(offset) & (error > 0.0)
        for monitor in set(beside[known]) & places.keys():
            there = known & (beside == monitor)
            target[plane, places[monitor]] = np.average(offset[there], weights=error[there] ** -2.0)
            any_known = True
    if not any_known:
        raise ProcedureError("this alignment has no offset of a monitor: no quadrupole had one beside it")
    return target


def _offsets(
    data: AlignmentData,
    parameters: AlignmentParameters,
    position: Floats,
    position_error: Floats,
    zero: Floats,
    zero_error: Floats,
    found: Floats,
) -> tuple[Floats, Floats]:
    """Take away the beam's way from quadrupole to monitor on the orbit through the magnetic centre."""
    model = parameters.model
    offset, error = np.full_like(zero, np.nan), np.full_like(zero, np.nan)
    angle_error = parameters.misalignment_mm * model.straight_error
    known = np.nan_to_num(position_error)
    for plane, (straight, steered) in enumerate(
        ((model.straight_x, model.steered_x), (model.straight_y, model.steered_y))
    ):
        way = straight @ position[plane] + steered @ data.steerer_settings
        there = way + zero[plane] - found[plane] + position[plane]
        offset[plane] = zero[plane] - there
        error[plane] = np.sqrt(zero_error[plane] ** 2 + angle_error**2 + straight**2 @ known[plane] ** 2)
    return offset, error


def _rows_of(data: AlignmentData, number: int) -> NDArray[np.bool_]:
    """Tell which rows are those of a quadrupole, or of the group in which it changes."""
    if not data.changes.size:
        rows: NDArray[np.bool_] = data.quadrupole == number
        return rows
    return np.isin(data.quadrupole, data.quadrupole[data.changes[:, number] != 0.0])


def _design(data: AlignmentData, rows: NDArray[np.bool_], number: int) -> tuple[Floats, int, float]:
    """Return the columns that readings on one orbit are fitted by, the place of a quadrupole's, and its unit.

    The first is the orbit without a change. A large change moves the tunes: the orbit is not a straight line of it.
    Raises ProcedureError where changes do not tell the effect.
    """
    if not data.changes.size:
        change = data.change[rows]
        size, distinct = float(np.abs(change).max(initial=0.0)), np.unique(change).size
        if distinct < 2:
            raise ProcedureError(f"{data.quadrupoles[number]}: its gradient was not changed on all of its orbits")
        return (change[:, None] / size) ** np.arange(min(3, distinct)), 1, size
    changes = data.changes[rows]
    members = np.flatnonzero(np.ptp(changes, axis=0) > 0.0)
    sizes = np.abs(changes[:, members]).max(axis=0)
    signs = changes[:, members] / sizes
    # Even powers and products of changes are the same for a pattern and its opposite: a column for each of these pairs.
    first = np.take_along_axis(signs, (signs != 0.0).argmax(axis=1)[:, None], axis=1)
    pair = np.unique(np.round(signs * np.sign(first), 9), axis=0, return_inverse=True)[1].ravel()
    even = np.array([(pair == each) & (first[:, 0] != 0.0) for each in range(pair.max() + 1)], dtype=float).T
    design = np.hstack((np.ones((len(changes), 1)), signs, even[:, even.any(axis=0)]))
    if number not in members or np.linalg.matrix_rank(design) < design.shape[1]:
        raise ProcedureError(f"{data.quadrupoles[number]}: its changes cannot be told from those of its group")
    place = int(np.searchsorted(members, number))
    return design, 1 + place, float(sizes[place])


def _noise(data: AlignmentData) -> float:
    """Find the noise of one reading, from the residuals of all fits."""
    pairs = np.column_stack((data.quadrupole, data.orbit))
    groups = np.unique(pairs, axis=0, return_inverse=True)[1].ravel().astype(float)
    readings = np.hstack((data.x_mm, data.y_mm))
    if not data.changes.size:
        fit = fit_slopes(data.change[:, None], groups, readings, curvature=True)
        return float(np.sqrt(np.nanmean(fit.noise**2)))
    squares = freedom = 0.0
    for group in np.unique(groups):
        rows = groups == group
        design = _design(data, rows, int(np.flatnonzero(data.changes[rows].any(axis=0))[0]))[0]
        seen = readings[rows][:, np.isfinite(readings[rows]).all(axis=0)]
        left = seen - design @ np.linalg.lstsq(design, seen, rcond=None)[0]
        squares += float((left**2).sum())
        freedom += seen.shape[1] * (design.shape[0] - design.shape[1])
    return float(np.sqrt(squares / freedom)) if freedom else np.nan
