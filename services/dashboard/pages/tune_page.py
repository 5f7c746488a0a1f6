"""The tunes in the resonance diagram, with their way there, and over time."""

import json
from collections.abc import Iterator, Sequence

from dash import html
from dash.development.base_component import Component

from gnomon.db import sources
from gnomon.lattice import resonance_lines
from gnomon.services.dashboard.page_figures import live_figure
from gnomon.services.dashboard.page_parts import Page, attributes, live_value

#: Highest order of resonances that can be shown, and the one that is shown first.
MAX_ORDER, FIRST_ORDER = 5, 4
#: Width of the square that is shown, in tune.
WINDOWS = {"0.5": "0.5 wide", "0.2": "0.2 wide", "0.05": "0.05 wide", "0.01": "0.01 wide"}


def layout() -> Component:
    """Make the page: what is shown, the numbers, the diagram, and both tunes over time."""
    orders = [html.Option(f"order {order}", value=str(order)) for order in range(2, MAX_ORDER + 1)]
    windows = [html.Option(text, value=value) for value, text in WINDOWS.items()]
    return html.Div(
        [
            html.Div(
                [
                    html.Label(["Resonances to", _select("tune-order", orders)], className="choice"),
                    html.Label(["Window", _select("tune-window", windows)], className="choice"),
                    html.Label([html.Span("Beside"), html.Span(id="beside-choice")], className="choice"),
                    html.Button("Clear the trail", id="tune-clear", type="button"),
                ],
                className="page-tools",
            ),
            html.Div(
                [
                    _number("Chromaticity x", "chromaticity.x", "x"),
                    _number("Chromaticity y", "chromaticity.y", "y"),
                    _nearest(),
                ],
                className="numbers",
            ),
            html.Div(
                [
                    live_figure("tune-diagram", "Working point among the resonances"),
                    html.Div(
                        [
                            live_figure("tune-x", "Horizontal tune over time"),
                            live_figure("tune-y", "Vertical tune over time"),
                        ],
                        className="figures",
                    ),
                ],
                className="tune-figures",
            ),
        ],
        **attributes(data_lines=json.dumps(list(_lines())), data_order=str(FIRST_ORDER)),
        id="tune-page",
    )


def _select(name: str, options: Sequence[Component]) -> Component:
    return html.Select(options, id=name)


def _number(name: str, key: str, mark: str) -> Component:
    value = live_value(key, "3")
    return html.Div([html.Span(name, className="name"), value], className="number", style={"--mark": f"var(--{mark})"})


def _nearest() -> Component:
    return html.Div(
        [
            html.Span("Nearest resonance", className="name"),
            html.Span("–", id="tune-nearest", className="value"),
            html.Span(id="tune-distance", className="more"),
        ],
        className="number",
    )


def _lines() -> Iterator[tuple[int, int, int]]:
    """Yield m, n, p of the resonances in the square of the fractional tunes; they are the same in all squares."""
    for line in resonance_lines((0.0, 1.0), (0.0, 1.0), MAX_ORDER):
        yield line.m, line.n, line.p


PAGE = Page(
    path="tunes",
    title="Tunes",
    layout=layout,
    sources=(*sources.CHROMATICITY, *sources.BOUND_TUNE_LOWER, *sources.BOUND_TUNE_UPPER),
)
