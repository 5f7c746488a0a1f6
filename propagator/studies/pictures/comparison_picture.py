"""The picture of two lattices side by side: beta beating, changes of orbit and dispersion over s, and the magnets."""

from typing import Any

import numpy as np

from gnomon.propagator.studies.pictures.style import Frame, drawing, fit_to_window, legend, spread, title, zero_line
from gnomon.propagator.studies.pictures.synoptic import draw_synoptic, row_height
from gnomon.propagator.studies.result_files import StudyResult

WIDTH, PANEL = 11.0, 2.1


def plot_comparison(result: StudyResult, frame: Frame) -> None:
    """Draw the changes from the first lattice to the second, with the row of magnets at the bottom."""
    palette = frame.palette
    data = {name: quantity.data for name, quantity in result.quantities.items()}
    panels = (
        ("point beta beating", 1e2, r"$\Delta\beta/\beta$ [%]"),
        ("point orbit change", 1e3, "orbit change [mm]"),
        ("point dispersion change", 1e3, "dispersion change [mm]"),
    )
    row = row_height(frame, 0.9 * WIDTH) / PANEL
    with drawing(frame, (WIDTH, PANEL * (3.0 + row) + 0.6)) as figure:
        axes: list[Any] = list(figure.subplots(4, 1, height_ratios=[1.0, 1.0, 1.0, row]))
        for axis, (name, factor, label) in zip(axes, panels, strict=False):
            for plane, colour in enumerate((palette.x, palette.y)):
                axis.plot(data["point s"], factor * data[name][:, plane], color=colour, label="xy"[plane])
            axis.set_ylabel(label)
            zero_line(axis, palette)
        legend(axes[0])
        draw_synoptic(axes[3], frame, 0.9 * WIDTH)
        spread(axes, frame.window)
        for axis in axes[:3]:
            fit_to_window(axis, frame.window)
        tune, chromaticity = np.diff(data["tune"], axis=0)[0], np.diff(data["chromaticity"], axis=0)[0]
        title(
            figure,
            result.facts,
            f"$\\Delta Q$ = {tune[0]:+.5f}, {tune[1]:+.5f};  change of $dQ/d\\delta$ = {chromaticity[0]:+.3f}, "
            f"{chromaticity[1]:+.3f};  {len(result.names['setting'])} settings differ",
        )
