"""Pictures of the review of a recording: orbit, tunes among resonances, setpoints by step, beta beating."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import resonance_lines
from gnomon.propagator.studies.pictures.style import Frame, Palette, drawing, fit_to_window, legend, spread, zero_line
from gnomon.propagator.studies.pictures.synoptic import draw_synoptic, row_height

WIDTH, PANEL = 11.0, 2.1
#: Setpoints that are drawn with a name of their own, in each unit; units that are drawn.
MAX_SETPOINTS, MAX_UNITS = 6, 4
#: Number of marked points in the path of the tunes.
MAX_POINTS = 200
#: Width of resonance lines by order, and the margin of the diagram around the path [tune].
LINE_WIDTHS, MARGIN = (0.0, 2.0, 1.4, 0.7), 0.02

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReviewCurves:
    """The numbers of a review.

    `orbits` (k, m, 2) [mm] are orbits at the monitors, at `monitors_s` [m], at the start and after each step; `tunes`
    (k, 2); `setpoints` has, by unit, the values (k,) of PVs by name; `beating` (n+1, 2) is the relative change of the
    beta functions at the end, `worst` that after step `worst_step`.
    """

    monitors_s: Floats
    orbits: Floats
    tunes: Floats
    setpoints: Mapping[str, Mapping[str, Floats]]
    beating: Floats
    worst: Floats
    worst_step: int


def plot_review_orbit(curves: ReviewCurves, frame: Frame) -> None:
    """Draw the change of the orbit: at the end, and the range over all steps."""
    palette, change = frame.palette, curves.orbits - curves.orbits[:1]
    row = row_height(frame, 0.9 * WIDTH) / PANEL
    with drawing(frame, (WIDTH, PANEL * (2.0 + row) + 0.3)) as figure:
        axes: list[Any] = list(figure.subplots(3, 1, height_ratios=[1.0, 1.0, row]))
        found = np.isfinite(change).all(axis=(1, 2))
        for plane, colour in enumerate((palette.x, palette.y)):
            axis, s = axes[plane], curves.monitors_s
            if found.any():
                low, high = (f(change[found, :, plane], axis=0) for f in (np.min, np.max))
                axis.fill_between(s, low, high, color=colour, alpha=0.25, lw=0, label="all steps")
            axis.plot(s, change[-1, :, plane], ".-", ms=3, lw=0.8, color=colour, label="end")
            axis.set_ylabel(f"change of {'xy'[plane]} [mm]")
            zero_line(axis, palette)
            legend(axis)
        draw_synoptic(axes[2], frame, 0.9 * WIDTH)
        spread(axes, frame.window)
        for axis in axes[:2]:
            fit_to_window(axis, frame.window)
            low, high = axis.get_ylim()
            drawn = change[found][:, :, axes.index(axis)] if found.any() else np.zeros(1)
            margin = 0.05 * float(np.ptp(drawn))
            axis.set_ylim(min(low, float(drawn.min()) - margin), max(high, float(drawn.max()) + margin))


def plot_review_tunes(curves: ReviewCurves, frame: Frame) -> None:
    """Draw the path of the tunes among the lines of resonances up to the third order."""
    palette = frame.palette
    path = curves.tunes[np.isfinite(curves.tunes).all(axis=1)]
    with drawing(frame, (0.6 * WIDTH, 0.5 * WIDTH)) as figure:
        axis = figure.subplots()
        axis.set(xlabel="$Q_x$", ylabel="$Q_y$")
        if not path.size:
            axis.text(0.5, 0.5, "no beam", ha="center", transform=axis.transAxes)
            return
        low, high = path.min(axis=0), path.max(axis=0)
        half = max(0.5 * float((high - low).max()) + MARGIN, 1.4 * MARGIN)
        middle = 0.5 * (low + high)
        x, y = ((float(m) - half, float(m) + half) for m in middle)
        labelled: list[tuple[float, float]] = []
        for line in sorted(resonance_lines(x, y), key=lambda each: each.order):
            ends = line.within(x, y)
            if ends:
                axis.plot(*zip(*ends, strict=True), color=palette.faint, lw=LINE_WIDTHS[line.order], zorder=1)
                _name_line(axis, palette, str(line), ends, labelled, half)
        shown = path[:: max(1, len(path) // MAX_POINTS)]
        axis.plot(path[:, 0], path[:, 1], "-", color=palette.x, lw=1.0, zorder=3)
        axis.plot(shown[:, 0], shown[:, 1], ".", color=palette.x, ms=4, zorder=3)
        axis.plot(*path[0], "o", color=palette.ink, mfc=palette.paper, ms=8, zorder=4, label="start")
        ended = bool(np.isfinite(curves.tunes[-1]).all())
        axis.plot(*path[-1], "s", color=palette.y, ms=6, zorder=5, label="end" if ended else "last beam")
        axis.set(xlim=x, ylim=y)
        axis.ticklabel_format(useOffset=False)
        axis.grid(False)
        legend(axis)


def plot_review_setpoints(curves: ReviewCurves, frame: Frame) -> None:
    """Draw the changes of setpoints by step of the plan, a panel for each unit; the largest ones have names."""
    palette, units = frame.palette, list(curves.setpoints.items())[:MAX_UNITS]
    with drawing(frame, (WIDTH, PANEL * max(len(units), 1) + 0.5)) as figure:
        axes = np.atleast_1d(figure.subplots(max(len(units), 1), 1, sharex=True))
        for axis, (unit, setpoints) in zip(axes, units, strict=False):
            changes = {pv: values - values[0] for pv, values in setpoints.items()}
            ordered = sorted(changes, key=lambda pv: -float(np.abs(changes[pv]).max()))
            for number, pv in enumerate(ordered):
                named = number < MAX_SETPOINTS
                colour = palette.more[number % len(palette.more)] if named else palette.faint
                steps = np.append(np.arange(len(changes[pv])), len(changes[pv]) - 0.5)
                label = pv.replace("$", r"\$") if named else None
                axis.step(
                    steps,
                    np.append(changes[pv], changes[pv][-1]),
                    where="post",
                    color=colour,
                    zorder=3 if named else 2,
                    label=label,
                )
            rest = len(ordered) - MAX_SETPOINTS
            if rest > 0:
                axis.plot([], [], color=palette.faint, label=f"{rest} more")
            axis.set_ylabel(f"change [{unit}]" if unit else "change")
            zero_line(axis, palette)
            legend(axis, columns=4)
        axes[-1].set_xlabel("writes done")
        axes[-1].xaxis.get_major_locator().set_params(integer=True)


def plot_review_beating(curves: ReviewCurves, frame: Frame) -> None:
    """Draw the beta beating since the start: at the end, and where it is largest."""
    palette, s = frame.palette, frame.lattice.ring.s
    row = row_height(frame, 0.9 * WIDTH) / PANEL
    with drawing(frame, (WIDTH, PANEL * (1.2 + row) + 0.3)) as figure:
        axes: list[Any] = list(figure.subplots(2, 1, height_ratios=[1.2, row]))
        for plane, colour in enumerate((palette.x, palette.y)):
            if not np.array_equal(curves.worst, curves.beating, equal_nan=True):
                label = f"{'xy'[plane]}, largest (write {curves.worst_step})"
                axes[0].plot(s, 1e2 * curves.worst[:, plane], ":", color=colour, lw=1.0, label=label)
            axes[0].plot(s, 1e2 * curves.beating[:, plane], color=colour, label=f"{'xy'[plane]}, end")
        axes[0].set_ylabel(r"$\Delta\beta/\beta$ [%]")
        zero_line(axes[0], palette)
        legend(axes[0], columns=4)
        draw_synoptic(axes[1], frame, 0.9 * WIDTH)
        spread(axes, frame.window)
        fit_to_window(axes[0], frame.window)


def _name_line(
    axis: Any,
    palette: Palette,
    name: str,
    ends: Sequence[tuple[float, float]],
    labelled: list[tuple[float, float]],
    half: float,
) -> None:
    """Name a line in its middle, unless another name is near."""
    place = (0.5 * (ends[0][0] + ends[-1][0]), 0.5 * (ends[0][1] + ends[-1][1]))
    if any(abs(place[0] - a) < 0.35 * half and abs(place[1] - b) < 0.08 * half for a, b in labelled):
        return
    labelled.append(place)
    box = {"facecolor": palette.paper, "edgecolor": "none", "pad": 1.0, "alpha": 0.8}
    axis.annotate(name, place, ha="center", va="center", fontsize=7.5, color=palette.ink, bbox=box, zorder=2)
