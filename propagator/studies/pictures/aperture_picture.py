"""The picture of the aperture study: dynamic aperture in x and y, and momentum aperture around the ring."""

from typing import Any

import numpy as np

from gnomon.propagator.ensembles import ApertureStudy
from gnomon.propagator.ensembles.momentum_aperture import MomentumAperture
from gnomon.propagator.studies.pictures.style import Frame, Palette, drawing, spread, title, zero_line
from gnomon.propagator.studies.pictures.synoptic import draw_synoptic, row_height
from gnomon.propagator.studies.result_files import StudyResult

WIDTH, HEIGHT = 12.0, 4.4


def plot_aperture(study: ApertureStudy, result: StudyResult, frame: Frame) -> None:
    """Draw the result of an aperture study; `result` holds its facts."""
    panels = bool(study.dynamic) + (study.momentum is not None)
    width = WIDTH / 2.0 * panels
    row = row_height(frame, 0.42 * WIDTH) if study.momentum is not None else 0.0
    with drawing(frame, (width, HEIGHT + row)) as figure:
        grid = figure.add_gridspec(2 if row else 1, panels, height_ratios=[HEIGHT, row] if row else [1.0])
        if study.dynamic:
            _draw_dynamic(figure, figure.add_subplot(grid[:, 0]), study, frame.palette)
        if study.momentum is not None:
            axes = [figure.add_subplot(grid[i, panels - 1]) for i in range(2)]
            _draw_momentum(axes[0], study.momentum, frame.palette)
            draw_synoptic(axes[1], frame, 0.42 * WIDTH)
            spread(axes, frame.window)
        title(figure, result.facts, "")


def _draw_dynamic(figure: Any, axis: Any, study: ApertureStudy, palette: Palette) -> None:
    first = study.dynamic[0]
    dots = axis.scatter(1e3 * first.tried_x, 1e3 * first.tried_y, c=first.lasted, s=7, cmap="cividis", linewidths=0)
    figure.colorbar(dots, ax=axis, label=f"turns survived at δ = {1e2 * first.delta:g} %", pad=0.015)
    for part, colour in zip(study.dynamic, _cycle(palette, len(study.dynamic)), strict=True):
        axis.plot(1e3 * part.x, 1e3 * part.y, "-", color=colour, label=f"δ = {1e2 * part.delta:g} %")
        axis.plot(1e3 * part.x[~part.open], 1e3 * part.y[~part.open], "o", color=colour, ms=3)
        axis.plot(1e3 * part.x[part.open], 1e3 * part.y[part.open], "^", color=colour, ms=6, mfc="none")
    if any(part.open.any() for part in study.dynamic):
        axis.plot([], [], "^", color=palette.ink, mfc="none", label="end of the search")
    top = float(max(np.max(part.y) for part in study.dynamic))
    axis.set(xlabel="x - orbit [mm]", ylabel="y - orbit [mm]", ylim=(0.0, max(1.3e3 * top, 1e-3)))
    axis.set_title(f"dynamic aperture, {first.turns} turns", fontsize=10.5)
    axis.legend(loc="upper right", framealpha=0.85, facecolor=palette.paper, edgecolor="none")


def _draw_momentum(axis: Any, part: MomentumAperture, palette: Palette) -> None:
    for values in (part.positive, part.negative):
        axis.plot(part.s, 1e2 * values, "o-", ms=3, color=palette.x)
    zero_line(axis, palette)
    axis.set_ylabel("momentum deviation [%]")
    cavities = "with" if part.cavities else "without"
    axis.set_title(f"momentum aperture, {part.turns} turns, {cavities} cavities", fontsize=10.5)


def _cycle(palette: Palette, count: int) -> list[str]:
    return [palette.more[(k + 1) % len(palette.more)] for k in range(count)]
