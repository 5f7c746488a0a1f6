"""The picture of the tune study: optics over s, the magnets, tune responses, and tunes over momentum deviation."""

import numpy as np

from gnomon.propagator.studies.pictures.style import Frame, drawing, fit_to_window, legend, spread, title, zero_line
from gnomon.propagator.studies.pictures.synoptic import draw_synoptic, row_height
from gnomon.propagator.studies.result_files import StudyResult

WIDTH, PANEL = 11.0, 2.05
#: An orbit below this everywhere is not drawn [m].
NO_ORBIT = 1e-7


def plot_tune(result: StudyResult, frame: Frame) -> None:
    """Draw beta, dispersion, orbit, magnets, tune responses and, if scanned, tunes over the momentum deviation."""
    palette = frame.palette
    data = {name: quantity.data for name, quantity in result.quantities.items()}
    orbit = data["point orbit"][:, ::2]
    has_orbit, scanned = bool(np.abs(orbit).max() > NO_ORBIT), "scanned tune" in data
    row = row_height(frame, 0.9 * WIDTH) / PANEL
    heights = [1.2, 0.9, *([0.7] if has_orbit else []), row, 0.8, *([1.0] if scanned else [])]
    with drawing(frame, (WIDTH, PANEL * sum(heights) + 0.7)) as figure:
        grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
        rows = [figure.add_subplot(grid[i, :]) for i in range(len(heights) - scanned)]
        s = data["point s"]
        curves = [
            ("point beta", 1, 1.0, r"$\beta$ [m]", r"\beta"),
            ("point dispersion", 2, 1.0, "dispersion [m]", r"\eta"),
        ]
        curves += [("point orbit", 2, 1e3, "orbit [mm]", "")] if has_orbit else []
        for axis, (name, step, factor, label, symbol) in zip(rows, curves, strict=False):
            for plane, colour in enumerate((palette.x, palette.y)):
                text = f"${symbol}_{'xy'[plane]}$" if symbol else f"${'xy'[plane]}$"
                axis.plot(s, factor * data[name][:, step * plane], color=colour, label=text)
            axis.set_ylabel(label)
            legend(axis)
            if name != "point beta":
                zero_line(axis, palette)
        draw_synoptic(rows[-2], frame, 0.9 * WIDTH)
        normal = np.array(result.names["knob parameters"]) == "b2"
        for plane, colour in enumerate((palette.x, palette.y)):
            bars = data["knob s"][normal] + (0.1 if plane else 0.0)
            rows[-1].vlines(bars, 0.0, data["tune response"][plane, normal], colour, lw=1.6, label=f"$Q_{'xy'[plane]}$")
        rows[-1].set_ylabel(r"$dQ/dk_1$ [m²]")
        zero_line(rows[-1], palette)
        legend(rows[-1])
        spread(rows, frame.window)
        for axis in rows[:-2]:
            fit_to_window(axis, frame.window)
        if scanned:
            for plane, colour in enumerate((palette.x, palette.y)):
                axis = figure.add_subplot(grid[len(heights) - 1, plane])
                axis.plot(1e2 * data["scanned momentum deviation"], data["scanned tune"][:, plane], color=colour)
                axis.plot(1e2 * data["momentum deviation"], data["tune"][plane], "o", color=colour, ms=4)
                axis.set_xlabel(r"momentum deviation $\delta$ [%]")
                axis.set_ylabel(f"$Q_{'xy'[plane]}$")
                axis.ticklabel_format(useOffset=False)
        (qx, qy), (cx, cy) = data["tune"], data["chromaticity"]
        title(figure, result.facts, f"$Q$ = {qx:.4f}, {qy:.4f};  $dQ/d\\delta$ = {cx:.2f}, {cy:.2f}")
