"""Parts of figures: colours by their role, texts without markup, panels one above the other. Pure.

A figure is what Plotly takes, as dictionaries and lists. Its colours are names of roles such as `var(--x)`, the custom
properties of the pages' style sheet: the page puts the colours of its theme in, and `painted` those of a palette.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice.text import printable

__all__ = [
    "Figure",
    "Panel",
    "Picture",
    "diverging",
    "error_bars",
    "marked",
    "numbers",
    "painted",
    "plain",
    "single",
    "stacked",
    "stems",
]

Figure = dict[str, Any]

#: Roles of colours: of the planes, of other curves, of an earlier run, and of what is good or out of bounds.
X, Y, MORE, BESIDE = "var(--x)", "var(--y)", "var(--third)", "var(--beside)"
GOOD, BAD = "var(--good)", "var(--bad)"
#: Text and models; what is of less weight; lines of the grid and at zero; the ground.
INK, FAINT, GRID, ZERO, PAPER = "var(--ink)", "var(--faint)", "var(--grid)", "var(--zero)", "var(--panel)"
#: Digits of numbers in a figure: more than a screen shows, few to send.
DIGITS = 6
#: Height of a panel, and of what is above and below all panels [px].
PANEL, AROUND = 190, 96
#: Part of the height between two panels.
GAP = 0.07
#: Longest name that is shown in a figure [characters].
MAX_NAME = 80


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves over a common abscissa: title of the ordinate with its unit, traces; `zero` draws a line at zero.

    The `yref` of a shape is empty for values, and ` domain` for parts of the panel's height.
    """

    title: str
    traces: tuple[Figure, ...]
    zero: bool = False
    axis: Mapping[str, Any] | None = None
    shapes: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure with its title, and what it shows for those who do not see it. `wide`: over the whole width."""

    title: str
    figure: Figure
    text: str = ""
    wide: bool = False


def plain(text: object) -> str:
    """Make a text of others safe in a figure: Plotly takes `<b>` and `&amp;` for markup."""
    shown = printable(str(text))
    shown = shown if len(shown) <= MAX_NAME else f"{shown[: MAX_NAME - 1]}…"
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def numbers(values: "NDArray[np.float64] | Sequence[float]") -> list[Any]:
    """Turn an array into lists for JSON, with few digits; what is not finite becomes None: a gap."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim > 1:
        return [numbers(row) for row in array]
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in array.tolist()]


def error_bars(errors: "NDArray[np.float64] | None", colour: str) -> Figure:
    """Make the entry `error_y` of a trace; none where no error is known."""
    if errors is None or not np.isfinite(errors).any():
        return {}
    bars = {"type": "data", "array": numbers(errors), "color": colour, "thickness": 1, "width": 0}
    return {"error_y": bars}


def marked(
    x: "NDArray[np.float64] | Sequence[float] | Sequence[str]",
    y: "NDArray[np.float64]",
    colour: str,
    *,
    name: str = "",
    unit: str = "",
    labels: Sequence[str] = (),
    notes: Sequence[str] = (),
    errors: "NDArray[np.float64] | None" = None,
    mode: str = "markers",
    symbol: str = "circle",
    size: int = 6,
    dash: str = "solid",
    width: float = 1.5,
    format_: str = ".4~g",
) -> Figure:
    """Make a trace of points, lines or both; hovering shows label, value, error, unit, and a note below."""
    is_number = not len(x) or not isinstance(x[0], str)
    shown = plain(unit)
    label = "%{text}<br>" if labels else ""
    error = " ± %{error_y.array:.2~g}" if error_bars(errors, colour) else ""
    trace: Figure = {
        "type": "scatter",
        "x": numbers(x) if is_number else [plain(each) for each in x],  # type: ignore[arg-type]
        "y": numbers(y),
        "mode": mode,
        "name": plain(name),
        "showlegend": bool(name),
        "hovertemplate": f"{label}%{{y:{format_}}}{error} {shown}<extra>{plain(name)}</extra>",
        "line": {"color": colour, "width": width, "dash": dash},
        "marker": {"color": colour, "size": size, "symbol": symbol, "line": {"color": colour, "width": 1.2}},
        **error_bars(errors, colour),
    }
    if notes:
        trace["text"] = [f"{plain(label)}<br>{plain(note)}" for label, note in zip(labels, notes, strict=True)]
    elif labels:
        trace["text"] = [plain(each) for each in labels]
    return trace


