"""Pictures of losses: the current over time, losses towards an aperture, and over a region of working points. Pure."""

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import ResonanceLine
from gnomon.procedures.aperture import ApertureData, ApertureOutcome, ApertureParameters
from gnomon.procedures.beam_lifetimes import LifetimeData, LifetimeOutcome, LifetimeParameters
from gnomon.procedures.loss_map import LossMapData, LossMapOutcome, LossMapParameters
from gnomon.services.dashboard.pictures.figure_parts import (
    BAD,
    FAINT,
    GOOD,
    INK,
    Figure,
    Panel,
    Picture,
    X,
    marked,
    numbers,
    plain,
    single,
    stacked,
)
from gnomon.services.dashboard.pictures.picture_context import PictureContext
from gnomon.services.dashboard.pictures.tune_pictures import resonance_traces

__all__ = ["aperture_pictures", "lifetime_pictures", "loss_map_pictures"]

Floats = NDArray[np.float64]

HOUR_S = 3600.0
#: Room around the points of a map, in tune.
ROOM = 0.004
#: Lines of resonances that were found are told apart by their dashes.
DASHES = ("dash", "dot", "dashdot", "longdash", "longdashdot")
#: Rates below this part of the largest one have the colour of the lowest.
DECADES = 4.0


def lifetime_pictures(
    data: LifetimeData, parameters: LifetimeParameters, outcome: LifetimeOutcome, context: PictureContext
) -> list[Picture]:
    """Draw the current over time with the fit, and what is left of it."""
    at = data.time_s
    current = (
        marked(at, data.current_ma, X, name="measured", unit="mA", size=5, format_=".5~g"),
        marked(at, outcome.fitted_ma, INK, name="fit", unit="mA", mode="lines", format_=".5~g"),
    )
    left = (marked(at, 1e3 * (data.current_ma - outcome.fitted_ma), X, unit="µA", size=5),)
    if np.isfinite(outcome.lifetime_h):
        told = f"lifetime {outcome.lifetime_h:.4g} ± {outcome.lifetime_error_h:.2g} h"
    else:
        told = f"no loss is seen; the lifetime is at least {outcome.lowest_h:.4g} h"
    if np.isfinite(outcome.shown_h):
        told += f"; the machine shows {outcome.shown_h:.4g} h"
    panels = [Panel("current [mA]", current), Panel("measured less fit [µA]", left, zero=True)]
    return [Picture("Current of the beam", stacked(panels, "time [s]"), told, wide=True)]


