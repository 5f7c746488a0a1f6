"""Figures of pages as they are before their first values: fixed size, axes with units."""

from dash import dcc, html
from dash.development.base_component import Component

from gnomon.services.dashboard.page_parts import attributes


def live_figure(name: str, label: str) -> Component:
    """Make the place of a figure that the page's script draws with `gnomon.draw(NAME, ...)`; `label` says what it is.

    Its height is in the style sheet, so that nothing moves when values come.
    """
    graph = dcc.Graph(
        id=f"figure-{name}",
        figure={"data": [], "layout": {"xaxis": {"visible": False}, "yaxis": {"visible": False}}},
        responsive=True,
        config={"displaylogo": False, "displayModeBar": False, "doubleClick": "reset"},
        style={"height": "100%"},
    )
    body = html.Div(graph, className="figure-body")
    return html.Figure([body], className=f"figure figure-{name}", role="img", **attributes(aria_label=label))