def stems(x: "NDArray[np.float64] | Sequence[str]", y: "NDArray[np.float64]", colour: str) -> Figure:
    """Make a trace of lines from zero to values, below points that show them."""
    is_number = not len(x) or not isinstance(x[0], str)
    at = numbers(x) if is_number else [plain(each) for each in x]  # type: ignore[arg-type]
    return {
        "type": "scatter",
        "x": [place for each in at for place in (each, each, None)],
        "y": [value for each in numbers(y) for value in (0.0, each, None)],
        "mode": "lines",
        "line": {"color": colour, "width": 1.5},
        "opacity": 0.6,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def stacked(
    panels: Sequence[Panel], x_title: str, *, x_axis: Mapping[str, Any] | None = None, height: int = PANEL
) -> Figure:
    """Put panels above one another over the same abscissa; `height` is that of one [px]."""
    count = len(panels)
    share = (1.0 - GAP * (count - 1)) / count
    data, shapes = [], []
    layout: Figure = {**_look(), "height": height * count + AROUND}
    layout["xaxis"] = {**_axis(x_title), "anchor": f"y{count if count > 1 else ''}", **(x_axis or {})}
    for number, panel in enumerate(panels):
        suffix = str(number + 1) if number else ""
        top = 1.0 - number * (share + GAP)
        layout[f"yaxis{suffix}"] = {
            **_axis(panel.title),
            "domain": [max(0.0, top - share), top],
            "anchor": "x",
            "zeroline": panel.zero,
            **(panel.axis or {}),
        }
        data += [{**trace, "xaxis": "x", "yaxis": f"y{suffix}"} for trace in panel.traces]
        shapes += [{**shape, "yref": f"y{suffix}{shape.get('yref', '')}"} for shape in panel.shapes]
    if shapes:
        layout["shapes"] = shapes
    return {"data": data, "layout": layout}


def single(
    traces: Sequence[Figure],
    x_title: str,
    y_title: str,
    *,
    x_axis: Mapping[str, Any] | None = None,
    y_axis: Mapping[str, Any] | None = None,
    shapes: Sequence[Figure] = (),
    height: int = 380,
) -> Figure:
    """Make a figure with one pair of axes."""
    layout: Figure = {
        **_look(),
        "height": height,
        "xaxis": {**_axis(x_title), **(x_axis or {})},
        "yaxis": {**_axis(y_title), **(y_axis or {})},
    }
    if shapes:
        layout["shapes"] = list(shapes)
    return {"data": list(traces), "layout": layout}


def diverging() -> list[list[Any]]:
    """Return a colour scale that has the paper's colour at its middle: zero."""
    return [[0.0, X], [0.5, PAPER], [1.0, Y]]


def painted(figure: Figure, colours: Mapping[str, str]) -> Figure:
    """Return the figure with colours for its roles, by role without `var(--` and `)`."""

    def paint(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: paint(each) for key, each in value.items()}
        if isinstance(value, list):
            return [paint(each) for each in value]
        if isinstance(value, str) and value.startswith("var(--"):
            return colours[value[6:-1]]
        return value

    found: Figure = paint(figure)
    return found


def _look() -> Figure:
    return {
        "autosize": True,
        "margin": {"l": 62, "r": 14, "t": 34, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "size": 13, "family": "system-ui, sans-serif"},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom", "font": {"size": 12}},
        "hoverlabel": {"align": "left", "bgcolor": PAPER, "bordercolor": ZERO, "font": {"color": INK}},
        "dragmode": "zoom",
        "hovermode": "closest",
        "uirevision": "kept",
    }


def _axis(title: str) -> Figure:
    return {
        "title": {"text": plain(title), "standoff": 6, "font": {"size": 13, "color": INK}},
        "color": FAINT,
        "gridcolor": GRID,
        "linecolor": ZERO,
        "zeroline": False,
        "zerolinecolor": ZERO,
        "zerolinewidth": 1.5,
        "automargin": True,
        "exponentformat": "power",
        "ticks": "outside",
        "tickcolor": ZERO,
        "ticklen": 4,
    }
