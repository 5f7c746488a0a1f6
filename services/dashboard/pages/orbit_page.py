"""Orbit and optics around the ring; another twin or the machine beside it, the residuals, and the band."""

from dash import html
from dash.development.base_component import Component

from gnomon.db import sources
from gnomon.services.dashboard.page_figures import live_figure
from gnomon.services.dashboard.page_parts import Page


def layout() -> Component:
    """Make the page: choice of what stands beside the twin, numbers, and the figures in the same range of s."""
    return html.Div(
        [
            html.Div(
                [
                    html.Label([html.Span("Beside"), html.Span(id="beside-choice")], className="choice"),
                    html.Div(id="orbit-numbers", className="numbers"),
                ],
                className="page-tools",
            ),
            html.Div(
                [
                    live_figure("orbit-x", "Horizontal orbit at the monitors along the ring"),
                    live_figure("orbit-y", "Vertical orbit at the monitors along the ring"),
                    live_figure("beta", "Beta functions along the ring"),
                    live_figure("dispersion", "Dispersion along the ring"),
                ],
                className="figures",
            ),
        ]
    )


PAGE = Page(
    path="orbit",
    title="Orbit and optics",
    layout=layout,
    sources=(
        *(sources.MONITOR_NAMES, sources.MONITOR_S, *sources.ORBIT_DIFFERENCE, *sources.ORBIT_DIFFERENCE_RMS),
        *(*sources.ORBIT_DIFFERENCE_LARGEST, *sources.ORBIT_DIFFERENCE_WHERE, sources.REFERENCE_USE),
        *(*sources.REFERENCE, *sources.ORBIT, sources.ELEMENT_NAMES, sources.ELEMENT_POSITIONS),
        *(*sources.TWISS_BETA, *sources.DISPERSION, *sources.RESIDUAL, *sources.RESIDUAL_RMS, sources.RESIDUAL_FRESH),
        *(*sources.BOUND_LOWER, *sources.BOUND_UPPER),
    ),
)
