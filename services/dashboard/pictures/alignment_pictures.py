"""Pictures of beam based alignment: offsets around the ring, old against new, and the lines of one quadrupole. Pure."""

import numpy as np
from numpy.typing import NDArray

from gnomon.procedures.beam_based_alignment import AlignmentData, AlignmentOutcome, AlignmentParameters
from gnomon.services.dashboard.pictures.figure_parts import BESIDE, INK, Figure, Panel, Picture, X, Y, marked, stacked
from gnomon.services.dashboard.pictures.picture_context import PictureContext

__all__ = ["alignment_pictures", "quadrupole_lines"]

Floats = NDArray[np.float64]

#: Monitors whose lines are drawn: those that the quadrupole's gradient moves most.
LINES = 12


def alignment_pictures(
    data: AlignmentData, parameters: AlignmentParameters, outcome: AlignmentOutcome, context: PictureContext
) -> list[Picture]:
    """Draw offsets of monitors and positions in quadrupoles with error bars, and an earlier run's below them."""
    at, title = context.places.along(outcome.quadrupoles)
    beside = context.beside_outcome
    old = beside if isinstance(beside, AlignmentOutcome) else None
    axis = context.places.axis(title)
    beside_each = zip(outcome.quadrupoles, outcome.monitors, outcome.distance_m, strict=True)
    labels = [f"{monitor}, {at_m:.2f} m from {name}" if monitor else name for name, monitor, at_m in beside_each]
    found = []
    for name, field, shown in (
        ("Offsets of monitors", "offset_{}_mm", labels),
        ("Beam less centre of quadrupoles", "{}_mm", outcome.quadrupoles),
    ):
        panels = []
        for row, (plane, colour) in enumerate(zip("xy", (X, Y), strict=True)):
            values = getattr(outcome, field.format(plane))
            errors = getattr(outcome, field.format(plane).replace("_mm", "_error_mm"))
            traces = []
            if old is not None:
                assert context.beside is not None
                before = _match(old, getattr(old, field.format(plane)), outcome.quadrupoles)
                traces.append(
                    marked(at, 1e3 * before, BESIDE, name=context.beside.name if row == 0 else "", unit="µm",
                           labels=shown, symbol="circle-open", size=8)
                )  # fmt: skip
            traces.append(
                marked(at, 1e3 * values, colour, name="this run" if row == 0 and traces else "", unit="µm",
                       errors=1e3 * errors, labels=shown)
            )  # fmt: skip
            panels.append(Panel(f"{plane} [µm]", tuple(traces), zero=True))
        found.append(
            Picture(name, stacked(panels, title, x_axis=axis), f"{len(outcome.quadrupoles)} quadrupoles", True)
        )
    if old is not None:
        found.append(_change(outcome, old, context, at, title, labels))
    return found


def _change(
    outcome: AlignmentOutcome, old: AlignmentOutcome, context: PictureContext, at: Floats, title: str, labels: list[str]
) -> Picture:
    panels = []
    for plane, colour in zip("xy", (X, Y), strict=True):
        field = f"offset_{plane}_mm"
        change = getattr(outcome, field) - _match(old, getattr(old, field), outcome.quadrupoles)
        error = field.replace("_mm", "_error_mm")
        errors = np.hypot(getattr(outcome, error), _match(old, getattr(old, error), outcome.quadrupoles))
        panels.append(
            Panel(
                f"Δ{plane} [µm]",
                (marked(at, 1e3 * change, colour, errors=1e3 * errors, labels=labels, unit="µm"),),
                zero=True,
            )
        )
    assert context.beside is not None
    figure = stacked(panels, title, x_axis=context.places.axis(title), height=150)
    return Picture("New offsets less old ones", figure, f"less those of {context.beside.name}", wide=True)


def _match(old: AlignmentOutcome, values: Floats, quadrupoles: tuple[str, ...]) -> Floats:
    """Sort an older run's values by the quadrupoles of a newer one; NaN for one that it has not."""
    known = dict(zip(old.quadrupoles, values.tolist(), strict=True))
    return np.array([known.get(name, np.nan) for name in quadrupoles])


def quadrupole_lines(
    data: AlignmentData, parameters: AlignmentParameters, outcome: AlignmentOutcome, quadrupole: str
) -> Figure:
    """Draw what a change of one quadrupole's gradient does at the monitors, over the beam's place in the quadrupole.

    All lines cross zero where the beam is in the magnetic centre. The place is the reading of the monitor beside the
    quadrupole, or the fitted place without one. Raises ValueError for another name.
    """
    number = data.quadrupoles.index(quadrupole)
    beside = outcome.monitors[number]
    panels = []
    for plane, colour in zip("xy", (X, Y), strict=True):
        panels.append(_plane_lines(data, parameters, outcome, number, plane, colour))
    where = f"reading of {beside} [mm]" if beside else "beam less magnetic centre [mm]"
    return stacked(panels, where, height=240)


def _plane_lines(
    data: AlignmentData,
    parameters: AlignmentParameters,
    outcome: AlignmentOutcome,
    number: int,
    plane: str,
    colour: str,
) -> Panel:
    readings = data.x_mm if plane == "x" else data.y_mm
    pattern = (parameters.model.pattern_x if plane == "x" else parameters.model.pattern_y)[number]
    slopes, means = _by_orbit(data, number, readings)
    used = np.isfinite(pattern) & np.isfinite(slopes).all(axis=0)
    place = slopes[:, used] @ pattern[used] / float(pattern[used] @ pattern[used])
    beside = outcome.monitors[number]
    position = means[:, data.monitors.index(beside)] if beside else place
    order = np.argsort(position)
    strongest = np.argsort(np.where(used, -np.abs(pattern), np.inf))[: min(LINES, int(used.sum()))]
    unit = f"µm/{data.change_unit}"
    traces = [
        marked(position[order], 1e3 * slopes[order][:, monitor], colour, unit=unit, size=5,
               labels=[data.monitors[monitor]] * len(order), mode="lines+markers")
        | {"opacity": 0.4 if rank else 1.0}
        for rank, monitor in reversed(list(enumerate(strongest)))
    ]  # fmt: skip
    shapes: list[Figure] = []
    zero = _crossing(position, place)
    if zero is not None:
        shapes.append({"type": "line", "x0": zero, "x1": zero, "y0": 0, "y1": 1, "yref": " domain",
                       "line": {"color": INK, "width": 1, "dash": "dot"}})  # fmt: skip
    return Panel(f"Δ{plane} [{unit}]", tuple(traces), zero=True, shapes=tuple(shapes))


def _by_orbit(data: AlignmentData, number: int, readings: Floats) -> tuple[Floats, Floats]:
    """Return what a unit of change does at all monitors on each orbit, and the readings without a change."""
    mine = data.quadrupole == number
    slopes, means = [], []
    for orbit in np.unique(data.orbit[mine]):
        rows = mine & (data.orbit == orbit)
        change = data.change[rows]
        # A large change moves the tunes: the orbit is not a straight line of it.
        design = change[:, None] ** np.arange(min(3, np.unique(change).size))
        fitted = np.linalg.lstsq(design, readings[rows], rcond=None)[0]
        slopes.append(fitted[1])
        means.append(fitted[0])
    return np.array(slopes), np.array(means)


def _crossing(position: Floats, place: Floats) -> float | None:
    """Return the position at which the beam is in the centre, by a line; None if it hardly moved."""
    if position.size < 2 or not np.ptp(place) > 0.0:
        return None
    return float(np.polyfit(place, position, 1)[1])
