"""Pictures of tunes: over the momentum, by power supply, in the resonance diagram. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import resonance_lines
from gnomon.procedures.chromaticity import ChromaticityData, ChromaticityOutcome, ChromaticityParameters
from gnomon.procedures.tune_response import TuneResponseData, TuneResponseOutcome, TuneResponseParameters
from gnomon.procedures.working_point import WorkingPointData, WorkingPointOutcome, WorkingPointParameters
from gnomon.services.dashboard.pictures.figure_parts import (
    BESIDE,
    FAINT,
    GOOD,
    INK,
    Figure,
    Panel,
    Picture,
    X,
    Y,
    marked,
    numbers,
    plain,
    single,
    stacked,
    stems,
)
from gnomon.services.dashboard.pictures.picture_context import PictureContext
from gnomon.services.dashboard.pictures.setting_pictures import FEW, setting_picture

__all__ = ["chromaticity_pictures", "resonance_traces", "tune_response_pictures", "working_point_pictures"]

Floats = NDArray[np.float64]

#: Highest order of resonances in a diagram.
ORDER = 4
#: Half the width of a diagram of tunes, at least.
AROUND = 0.03
#: Points of a fitted curve.
POINTS = 80


def chromaticity_pictures(
    data: ChromaticityData, parameters: ChromaticityParameters, outcome: ChromaticityOutcome, context: PictureContext
) -> list[Picture]:
    """Draw the tunes over the momentum deviation with the fitted polynomials, and what is left of them."""
    momentum, tunes = parameters.momentum, np.column_stack((data.tune_x, data.tune_y))
    delta = momentum.deviation(data.rf_hz)
    coefficients = momentum.fit(data.rf_hz, tunes, parameters.degree)[0]
    fine = np.linspace(delta.min(), delta.max(), POINTS)
    powers = np.arange(len(coefficients))
    fitted, at = fine[:, None] ** powers @ coefficients, delta[:, None] ** powers @ coefficients
    beside = _beside_tunes(context)
    panels, residuals = [], []
    for row, (plane, colour) in enumerate(zip("xy", (X, Y), strict=True)):
        labels = [f"RF {hz / 1e3:.6f} kHz" for hz in data.rf_hz]
        traces = [
            marked(1e3 * fine, fitted[:, row], INK, name="fit" if row == 0 else "", mode="lines", format_=".5f"),
            marked(1e3 * delta, tunes[:, row], colour, name="measured" if row == 0 else "", labels=labels,
                   format_=".5f"),
        ]  # fmt: skip
        if beside is not None:
            traces.insert(
                1, marked(1e3 * beside[0], beside[1][row], BESIDE, name=beside[2] if row == 0 else "", format_=".5f",
                          symbol="circle-open"),
            )  # fmt: skip
        panels.append(Panel(f"tune Q{plane}", tuple(traces), axis={"tickformat": ".3f"}))
        left = 1e5 * (tunes[:, row] - at[:, row])
        residuals.append(marked(1e3 * delta, left, colour, name=f"Q{plane}", unit="× 10⁻⁵", labels=labels))
    told = ", ".join(
        f"ξ{plane} = {value:.3f} ± {error:.2g}"
        for plane, value, error in zip("xy", outcome.chromaticity, outcome.chromaticity_error, strict=True)
    )
    title = "momentum deviation δ [10⁻³]"
    return [
        Picture("Tunes over momentum", stacked(panels, title), told, wide=True),
        Picture(
            "Left by the fit",
            stacked([Panel("measured less fit [10⁻⁵]", tuple(residuals), zero=True)], title, height=220),
            f"polynomials of degree {parameters.degree}",
            wide=True,
        ),
    ]


def _beside_tunes(context: PictureContext) -> tuple[Floats, tuple[Floats, Floats], str] | None:
    """Return momentum deviations, tunes and the name of the run beside."""
    run = context.beside
    if run is None or not isinstance(context.beside_outcome, ChromaticityOutcome):
        return None
    data = ChromaticityData.model_validate(run.data)
    momentum = ChromaticityParameters.model_validate(run.parameters).momentum
    return momentum.deviation(data.rf_hz), (data.tune_x, data.tune_y), run.name


def tune_response_pictures(
    data: TuneResponseData, parameters: TuneResponseParameters, outcome: TuneResponseOutcome, context: PictureContext
) -> list[Picture]:
    """Draw what a unit of each supply does to the tunes, by place or by name if they are few."""
    names = outcome.supplies
    few = len(names) <= FEW
    place, title = context.places.along(names)
    at: Floats | list[str] = list(names) if few else place
    axis = {"type": "category", "tickangle": -60} if few else dict(context.places.axis(title))
    title = "power supply" if few else title
    unit = f"10⁻³/{outcome.setting_unit}"
    beside = context.beside_outcome
    panels = []
    for row, (plane, colour) in enumerate(zip("xy", (X, Y), strict=True)):
        traces = []
        if isinstance(beside, TuneResponseOutcome) and beside.supplies == names:
            assert context.beside is not None
            traces.append(
                marked(at, 1e3 * beside.tune[row], BESIDE, name=context.beside.name if row == 0 else "", labels=names,
                       unit=unit, symbol="circle-open")
            )  # fmt: skip
        traces.append(stems(at, 1e3 * outcome.tune[row], colour))
        traces.append(
            marked(at, 1e3 * outcome.tune[row], colour, labels=names, unit=unit, errors=1e3 * outcome.tune_error[row],
                   size=7)
        )  # fmt: skip
        panels.append(Panel(f"ΔQ{plane} [{unit}]", tuple(traces), zero=True))
    text = f"{len(names)} power supplies; scatter of a tune about the fit {np.nanmean(outcome.noise):.2g}"
    return [Picture("Change of the tunes", stacked(panels, title, x_axis=axis), text, wide=True)]


def working_point_pictures(
    data: WorkingPointData, parameters: WorkingPointParameters, outcome: WorkingPointOutcome, context: PictureContext
) -> list[Picture]:
    """Draw the way from the measured to the expected values, for tunes among the resonances, and the settings."""
    points = (("measured", data.measured, INK, "circle-open", 11), ("wanted", data.wanted, GOOD, "cross-thin", 15),
              ("expected", outcome.expected, X, "circle", 9))  # fmt: skip
    symbol, digits = ("Q", ".3f") if outcome.kind == "tune" else ("ξ", ".2f")
    traces: list[Figure] = []
    every = np.array([values for _, values, *_ in points])
    if not np.isfinite(every).all():
        every = np.array([data.measured])
    middle, half = 0.5 * (every.min(axis=0) + every.max(axis=0)), max(AROUND, 0.75 * float(np.ptp(every, axis=0).max()))
    if outcome.kind == "tune":
        window = [(float(m - half), float(m + half)) for m in middle]
        traces += resonance_traces(window[0], window[1])
        ranges = [{"range": list(each)} for each in window]
    else:
        ranges = [{}, {}]
    way = np.array([data.measured, outcome.expected])
    traces.append(marked(way[:, 0], way[:, 1], FAINT, mode="lines"))
    for name, values, colour, mark, size in points:
        told = f"{symbol}x = {values[0]:.5f}, {symbol}y = {values[1]:.5f}"
        traces.append(
            marked(values[:1], values[1:], colour, name=name, labels=[told], symbol=mark, size=size, format_=".5f")
        )
    square = {"scaleanchor": "x", "constrain": "domain"} if outcome.kind == "tune" else {}
    figure = single(
        traces, f"{symbol}x", f"{symbol}y", x_axis={**ranges[0], "tickformat": digits},
        y_axis={**ranges[1], "tickformat": digits, **square},
        height=440,
    )  # fmt: skip
    changes = setting_picture(
        "Settings against their limits",
        data.supplies, data.setting_unit, data.settings, outcome.proposed, data.low, data.high, context.places,
        outcome.change_errors,
    )  # fmt: skip
    title = "Tunes and resonances" if outcome.kind == "tune" else "Chromaticities"
    told = ", ".join(
        f"{symbol}{plane} {now:.4f}, expected {then:.4f}"
        for plane, now, then in zip("xy", data.measured, outcome.expected, strict=True)
    )
    return [Picture(title, figure, told), changes]


def resonance_traces(x: tuple[float, float], y: tuple[float, float], max_order: int = ORDER) -> list[Figure]:
    """Draw the resonances in a window of tunes, one trace for each order: the lower, the stronger."""
    by_order: dict[int, list[tuple[tuple[tuple[float, float], ...], str]]] = {}
    for line in resonance_lines(x, y, max_order):
        if ends := line.within(x, y):
            by_order.setdefault(line.order, []).append((ends, str(line)))
    return [_order_trace(order, lines) for order, lines in sorted(by_order.items())]


def _order_trace(order: int, lines: Sequence[tuple[tuple[tuple[float, float], ...], str]]) -> Figure:
    xs: list[float] = []
    ys: list[float] = []
    names: list[str] = []
    for (first, last), name in lines:
        middle = (0.5 * (first[0] + last[0]), 0.5 * (first[1] + last[1]))
        for x, y in (first, middle, last, (np.nan, np.nan)):
            xs.append(x)
            ys.append(y)
            names.append(plain(f"{name} (order {order})"))
    return {
        "type": "scatter",
        "x": numbers(xs),
        "y": numbers(ys),
        "mode": "lines",
        "line": {"color": INK if order < 3 else FAINT, "width": max(0.8, 3.2 - 0.6 * order)},
        "text": names,
        "hovertemplate": "%{text}<extra></extra>",
        "name": f"order {order}",
        "showlegend": False,
    }
