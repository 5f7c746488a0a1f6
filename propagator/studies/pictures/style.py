"""The style of all pictures: colours that colour-blind people can tell apart, on light or dark background."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.lattice import Lattice

#: A curve with a smaller range is drawn flat, whatever its unit.
FLAT = 1e-6
#: Resolution of a PNG [dots per inch].
DPI = 130


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours after Okabe and Ito: `x` and `y` for the planes, `more` for other curves."""

    paper: str
    ink: str
    faint: str
    x: str
    y: str
    more: tuple[str, ...]
    bend: str
    quadrupole: str
    sextupole: str
    steerer: str


LIGHT = Palette(
    paper="#ffffff", ink="#1a1a1a", faint="#c8c8c8", x="#0072b2", y="#d55e00",
    more=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#5f5f5f"),
    bend="#e0b000", quadrupole="#b23a00", sextupole="#00795a", steerer="#7a4a8c",
)  # fmt: skip
DARK = Palette(
    paper="#16181d", ink="#e6e6e6", faint="#4a4d55", x="#56b4e9", y="#f0923b",
    more=("#56b4e9", "#f0923b", "#2fc79a", "#e39ac4", "#f0e442", "#9db8d9"),
    bend="#f0d54a", quadrupole="#f07a4a", sextupole="#2fc79a", steerer="#d9a0e8",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """Settings of a picture: file, lattice, colours and part of the ring [m]; None means the ring's start or end."""

    path: Path
    lattice: Lattice
    dark: bool = False
    first_m: float | None = None
    last_m: float | None = None

    @property
    def palette(self) -> Palette:
        """The colours of this picture."""
        return DARK if self.dark else LIGHT

    @property
    def window(self) -> tuple[float, float]:
        """The part of the ring that the picture shows [m]."""
        ends = (0.0, self.lattice.ring.circumference)
        first, last = (end if at is None else at for at, end in zip((self.first_m, self.last_m), ends, strict=True))
        return first, last


@contextmanager
def drawing(frame: Frame, size: tuple[float, float]) -> Iterator[Any]:
    """Yield a figure of a size [inch] in the common style, and write it to the frame's file at the end."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_settings(frame.palette)):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        figure.savefig(frame.path, dpi=DPI)


def title(figure: Any, facts: Mapping[str, str], text: str) -> None:
    """Write the title: machine, source of the settings and lattice, and a line of the picture's own below."""
    head = _plain(f"{facts['machine']}, {facts['settings']}, lattice {facts['lattice'][:10]}")
    figure.suptitle(f"{head}\n{text}" if text else head, fontsize=11)


def legend(axis: Any, columns: int = 2) -> None:
    """Put the legend above the axis at its right end, where nothing is drawn."""
    axis.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=columns, frameon=False, borderpad=0.0)


def zero_line(axis: Any, palette: Palette) -> None:
    """Draw a line at zero."""
    axis.axhline(0.0, color=palette.faint, lw=0.8, zorder=0)


def spread(axes: Sequence[Any], window: tuple[float, float]) -> None:
    """Give all axes over s the same range, and the last one the label."""
    for axis in axes:
        axis.set_xlim(*window)
        last = axis is axes[-1]
        axis.tick_params(labelbottom=last, bottom=last or axis.spines["bottom"].get_visible())
    axes[-1].set_xlabel("s [m]")


def fit_to_window(axis: Any, window: tuple[float, float]) -> None:
    """Fit the vertical range of an axis over s to the curves within the window [m]."""
    low, high = np.inf, -np.inf
    for line in axis.lines:
        x, y = np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)
        if x.size > 2:
            seen = y[(x >= window[0]) & (x <= window[1])]
            low, high = min(low, float(seen.min(initial=np.inf))), max(high, float(seen.max(initial=-np.inf)))
    if high >= low:
        margin = 0.05 * (high - low) if high - low > FLAT else 0.1
        axis.set_ylim(low - margin, high + margin)


def _plain(text: str) -> str:
    """Escape characters in foreign texts that matplotlib would read as mathematics."""
    return text.replace("$", r"\$")


def _settings(palette: Palette) -> Any:
    from cycler import cycler

    ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    return {
        **dict.fromkeys(ink, palette.ink),
        "figure.facecolor": palette.paper,
        "axes.facecolor": palette.paper,
        "savefig.facecolor": palette.paper,
        "axes.prop_cycle": cycler(color=palette.more),
        "axes.linewidth": 0.7,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": palette.faint,
        "grid.linewidth": 0.4,
        "lines.linewidth": 1.2,
        "font.size": 9.5,
        "legend.fontsize": 9.5,
        "svg.fonttype": "none",
    }
