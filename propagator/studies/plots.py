"""Pictures of studies. matplotlib is imported when one is drawn, and draws into files alone."""

from pathlib import Path
from typing import Any

import numpy as np

from gnomon.propagator.studies.result_files import StudyResult

MODES = ("tab:blue", "tab:red")


def plot_tune(result: StudyResult, path: Path) -> None:
    """Beta and dispersion around the ring, and what each quadrupole does to the tunes."""
    figure, axes = _figure(3, 1, (11, 8.5))
    data = {name: quantity.data for name, quantity in result.quantities.items()}
    s = data["s"]
    for mode, colour in enumerate(MODES):
        plane = "xy"[mode]
        axes[0].plot(s, data["beta"][:, mode], colour, lw=1, label=f"$\\beta_{plane}$")
        axes[1].plot(s, data["dispersion"][:, 2 * mode], colour, lw=1, label=f"$\\eta_{plane}$")
    for row, label in enumerate(("beta [m]", "dispersion [m]")):
        axes[row].set_ylabel(label)
        axes[row].set_xlim(s[0], s[-1])
    normal = np.array(result.names["knob parameters"]) == "b2"
    places = data["knob s"][normal]
    for mode, colour in enumerate(MODES):
        axes[2].vlines(places, 0.0, data["tune response"][mode, normal], colour, lw=1.5, label=f"$Q_{'xy'[mode]}$")
    axes[2].axhline(0.0, color="black", lw=0.5)
    axes[2].set_xlim(s[0], s[-1])
    axes[2].set_ylabel("dQ / dk1 [m²]")
    axes[2].set_xlabel("s of the quadrupole [m]")
    axes[1].set_xlabel("s [m]")
    for axis in axes:
        axis.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, borderpad=0.0)
    tune, chromaticity = data["tune"], data["chromaticity"]
    _finish(
        figure, result, path,
        f"Q = {tune[0]:.4f}, {tune[1]:.4f}; chromaticity = {chromaticity[0]:.2f}, {chromaticity[1]:.2f}",
    )  # fmt: skip


def plot_orm(result: StudyResult, path: Path) -> None:
    """The matrix of both planes at fixed momentum, and what holding the RF frequency changes."""
    figure, axes = _figure(1, 2, (13, 6.5))
    data = {name: quantity.data for name, quantity in result.quantities.items()}
    order = np.argsort(np.array(result.names["knob parameters"]) == "kick_y", kind="stable")
    held = np.concatenate([data["x, momentum held"], data["y, momentum held"]])[:, order]
    freed = np.concatenate([data["x, frequency held"], data["y, frequency held"]])[:, order]
    horizontal = int(np.count_nonzero(np.array(result.names["knob parameters"]) == "kick_x"))
    monitors = len(result.names["monitors"])
    pictures = (("momentum held", held), ("frequency held, less momentum held", freed - held))
    for axis, (title, matrix) in zip(axes, pictures, strict=True):
        size = float(np.abs(matrix).max()) or 1.0
        image = axis.imshow(matrix, cmap="RdBu_r", vmin=-size, vmax=size, aspect="auto", interpolation="nearest")
        figure.colorbar(image, ax=axis, label="m/rad")
        axis.set_title(title)
        axis.axhline(monitors - 0.5, color="black", lw=0.8)
        axis.axvline(horizontal - 0.5, color="black", lw=0.8)
        axis.set_xlabel("correctors: horizontal | vertical, in beam order")
        axis.set_yticks([monitors / 2, 1.5 * monitors], ["x at monitors", "y at monitors"], rotation=90, va="center")
    _finish(figure, result, path, f"{monitors} monitors, {held.shape[1]} correctors")


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns)


def _finish(figure: Any, result: StudyResult, path: Path, what: str) -> None:
    facts = result.facts
    figure.suptitle(f"{facts['machine']}, optics {facts['optics']}, lattice {facts['lattice']}: {what}", fontsize=11)
    figure.savefig(path, dpi=130)