def aperture_pictures(
    data: ApertureData, parameters: ApertureParameters, outcome: ApertureOutcome, context: PictureContext
) -> list[Picture]:
    """Draw the rate of losses over the displacement, with the walls and the limits by lifetime."""
    at = outcome.displacement_mm
    order = np.argsort(at)
    lost = ~np.isfinite(outcome.rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        lifetimes = 1.0 / (HOUR_S * outcome.rate[~lost])
    notes = [f"lifetime {each:.3g} h" for each in lifetimes]
    traces = [
        marked(at[order], outcome.rate_fitted[order], INK, name="fit", unit="1/s", mode="lines+markers", size=5,
               symbol="x-thin"),
        marked(at[~lost], outcome.rate[~lost], X, name="measured", unit="1/s", errors=outcome.rate_error[~lost],
               labels=[f"{x:.3f} mm" for x in at[~lost]], notes=notes, size=7),
    ]  # fmt: skip
    finite = np.concatenate(
        (outcome.rate[np.isfinite(outcome.rate)], outcome.rate_fitted[np.isfinite(outcome.rate_fitted)])
    )
    if lost.any():
        top = float(finite.max()) if finite.size else 1.0
        traces.append(
            marked(at[lost], np.full(int(lost.sum()), top), BAD, name="beam lost", symbol="x", size=9,
                   labels=[f"{x:.3f} mm" for x in at[lost]], notes=["lost at once"] * int(lost.sum()))
        )  # fmt: skip
    shapes: list[Figure] = []
    told = []
    for side, wall, error in zip(("low", "high"), outcome.wall_mm, outcome.wall_error_mm, strict=True):
        if np.isfinite(wall):
            told.append(f"{side} wall {wall:.2f} ± {error:.2f} mm")
            shapes.append(
                _upright(wall - error, wall + error, {"fillcolor": BAD, "opacity": 0.25, "line": {"width": 0}})
            )
            shapes.append(_upright(wall, wall, {"line": {"color": BAD, "width": 2}}))
        else:
            reached = outcome.reached_mm[0 if side == "low" else 1]
            told.append(f"{side} wall not reached: beyond {reached:.2f} mm")
    shapes += [
        _upright(limit, limit, {"line": {"color": GOOD, "width": 1.5, "dash": "dash"}})
        for limit in outcome.at_lifetime_mm
        if np.isfinite(limit)
    ]
    positive = bool((finite > 0.0).any())
    axis = {"type": "log", "exponentformat": "power", "tickfont": {"size": 11}} if positive else {}
    figure = single(
        traces, f"displacement {plain(outcome.plane)} at {outcome.place} [mm]", "rate of losses [1/s]", y_axis=axis,
        shapes=shapes, height=420,
    )  # fmt: skip
    dashed = f"dashed: lifetime of {outcome.lifetime_h:g} h"
    return [Picture("Losses towards the aperture", figure, "; ".join([*told, dashed]), wide=True)]


def _upright(first: float, last: float, more: Figure) -> Figure:
    """Make a line or a band over the whole height."""
    return {
        "type": "rect" if last > first else "line",
        "x0": float(first),
        "x1": float(last),
        "y0": 0,
        "y1": 1,
        "yref": "y domain",
        "layer": "below",
        **more,
    }


def loss_map_pictures(
    data: LossMapData, parameters: LossMapParameters, outcome: LossMapOutcome, context: PictureContext
) -> list[Picture]:
    """Draw the rate of losses at the working points over the resonances, and the resonances that lose beam."""
    x, y = _window(outcome.tune_x), _window(outcome.tune_y)
    rate = outcome.rate
    seen = np.isfinite(rate)
    largest = float(rate[seen].max()) if seen.any() else 1.0
    lowest = max(float(rate[seen].min()) if seen.any() else 0.0, largest * 10.0**-DECADES, 1e-12)
    shown = np.log10(np.clip(rate[seen], lowest, max(largest, lowest)))
    explained = [outcome.resonances[int(k)] if k >= 0 else "" for k in outcome.explained_by]
    texts = [
        f"Qx = {a:.4f}, Qy = {b:.4f}<br>{value:.3g} 1/s" + (f"<br>{plain(line)}" if line else "")
        for a, b, value, line in zip(outcome.tune_x, outcome.tune_y, rate, explained, strict=True)
    ]
    points: Figure = {
        "type": "scatter",
        "x": numbers(outcome.tune_x[seen]),
        "y": numbers(outcome.tune_y[seen]),
        "mode": "markers",
        "name": "rate of losses",
        "showlegend": False,
        "text": [text for text, kept in zip(texts, seen, strict=True) if kept],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": numbers(shown),
            "colorscale": "Cividis",
            "size": 13,
            "symbol": "square",
            "line": {"color": FAINT, "width": 0.5},
            "colorbar": {
                "title": {"text": "rate of losses [1/s]", "side": "right"},
                "thickness": 12,
                "outlinewidth": 0,
                "tickvals": (ticks := list(range(int(np.floor(shown.min())), int(np.ceil(shown.max())) + 1))),
                "ticktext": [f"10<sup>{tick}</sup>" for tick in ticks],
            }
            if seen.any()
            else None,
        },
    }
    lost = data.lost > 0.0
    traces = [*resonance_traces(x, y, 4), points]
    if lost.any():
        traces.append(
            marked(outcome.tune_x[lost], outcome.tune_y[lost], BAD, name="beam lost", symbol="x", size=9, format_=".4f")
        )
    traces += _found_lines(outcome, x, y)
    figure = single(
        traces, "Qx", "Qy", x_axis={"range": list(x), "tickformat": ".3f", "showgrid": False, "constrain": "domain"},
        y_axis={"range": list(y), "tickformat": ".3f", "scaleanchor": "x", "showgrid": False, "constrain": "domain"},
        height=560,
    )  # fmt: skip
    told = f"resonances that lose beam: {len(outcome.resonances)}; points with losses on none: {outcome.unexplained}"
    if outcome.end:
        told += f"; ended early: {outcome.end}"
    return [Picture("Losses over working points", figure, told, wide=True), *_strengths(outcome)]


def _found_lines(outcome: LossMapOutcome, x: tuple[float, float], y: tuple[float, float]) -> list[Figure]:
    """Draw the resonances that were found, each with its name."""
    found: list[Figure] = []
    for name, m, n, p in zip(outcome.resonances, outcome.m, outcome.n, outcome.p, strict=True):
        if ends := ResonanceLine(int(m), int(n), int(p)).within(x, y):
            found.append(
                marked([end[0] for end in ends], np.array([end[1] for end in ends]), BAD, name=name, mode="lines",
                       dash=DASHES[len(found) % len(DASHES)], width=2.0, format_=".4f")
            )  # fmt: skip
    return found


def _strengths(outcome: LossMapOutcome) -> list[Picture]:
    if not outcome.resonances:
        return []
    trace = marked(
        list(outcome.resonances), outcome.resonance_rate, X, unit="1/s", errors=outcome.resonance_rate_error, size=9
    )
    figure = single([trace], "resonance", "rate on the line [1/s]", y_axis={"rangemode": "tozero"}, height=300)
    return [Picture("Resonances", figure, f"width {outcome.width:.2g} of m Qx + n Qy")]


def _window(values: Floats) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    return float(finite.min()) - ROOM, float(finite.max()) + ROOM
